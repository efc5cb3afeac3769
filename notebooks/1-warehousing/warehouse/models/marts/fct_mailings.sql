with mailings as (
    select * from {{ ref('stg_mailings') }}
)

select
    campaign_id,
    customer_id
from mailings
