-- The average basket and the number of customers, computed in good and in bad ways.
with months as (
    select month, avg(total) as basket, count(distinct customer_id) as customers,
    from fct_orders
    join dim_date on ordered_on = date_day
    group by month
),
stores as (
    select store_id, avg(total) as basket,
    from fct_orders
    group by store_id
)
select
    (select avg(basket) from stores) as basket_mean_of_stores,
    (select avg(basket) from months) as mean_of_months,
    sum(total) / count(*) as dollars_by_orders,
    (select sum(customers)::bigint from months) as customers_sum_of_months,
    count(distinct customer_id) as customers,
from fct_orders
