select department, sum(amount) as revenue,
from fct_order_lines
join dim_product using (product_id)
join dim_date on ordered_on = date_day
where brand = 'Private' and month_of_year = 12
group by department
order by revenue desc, department
