with baskets as (
    select distinct
        lines.order_id,
        products.product_category as category
    from {{ ref('fct_order_lines') }} as lines
    inner join {{ ref('dim_product') }} as products on lines.product_id = products.product_id
    where not products.is_fuel and products.product_category not in ('(not listed)', '(unknown)')
),

orders as (
    select count(*) as orders from {{ ref('fct_orders') }}
),

-- A category in less than one basket of a hundred says too little.
categories as (
    select
        baskets.category,
        count(*) as baskets
    from baskets
    group by baskets.category
    having count(*) * 100 >= (select orders from orders)
),

common as (
    select baskets.*
    from baskets
    inner join categories on baskets.category = categories.category
),

pairs as (
    select
        one.category as category_a,
        other.category as category_b,
        count(*) as baskets_both
    from common as one
    inner join common as other
        on one.order_id = other.order_id
        and one.category < other.category
    group by one.category, other.category
)

select
    pairs.category_a,
    pairs.category_b,
    a.baskets as baskets_a,
    b.baskets as baskets_b,
    pairs.baskets_both,
    {{ ratio('pairs.baskets_both', 'orders.orders') }} as support,
    {{ ratio('pairs.baskets_both', 'a.baskets') }} as confidence,
    {{ ratio('pairs.baskets_both', 'a.baskets') }} * {{ ratio('orders.orders', 'b.baskets') }} as lift
from pairs
inner join categories as a on pairs.category_a = a.category
inner join categories as b on pairs.category_b = b.category
cross join orders
where pairs.baskets_both * 100 >= orders.orders
