{{ config(materialized='incremental', unique_key=['order_id', 'line_no']) }}

with lines as (
    select * from {{ ref('stg_order_lines') }}
    where {{ is_new() }}
),

orders as (
    select * from {{ ref('stg_orders') }}
),

products as (
    select * from {{ ref('stg_products') }}
),

customers as (
    select * from {{ ref('dim_customer') }}
),

measured as (
    select
        lines.*,
        products.is_fuel,
        products.is_listed,
        -- A gallon costs more than a dollar: what costs less a unit is counted in thousandths.
        products.is_fuel and lines.quantity > lines.amount as is_in_thousandths
    from lines
    left join products on lines.product_id = products.product_id
)

select
    measured.order_id,
    measured.line_no,
    customers.customer_key,
    orders.customer_id,
    orders.store_id,
    measured.product_id,
    orders.ordered_at,
    orders.ordered_on,
    measured.quantity,
    case when not measured.is_in_thousandths then measured.quantity end as units,
    case when measured.is_in_thousandths then {{ ratio('measured.quantity', 1000) }} end as gallons,
    measured.amount,
    measured.retail_discount,
    measured.coupon_discount,
    measured.coupon_match_discount,
    measured.is_fuel,
    measured.amount = 0 or measured.quantity = 0 as is_zero,
    measured.is_listed,
    measured.loaded_at,
    {{ written_by() }} as written_by
from measured
left join orders on measured.order_id = orders.order_id
left join customers
    on orders.customer_id = customers.customer_id
    and orders.ordered_on >= customers.valid_from
    and orders.ordered_on < customers.valid_to
