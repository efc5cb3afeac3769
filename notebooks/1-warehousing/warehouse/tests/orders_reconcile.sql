-- Each order that the shop's database counted is here once, with all dollars of the lines.
with shop as (
    select
        sum(orders) as orders,
        sum(amount) as amount
    from {{ source('lake', 'controls') }}
    where {{ loaded() }}
),

warehouse as (
    select
        count(*) as orders,
        sum(total) as amount
    from {{ ref('fct_orders') }}
)

select
    shop.orders as orders_of_shop,
    warehouse.orders as orders_of_warehouse,
    shop.amount as amount_of_shop,
    warehouse.amount as amount_of_warehouse
from shop
cross join warehouse
where shop.orders <> warehouse.orders
    or shop.amount <> coalesce(warehouse.amount, 0)
