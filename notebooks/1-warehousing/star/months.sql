-- Grain: one household in one month, from its first order on, silent months included.
create table fct_customer_months as
with months as (
    select distinct month from dim_date
    where date_day <= (select max(ordered_on) from fct_orders)
),
monthly as (
    select
        customer_id,
        month,
        count(*) as orders,
        sum(total) as revenue,
    from fct_orders
    join dim_date on ordered_on = date_day
    group by customer_id, month
),
spine as (
    select customer_id, cohort_month, month,
    from dim_customer
    join months on month >= cohort_month
)
select
    customer_id,
    month,
    cohort_month,
    date_diff('month', cohort_month, month)::integer as age_months,
    coalesce(orders, 0)::integer as orders,
    coalesce(revenue, 0)::decimal(18, 2) as revenue,
    sum(coalesce(revenue, 0)) over (
        partition by customer_id order by month
    )::decimal(18, 2) as revenue_to_date,
from spine
left join monthly using (customer_id, month)
order by customer_id, month;
