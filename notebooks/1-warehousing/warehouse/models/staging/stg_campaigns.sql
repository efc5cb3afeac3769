with source as (
    select * from {{ source('lake', 'campaigns') }}
),

renamed as (
    select
        campaign_id,
        campaign_type,
        starts_on,
        ends_on
    from source
)

select * from renamed
