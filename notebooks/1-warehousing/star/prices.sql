-- Grain: one line that tells a price: what a piece cost on the shelf, before the shop's
-- discounts.
create table told_prices as
select
    product_id,
    week,
    amount + retail_discount + coupon_match_discount as shelf_amount,
    round(shelf_amount / units, 2)::decimal(12, 2) as price,
from fct_order_lines
join dim_date on ordered_on = date_day
where units > 0 and amount > 0;

-- Grain: one change of a product's shelf price: from this Monday on it is the new one.
create table price_changes as
with tally as (
    select product_id, week, price, count(*) as lines,
    from told_prices
    group by product_id, week, price
),
-- A week has a price where three lines or more were sold, and over half of them agree.
weekly as (
    select product_id, week, arg_max(price, lines) as price,
    from tally
    group by product_id, week
    having sum(lines) >= 3 and 2 * max(lines) > sum(lines)
),
-- A price counts once two such weeks in a row have it: a single odd week is taken for
-- noise.
steady as (
    from weekly
    qualify price = lead(price) over (partition by product_id order by week)
),
changed as (
    from steady
    qualify price is distinct from lag(price) over (
        partition by product_id order by week
    )
)
select
    product_id,
    date '2016-12-26' + 7 * (week - 1) as changed_on,
    price as shelf_price,
from changed
order by product_id, changed_on;

create macro version_key(product_id, valid_from) as
    md5(product_id || '|' || valid_from);

-- Dollars a piece.
create macro price_band(price) as case
    when price is null then 'not known'
    when price < 1 then '0 to 1'
    when price < 2 then '1 to 2'
    when price < 5 then '2 to 5'
    else '5 and more'
end;
