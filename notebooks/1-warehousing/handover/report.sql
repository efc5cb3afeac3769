-- The third hand-over: the takings of each day. "Takings" is defined here and nowhere else:
-- all that was paid at the tills, fuel included, before refunds.
with sales as (
    select
        s.sold_at::date as day,
        s.order_id,
        s.amount,
        p.product_type = 'GASOLINE-REG UNLEADED' as is_fuel,
    from fct_sales as s
    left join dim_product as p using (product_id)
)

select
    day,
    count(distinct order_id) as baskets,
    sum(amount) as takings,
    sum(amount) filter (where coalesce(is_fuel, false)) as of_which_fuel,
from sales
group by day
order by day
