with months as (
    select * from {{ ref('fct_customer_months') }}
    where orders > 0
)

select
    month,
    cast(sum(orders) as integer) as orders,
    count(*) as customers,
    cast(sum(case when age_months > 0 then 1 else 0 end) as integer) as returning_customers,
    {{ ratio('sum(case when age_months > 0 then 1 else 0 end)', 'count(*)') }} as returning_share,
    cast(sum(case when orders > 1 then 1 else 0 end) as integer) as repeat_customers,
    {{ ratio('sum(case when orders > 1 then 1 else 0 end)', 'count(*)') }} as repeat_share,
    {{ money('sum(revenue)') }} as revenue,
    {{ money('sum(case when age_months > 0 then revenue else 0 end)') }} as returning_revenue
from months
group by month
