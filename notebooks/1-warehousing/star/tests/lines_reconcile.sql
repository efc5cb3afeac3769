-- Each line of the shop is here once, and its dollars to the cent.
with warehouse as (
    select count(*) as lines, sum(amount) as amount from fct_order_lines
),
shop as (
    select count(*) as lines, sum(amount) as amount from shop.order_lines
)
select
    warehouse.lines - shop.lines as lines_too_many,
    warehouse.amount - shop.amount as dollars_too_many,
from warehouse, shop
where lines_too_many <> 0 or dollars_too_many <> 0
