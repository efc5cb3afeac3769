select department, product_category, sum(amount) as revenue,
from wide_order_lines
where is_weekend
group by department, product_category
order by revenue desc, department, product_category
