-- Everything in one table: each line carries its day's and its product's attributes
-- with it.
create table wide_order_lines as
select
    lines.*,
    dim_product.* exclude (product_id, is_fuel, is_listed),
    dim_date.* exclude (date_day),
from fct_order_lines as lines
join dim_product using (product_id)
join dim_date on ordered_on = date_day
order by order_id, line_no;
