with customers as (
    select * from {{ ref('stg_customers') }}
),

orders as (
    select * from {{ ref('stg_orders') }}
),

first_orders as (
    select
        customer_id,
        min(ordered_on) as first_ordered_on
    from orders
    group by customer_id
),

-- A month says where a household shops once it is over; until then its home is that of the month before.
clock as (
    select {{ month_of('cast(' ~ shop_time('max(loaded_at)') ~ ' as date)') }} as this_month
    from orders
),

visits as (
    select
        orders.customer_id,
        {{ month_of('orders.ordered_on') }} as month,
        orders.store_id,
        count(*) as visits
    from orders
    group by orders.customer_id, {{ month_of('orders.ordered_on') }}, orders.store_id
),

ranked as (
    select
        visits.*,
        row_number() over (
            partition by visits.customer_id, visits.month
            order by visits.visits desc, visits.store_id
        ) as place
    from visits
    cross join clock
    where visits.month < clock.this_month
),

homes as (
    select
        customer_id,
        month,
        store_id,
        lag(store_id) over (partition by customer_id order by month) as store_before
    from ranked
    where place = 1
),

versions as (
    select
        customer_id,
        cast('1900-01-01' as date) as valid_from,
        cast(null as integer) as home_store_id
    from customers
    union all
    select
        customer_id,
        cast({{ dbt.dateadd('month', 1, 'month') }} as date) as valid_from,
        cast(store_id as integer) as home_store_id
    from homes
    where store_before is null or store_before <> store_id
),

ended as (
    select
        *,
        lead(valid_from) over (partition by customer_id order by valid_from) as next_from
    from versions
)

select
    {{ surrogate_key(['ended.customer_id', 'ended.valid_from']) }} as customer_key,
    ended.customer_id,
    ended.valid_from,
    coalesce(ended.next_from, cast('9999-12-31' as date)) as valid_to,
    ended.next_from is null as is_current,
    ended.home_store_id,
    first_orders.first_ordered_on,
    {{ month_of('first_orders.first_ordered_on') }} as cohort_month,
    customers.has_demographics,
    customers.age,
    customers.income,
    customers.home_ownership,
    customers.marital_status,
    customers.household_size,
    customers.household_comp,
    customers.kids_count
from ended
inner join customers on ended.customer_id = customers.customer_id
left join first_orders on ended.customer_id = first_orders.customer_id
