select department, sum(amount) as revenue,
from fct_order_lines
join snow.product using (product_id)
join snow.product_type using (type_key)
join snow.product_category using (category_key)
join snow.department using (department_key)
join snow.date on ordered_on = date_day
join snow.month using (month)
where brand = 'Private' and month_of_year = 12
group by department
order by revenue desc, department
