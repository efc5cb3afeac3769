with campaigns as (
    select * from {{ ref('stg_campaigns') }}
)

select
    campaign_id,
    campaign_type,
    starts_on,
    ends_on
from campaigns
