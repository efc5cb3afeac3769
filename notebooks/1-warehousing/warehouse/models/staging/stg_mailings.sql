with source as (
    select * from {{ source('lake', 'mailings') }}
),

renamed as (
    select
        campaign_id,
        customer_id
    from source
)

select * from renamed
