with months as (
    from fct_customer_months where orders > 0
)
select
    month,
    sum(orders) as orders,
    count(*) as customers,
    count(*) filter (age_months > 0) as returning_customers,
    returning_customers / customers as returning_share,
    count(*) filter (orders > 1) as repeat_customers,
    repeat_customers / customers as repeat_share,
    sum(revenue) as revenue,
    coalesce(sum(revenue) filter (age_months > 0), 0) as returning_revenue,
from months
group by month
order by month
