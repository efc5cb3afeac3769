with source as (
    select * from {{ source('lake', 'customers') }}
),

renamed as (
    select
        customer_id,
        age,
        income,
        home_ownership,
        marital_status,
        household_size,
        household_comp,
        kids_count,
        case when age is null then false else true end as has_demographics
    from source
)

select * from renamed
