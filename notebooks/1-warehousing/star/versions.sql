-- Grain: one product at one shelf price, from a day until another begins. Type 2.
create or replace table dim_product_versions as
with starts as (
    select
        product_id,
        date '1900-01-01' as valid_from,
        null::decimal(12, 2) as shelf_price,
    from dim_product
    union all
    select product_id, changed_on, shelf_price, from price_changes
)
select
    version_key(product_id, valid_from) as product_key,
    product_id,
    valid_from,
    lead(valid_from, 1, date '9999-12-31') over (
        partition by product_id order by valid_from
    ) as valid_to,
    valid_to = date '9999-12-31' as is_current,
    shelf_price,
    price_band(shelf_price) as price_band,
from starts
order by product_id, valid_from;
