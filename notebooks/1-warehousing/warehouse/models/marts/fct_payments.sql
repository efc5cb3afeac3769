{{ config(materialized='incremental', unique_key='payment_id') }}

with payments as (
    select * from {{ ref('stg_payments') }}
    where {{ is_new() }}
),

orders as (
    select * from {{ ref('stg_orders') }}
)

select
    payments.payment_id,
    payments.order_id,
    orders.customer_id,
    orders.store_id,
    payments.created_at,
    payments.created_on,
    payments.kind,
    payments.method,
    payments.attempt,
    payments.status,
    payments.failure_reason,
    payments.refund_of,
    payments.amount,
    {{ money("""case
        when payments.status = 'failed' then 0
        when payments.kind = 'refund' then -payments.amount
        else payments.amount
    end""") }} as moved_amount,
    payments.loaded_at,
    {{ written_by() }} as written_by
from payments
left join orders on payments.order_id = orders.order_id
