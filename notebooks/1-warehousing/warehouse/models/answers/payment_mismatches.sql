with orders as (
    select * from {{ ref('fct_orders') }}
)

select
    order_id,
    ordered_on,
    status,
    payment_verdict as fault,
    total,
    charged,
    refunded,
    {{ money('net_paid - total') }} as difference
from orders
where payment_verdict <> 'agrees'
