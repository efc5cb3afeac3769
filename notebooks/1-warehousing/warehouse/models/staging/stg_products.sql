with source as (
    select * from {{ source('lake', 'products') }}
),

renamed as (
    select
        product_id,
        manufacturer_id,
        coalesce(department, case when listed then '(unknown)' else '(not listed)' end) as department,
        coalesce(brand, case when listed then '(unknown)' else '(not listed)' end) as brand,
        coalesce(product_category, case when listed then '(unknown)' else '(not listed)' end) as product_category,
        coalesce(product_type, case when listed then '(unknown)' else '(not listed)' end) as product_type,
        package_size,
        listed as is_listed,
        coalesce(product_type, '') = 'GASOLINE-REG UNLEADED' as is_fuel
    from source
)

select * from renamed
