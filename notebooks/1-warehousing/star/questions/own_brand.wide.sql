select department, sum(amount) as revenue,
from wide_order_lines
where brand = 'Private' and month_of_year = 12
group by department
order by revenue desc, department
