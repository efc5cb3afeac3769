select month, sum(amount) as revenue,
from fct_order_lines
join snow.date on ordered_on = date_day
group by month
order by month
