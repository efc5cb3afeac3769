with source as (
    select * from {{ source('lake', 'order_lines') }}
    where {{ loaded() }}
),

renamed as (
    select
        order_id,
        line_no,
        product_id,
        quantity,
        {{ money('amount') }} as amount,
        {{ money('retail_discount') }} as retail_discount,
        {{ money('coupon_discount') }} as coupon_discount,
        {{ money('coupon_match_discount') }} as coupon_match_discount,
        loaded_at
    from source
)

select * from renamed
