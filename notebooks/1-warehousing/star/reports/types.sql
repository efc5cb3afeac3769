-- What each type remembers: of one product, and of all.
with products as (
    select *, product_id = getvariable('product_id') as is_it from dim_product
),
versions as (
    select *, product_id = getvariable('product_id') as is_it from dim_product_versions
)
select
    1 as type,
    any_value(shelf_price) filter (is_it)::varchar as its_prices,
    count(shelf_price) as prices_kept_of_all_products,
from products
union all
select
    2,
    string_agg(shelf_price, ', ' order by valid_from) filter (is_it),
    count(shelf_price),
from versions
union all
select
    3,
    any_value(concat_ws(', ', former_price, shelf_price)) filter (is_it),
    count(shelf_price) + count(former_price),
from products
order by type
