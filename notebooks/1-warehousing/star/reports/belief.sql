-- How far the derived prices reach, and how many lines were sold at the price they say.
with believed as (
    select told.price = changes.shelf_price as agrees,
    from told_prices as told
    join dim_date as mondays on told.week = mondays.week and mondays.day_of_week = 1
    asof join price_changes as changes
        on told.product_id = changes.product_id
        and mondays.date_day >= changes.changed_on
)
select
    count(distinct product_id) as products_sold,
    count(distinct product_id) filter (is_priced) as with_a_price,
    100 * sum(amount) filter (is_priced) / sum(amount) as "revenue of these, %",
    (select 100 * avg(agrees::int) from believed) as "their lines at that price, %",
    (
        select count(*) - count(distinct product_id) from price_changes
    ) as changes_of_price,
from (
    select *, product_id in (select product_id from price_changes) as is_priced,
    from fct_order_lines
)
