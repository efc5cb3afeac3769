{{ config(materialized='incremental', unique_key='order_id') }}

-- An order is worked on again whenever it, or a payment of it, arrives: a refund may come weeks later.
with touched as (
    select order_id from {{ ref('stg_orders') }}
    where {{ is_new() }}
    union distinct
    select order_id from {{ ref('stg_payments') }}
    where {{ is_new() }}
),

orders as (
    select stg_orders.*
    from {{ ref('stg_orders') }} as stg_orders
    inner join touched on stg_orders.order_id = touched.order_id
),

lines as (
    select
        fct_order_lines.order_id,
        max(fct_order_lines.customer_key) as customer_key,
        count(*) as lines,
        sum(fct_order_lines.amount) as amount,
        sum(fct_order_lines.retail_discount) as retail_discount,
        sum(fct_order_lines.coupon_discount) as coupon_discount
    from {{ ref('fct_order_lines') }} as fct_order_lines
    inner join touched on fct_order_lines.order_id = touched.order_id
    group by fct_order_lines.order_id
),

payments as (
    select
        stg_payments.order_id,
        sum(case when kind = 'charge' and status = 'succeeded' then amount else 0 end) as charged,
        sum(case when kind = 'charge' and status = 'succeeded' and method <> 'coupon' then amount else 0 end)
            as charged_at_till,
        sum(case when kind = 'refund' and status = 'succeeded' then amount else 0 end) as refunded,
        sum(case when status = 'failed' then 1 else 0 end) as failed_attempts,
        min(case when kind = 'charge' and status = 'succeeded' then created_at end) as paid_at,
        max(case when kind = 'refund' and status = 'succeeded' then created_at end) as refunded_at,
        max(loaded_at) as loaded_at
    from {{ ref('stg_payments') }} as stg_payments
    inner join touched on stg_payments.order_id = touched.order_id
    group by stg_payments.order_id
),

joined as (
    select
        orders.order_id,
        lines.customer_key,
        orders.customer_id,
        orders.store_id,
        orders.ordered_at,
        orders.ordered_on,
        orders.status,
        orders.total,
        coalesce(lines.lines, 0) as lines,
        {{ money('coalesce(lines.amount, 0)') }} as line_amount,
        {{ money('coalesce(lines.retail_discount, 0)') }} as retail_discount,
        {{ money('coalesce(lines.coupon_discount, 0)') }} as coupon_discount,
        {{ money('coalesce(payments.charged, 0)') }} as charged,
        {{ money('coalesce(payments.charged_at_till, 0)') }} as charged_at_till,
        {{ money('coalesce(payments.refunded, 0)') }} as refunded,
        coalesce(payments.failed_attempts, 0) as failed_attempts,
        payments.paid_at,
        payments.refunded_at,
        case
            when payments.loaded_at > orders.loaded_at then payments.loaded_at else orders.loaded_at
        end as loaded_at
    from orders
    left join lines on orders.order_id = lines.order_id
    left join payments on orders.order_id = payments.order_id
)

select
    order_id,
    customer_key,
    customer_id,
    store_id,
    ordered_at,
    ordered_on,
    status,
    total,
    cast(lines as integer) as lines,
    line_amount,
    retail_discount,
    coupon_discount,
    charged,
    refunded,
    {{ money('charged - refunded') }} as net_paid,
    cast(failed_attempts as integer) as failed_attempts,
    paid_at,
    refunded_at,
    {{ payment_verdict() }} as payment_verdict,
    loaded_at,
    {{ written_by() }} as written_by
from joined
