select department, product_category, sum(amount) as revenue,
from fct_order_lines
join dim_product using (product_id)
join dim_date on ordered_on = date_day
where is_weekend
group by department, product_category
order by revenue desc, department, product_category
