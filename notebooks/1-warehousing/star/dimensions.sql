-- Grain: one product, listed or sold. A product that only the tills know gets a row as
-- well.
create table dim_product as
with listed as (
    select
        product_id::integer as product_id,
        manufacturer_id::integer as manufacturer_id,
        coalesce(department, '(unknown)') as department,
        coalesce(brand, '(unknown)') as brand,
        coalesce(product_category, '(unknown)') as product_category,
        coalesce(product_type, '(unknown)') as product_type,
        package_size,
        true as is_listed,
        product_type is not distinct from 'GASOLINE-REG UNLEADED' as is_fuel,
    from shop.catalogue
),
orphans as (
    select distinct product_id from shop.order_lines
    anti join listed using (product_id)
)
from listed
union all by name
select
    product_id,
    '(not listed)' as department,
    '(not listed)' as brand,
    '(not listed)' as product_category,
    '(not listed)' as product_type,
    false as is_listed,
    false as is_fuel,
from orphans
order by product_id;

-- Grain: one day at the shop, from January 2017 to January 2018.
create table dim_date as
select
    day::date as date_day,
    year(day)::integer as year,
    month(day)::integer as month_of_year,
    date_trunc('month', day)::date as month,
    -- The shop's weeks begin on Mondays; week 1 began in the year before.
    (1 + date_diff('week', date '2016-12-26', day))::integer as week,
    isodow(day)::integer as day_of_week,
    isodow(day) >= 6 as is_weekend,
from range(date '2017-01-01', date '2018-02-01', interval 1 day) as days (day);

-- Grain: one store that has sold something. All that is known of it is in its orders.
create table dim_store as
select
    store_id,
    min(ordered_on) as first_ordered_on,
    max(ordered_on) as last_ordered_on,
from shop.orders
group by store_id
order by store_id;

-- Grain: one household.
create table dim_customer as
with first_orders as (
    select customer_id, min(ordered_on) as first_ordered_on,
    from shop.orders
    group by customer_id
)
select
    customer_id,
    first_ordered_on,
    date_trunc('month', first_ordered_on)::date as cohort_month,
    age is not null as has_demographics,
    age,
    income,
    household_size,
from shop.customers
left join first_orders using (customer_id)
order by customer_id;

-- Grain: one campaign.
create table dim_campaign as from shop.campaigns order by campaign_id;
