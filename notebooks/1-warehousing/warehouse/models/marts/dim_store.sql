with orders as (
    select * from {{ ref('stg_orders') }}
)

select
    store_id,
    min(ordered_on) as first_ordered_on,
    max(ordered_on) as last_ordered_on
from orders
group by store_id
