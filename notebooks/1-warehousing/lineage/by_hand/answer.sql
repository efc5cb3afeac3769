-- Grain: one month. Reads the table `orders`.
create or replace table revenue_by_month as
with monthly as (
    select
        customer_id,
        date_trunc('month', ordered_on)::date as month,
        count(*) as orders,
        sum(total) as revenue,
        row_number() over (partition by customer_id order by month) > 1 as is_returning,
    from orders
    group by customer_id, month
)

select
    month,
    sum(orders) as orders,
    count(*) as customers,
    count(*) filter (is_returning) as returning_customers,
    count(*) filter (is_returning) / count(*) as returning_share,
    count(*) filter (orders > 1) as repeat_customers,
    count(*) filter (orders > 1) / count(*) as repeat_share,
    sum(revenue) as revenue,
    coalesce(sum(revenue) filter (is_returning), 0) as returning_revenue,
from monthly
group by month;
