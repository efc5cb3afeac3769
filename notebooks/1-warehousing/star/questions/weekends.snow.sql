select department, product_category, sum(amount) as revenue,
from fct_order_lines
join snow.product using (product_id)
join snow.product_type using (type_key)
join snow.product_category using (category_key)
join snow.department using (department_key)
join snow.date on ordered_on = date_day
where is_weekend
group by department, product_category
order by revenue desc, department, product_category
