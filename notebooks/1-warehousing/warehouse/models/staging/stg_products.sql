with source as (
    select * from {{ source('lake', 'products') }}
),

renamed as (
    select
        product_id,
        manufacturer_id,
        coalesce(department, '(not listed)') as department,
        coalesce(brand, '(not listed)') as brand,
        coalesce(product_category, '(not listed)') as product_category,
        coalesce(product_type, '(not listed)') as product_type,
        package_size,
        listed as is_listed,
        coalesce(product_type, '') = 'GASOLINE-REG UNLEADED' as is_fuel
    from source
)

select * from renamed
