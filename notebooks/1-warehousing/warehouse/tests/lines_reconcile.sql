-- Each line that the shop's database counted is here once, and its dollars to the cent.
with shop as (
    select
        sum(lines) as lines,
        sum(amount) as amount
    from {{ source('lake', 'controls') }}
    where {{ loaded() }}
),

warehouse as (
    select
        count(*) as lines,
        sum(amount) as amount
    from {{ ref('fct_order_lines') }}
)

select
    shop.lines as lines_of_shop,
    warehouse.lines as lines_of_warehouse,
    shop.amount as amount_of_shop,
    warehouse.amount as amount_of_warehouse
from shop
cross join warehouse
where shop.lines <> warehouse.lines
    or shop.amount <> coalesce(warehouse.amount, 0)
