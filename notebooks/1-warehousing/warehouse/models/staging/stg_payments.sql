with source as (
    select * from {{ source('lake', 'payments') }}
    where {{ loaded() }}
),

renamed as (
    select
        payment_id,
        order_id,
        kind,
        method,
        attempt,
        {{ money('amount') }} as amount,
        status,
        failure_reason,
        refund_of,
        created_at,
        cast({{ shop_time('created_at') }} as date) as created_on,
        loaded_at
    from source
)

select * from renamed
