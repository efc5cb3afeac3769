with sold as (
    select
        p.department,
        date_trunc('month', o.ordered_at) as month,
        o.order_id,
        o.customer_id,
        l.amount
    from order_lines as l
    join orders as o using (order_id)
    join products as p using (product_id)
),

months as (
    select
        department,
        month,
        count(distinct order_id) as orders,
        count(distinct customer_id) as customers,
        sum(amount) as sales
    from sold
    group by department, month
)

select
    *,
    sales - lag(sales) over (partition by department order by month) as change
from months
order by month, sales desc
