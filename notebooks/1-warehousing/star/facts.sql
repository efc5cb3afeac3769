-- Grain: one product in one order. A transaction fact.
create table fct_order_lines as
select
    order_id,
    line_no,
    customer_id,
    store_id,
    lines.product_id,
    ordered_on,
    quantity,
    -- A gallon costs more than a dollar: what costs less a unit is counted in
    -- thousandths.
    is_fuel and quantity > amount as in_thousandths,
    case when not in_thousandths then quantity end as units,
    case when in_thousandths then quantity / 1000 end as gallons,
    amount,
    retail_discount,
    coupon_discount,
    coupon_match_discount,
    is_fuel,
    amount = 0 or quantity = 0 as is_zero,
    is_listed,
from shop.order_lines as lines
join shop.orders using (order_id)
join dim_product on lines.product_id = dim_product.product_id
order by order_id, line_no;

alter table fct_order_lines drop column in_thousandths;

-- Grain: one attempt to move money. A transaction fact.
create table fct_payments as
select
    payment_id,
    order_id,
    customer_id,
    store_id,
    created_on,
    kind,
    method,
    payments.status,
    amount,
    case
        when payments.status = 'failed' then 0
        when kind = 'refund' then -amount
        else amount
    end as moved_amount,
from shop.payments as payments
join shop.orders using (order_id)
order by payment_id;

-- Grain: one household that one campaign was sent to. A fact without measures.
create table fct_mailings as from shop.mailings order by campaign_id, customer_id;

-- Grain: one order. An accumulating snapshot: empty here, filled by orders.sql.
create table fct_orders (
    order_id bigint primary key,
    customer_id integer,
    store_id integer,
    ordered_on date,
    paid_on date,
    refunded_on date,
    total decimal(12, 2),
    coupon_discount decimal(12, 2),
    charged decimal(12, 2),
    refunded decimal(12, 2)
);
