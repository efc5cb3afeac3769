{{ config(materialized='incremental', unique_key=['customer_id', 'month']) }}

with orders as (
    select * from {{ ref('fct_orders') }}
),

-- A late order changes its own month and the running totals of all that follow.
since as (
    select {{ month_of('min(ordered_on)') }} as month
    from orders
    where {{ is_new() }}
),

months as (
    select distinct month from {{ ref('dim_date') }}
    where date_day <= (select max(ordered_on) from orders)
),

monthly as (
    select
        customer_id,
        {{ month_of('ordered_on') }} as month,
        count(*) as orders,
        sum(total) as revenue,
        max(loaded_at) as loaded_at
    from orders
    group by customer_id, {{ month_of('ordered_on') }}
),

cohorts as (
    select
        customer_id,
        min(month) as cohort_month
    from monthly
    group by customer_id
),

spine as (
    select
        cohorts.customer_id,
        cohorts.cohort_month,
        months.month
    from cohorts
    inner join months on months.month >= cohorts.cohort_month
),

running as (
    select
        spine.customer_id,
        spine.month,
        spine.cohort_month,
        coalesce(monthly.orders, 0) as orders,
        coalesce(monthly.revenue, 0) as revenue,
        sum(coalesce(monthly.revenue, 0)) over (
            partition by spine.customer_id order by spine.month
            rows between unbounded preceding and current row
        ) as revenue_to_date,
        max(monthly.loaded_at) over (
            partition by spine.customer_id order by spine.month
            rows between unbounded preceding and current row
        ) as loaded_at
    from spine
    left join monthly
        on spine.customer_id = monthly.customer_id
        and spine.month = monthly.month
)

select
    running.customer_id,
    running.month,
    running.cohort_month,
    cast({{ months_between('running.cohort_month', 'running.month') }} as integer) as age_months,
    cast(running.orders as integer) as orders,
    {{ money('running.revenue') }} as revenue,
    {{ money('running.revenue_to_date') }} as revenue_to_date,
    running.loaded_at,
    {{ written_by() }} as written_by
from running
cross join since
where running.month >= since.month
