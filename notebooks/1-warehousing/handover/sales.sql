-- One row a line of an order of one day of the shop, which keeps New York's time.
with orders_of_the_day as (
    select order_id, customer_id, store_id, ordered_at at time zone 'America/New_York' as sold_at
    from orders
    where (ordered_at at time zone 'America/New_York')::date = %(day)s
),

sales as (
    select o.customer_id, o.store_id, o.sold_at, l.*
    from order_lines as l
    join orders_of_the_day as o using (order_id)
)

select * from sales order by order_id, line_no
