with source as (
    select * from {{ source('lake', 'orders') }}
    where {{ loaded() }}
),

versions as (
    select
        *,
        row_number() over (partition by order_id order by loaded_at desc) as age
    from source
),

renamed as (
    select
        order_id,
        customer_id,
        store_id,
        ordered_at,
        cast({{ shop_time('ordered_at') }} as date) as ordered_on,
        status,
        {{ money('total') }} as total,
        loaded_at
    from versions
    where age = 1
)

select * from renamed
