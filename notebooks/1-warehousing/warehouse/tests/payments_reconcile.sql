-- Each attempt to move money is here once, and what was moved agrees with the orders' own sums.
with shop as (
    select
        sum(payments) as payments,
        sum(payments_amount) as amount
    from {{ source('lake', 'controls') }}
    where {{ loaded() }}
),

warehouse as (
    select
        count(*) as payments,
        sum(amount) as amount,
        sum(moved_amount) as moved
    from {{ ref('fct_payments') }}
),

orders as (
    select sum(net_paid) as moved
    from {{ ref('fct_orders') }}
)

select
    shop.payments as payments_of_shop,
    warehouse.payments as payments_of_warehouse,
    warehouse.moved as moved_by_payments,
    orders.moved as moved_by_orders
from shop
cross join warehouse
cross join orders
where shop.payments <> warehouse.payments
    or shop.amount <> coalesce(warehouse.amount, 0)
    or coalesce(warehouse.moved, 0) <> coalesce(orders.moved, 0)
