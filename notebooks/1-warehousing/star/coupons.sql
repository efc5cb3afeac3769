-- An order's coupon brought to its lines in four ways, and as the tills know it: by
-- department.
create or replace table coupons as
with lines as (
    select lines.*, department, orders.coupon_discount as of_order,
    from fct_order_lines as lines
    join dim_product using (product_id)
    join fct_orders as orders using (order_id)
    where orders.coupon_discount > 0
)
select 'on each line of the order' as way, department, sum(of_order) as dollars,
from lines
group by department
union all
select 'on its first line', department, sum(of_order),
from lines
where line_no = 1
group by department
union all
select 'on a line of its own', '(none)', sum(coupon_discount),
from fct_orders
union all
select 'shared out by amount', department, sum(coupon_share),
from allocated
join dim_product using (product_id)
group by department
union all
select 'as the tills know it', department, sum(coupon_discount),
from lines
group by department;
