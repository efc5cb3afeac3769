-- What an order as a whole was given, shared out to its lines in proportion to their
-- amounts. Each line gets what rounding leaves between the lines before it and itself,
-- so that the lines of an order sum to its cents exactly. An order of nothing is shared
-- out evenly.
create or replace table allocated as
with running as (
    select
        order_id,
        line_no,
        product_id,
        orders.coupon_discount as whole,
        case when total > 0 then lines.amount else 1 end as weight,
        sum(weight) over until_here as weight_until_here,
        sum(weight) over the_order as weight_of_order,
        round(whole * weight_until_here / weight_of_order, 2) as shared,
    from fct_order_lines as lines
    join fct_orders as orders using (order_id)
    where orders.coupon_discount > 0
    window
        the_order as (partition by order_id),
        until_here as (partition by order_id order by line_no)
)
select
    order_id,
    line_no,
    product_id,
    (shared - lag(shared, 1, 0) over (
        partition by order_id order by line_no
    ))::decimal(12, 2) as coupon_share,
from running
order by order_id, line_no;
