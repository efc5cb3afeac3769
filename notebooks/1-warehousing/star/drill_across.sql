-- Two facts, one question: each is summed to the grain of the dimensions that both
-- refer to; only then are the sums put side by side. A month that one of them lacks
-- stays.
with sold as (
    select month, count(distinct order_id) as orders, sum(amount) as revenue,
    from fct_order_lines
    join dim_date on ordered_on = date_day
    group by month
),
moved as (
    select month, count(*) as payments, sum(moved_amount) as moved,
    from fct_payments
    join dim_date on created_on = date_day
    group by month
)
select month, orders, revenue, payments, moved,
from sold
full join moved using (month)
order by month
