with orders as (
    select * from {{ ref('fct_orders') }}
),

known as (
    select
        min(ordered_on) as first_day,
        max(ordered_on) as last_day
    from orders
),

households as (
    select distinct customer_id from orders
),

-- Four weeks before a campaign and its first four weeks: only where both are known whole.
campaigns as (
    select
        dim_campaign.campaign_id,
        dim_campaign.campaign_type,
        dim_campaign.starts_on,
        cast({{ dbt.dateadd('day', -28, 'dim_campaign.starts_on') }} as date) as before_from,
        cast({{ dbt.dateadd('day', 28, 'dim_campaign.starts_on') }} as date) as during_to
    from {{ ref('dim_campaign') }} as dim_campaign
),

whole as (
    select campaigns.*
    from campaigns
    cross join known
    where campaigns.before_from >= known.first_day
        and campaigns.during_to <= {{ dbt.dateadd('day', 1, 'known.last_day') }}
),

groups as (
    select
        whole.campaign_id,
        households.customer_id,
        case when mailings.customer_id is null then 0 else 1 end as is_recipient
    from whole
    cross join households
    left join {{ ref('fct_mailings') }} as mailings
        on whole.campaign_id = mailings.campaign_id
        and households.customer_id = mailings.customer_id
),

sizes as (
    select
        campaign_id,
        cast(sum(is_recipient) as integer) as recipients,
        cast(sum(1 - is_recipient) as integer) as others
    from groups
    group by campaign_id
),

spending as (
    select
        whole.campaign_id,
        groups.is_recipient,
        sum(case when orders.ordered_on < whole.starts_on then orders.total else 0 end) as before_amount,
        sum(case when orders.ordered_on >= whole.starts_on then orders.total else 0 end) as during_amount
    from whole
    inner join orders
        on orders.ordered_on >= whole.before_from
        and orders.ordered_on < whole.during_to
    inner join groups
        on whole.campaign_id = groups.campaign_id
        and orders.customer_id = groups.customer_id
    group by whole.campaign_id, groups.is_recipient
),

sides as (
    select
        campaign_id,
        {{ money('sum(case when is_recipient = 1 then before_amount else 0 end)') }} as recipients_before,
        {{ money('sum(case when is_recipient = 1 then during_amount else 0 end)') }} as recipients_during,
        {{ money('sum(case when is_recipient = 0 then before_amount else 0 end)') }} as others_before,
        {{ money('sum(case when is_recipient = 0 then during_amount else 0 end)') }} as others_during
    from spending
    group by campaign_id
)

select
    whole.campaign_id,
    whole.campaign_type,
    whole.starts_on,
    sizes.recipients,
    sizes.others,
    sides.recipients_before,
    sides.recipients_during,
    sides.others_before,
    sides.others_during,
    {{ ratio('sides.recipients_during', 'sizes.recipients') }}
        - {{ ratio('sides.others_during', 'sizes.others') }} as against_others,
    {{ ratio('sides.recipients_during - sides.recipients_before', 'sizes.recipients') }} as against_before,
    {{ ratio('sides.recipients_during - sides.recipients_before', 'sizes.recipients') }}
        - {{ ratio('sides.others_during - sides.others_before', 'sizes.others') }} as against_both
from whole
inner join sizes on whole.campaign_id = sizes.campaign_id
inner join sides on whole.campaign_id = sides.campaign_id
