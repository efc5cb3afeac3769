{{ config(materialized='table') }}

with lines as (
    select
        product_id,
        {{ month_of('ordered_on') }} as month,
        ordered_on,
        {{ money('round((amount + retail_discount + coupon_match_discount) / units, 2)') }} as shelf_price
    from {{ ref('fct_order_lines') }}
    where units > 0 and amount > 0
),

latest as (
    select
        *,
        max(month) over (partition by product_id) as last_month
    from lines
),

prices as (
    select
        product_id,
        shelf_price,
        count(*) as lines,
        max(ordered_on) as priced_on
    from latest
    where month = last_month
    group by product_id, shelf_price
),

ranked as (
    select
        *,
        row_number() over (partition by product_id order by lines desc, shelf_price) as place
    from prices
)

select
    product_id,
    shelf_price,
    priced_on
from ranked
where place = 1
