with products as (
    select * from {{ ref('stg_products') }}
),

prices as (
    select * from {{ ref('int_product_prices') }}
)

select
    products.product_id,
    products.manufacturer_id,
    products.department,
    products.brand,
    products.product_category,
    products.product_type,
    products.package_size,
    products.is_listed,
    products.is_fuel,
    prices.shelf_price,
    prices.priced_on
from products
left join prices on products.product_id = prices.product_id
