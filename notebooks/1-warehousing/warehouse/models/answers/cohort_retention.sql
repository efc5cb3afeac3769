with months as (
    select * from {{ ref('fct_customer_months') }}
),

sizes as (
    select
        cohort_month,
        count(distinct customer_id) as cohort_customers
    from months
    group by cohort_month
)

select
    months.cohort_month,
    months.age_months,
    max(sizes.cohort_customers) as cohort_customers,
    cast(sum(case when months.orders > 0 then 1 else 0 end) as integer) as active_customers,
    {{ ratio('sum(case when months.orders > 0 then 1 else 0 end)', 'max(sizes.cohort_customers)') }} as retention
from months
inner join sizes on months.cohort_month = sizes.cohort_month
group by months.cohort_month, months.age_months
