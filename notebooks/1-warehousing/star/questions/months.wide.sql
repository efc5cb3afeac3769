select month, sum(amount) as revenue,
from wide_order_lines
group by month
order by month
