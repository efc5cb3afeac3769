-- The shop's operational tables, derived from a year of real baskets.
--
-- Observed: who bought what, where, when, for how much, and which coupons were handed in.
-- Derived here, by rule: payments, their failures and refunds, the order's status, and a few
-- planted faults. Every choice is a draw from md5(seed, what is drawn, id), so that each
-- machine derives the same rows and a row does not depend on its neighbours.
-- Variables: transactions, products, demographics (paths of parquet files).

create macro draw(what, id) as  -- 0 … 9999
    ('0x' || left(md5('shop-1:' || what || ':' || id), 7))::integer % 10000;

-- Grain: one product in one order. The source's doubles are whole cents, so the cast is exact.
create table shop_order_lines as
select
    basket_id as order_id,
    (row_number() over (partition by basket_id order by product_id))::smallint as line_no,
    product_id::integer as product_id,
    quantity::integer as quantity,
    sales_value::decimal(12, 2) as amount,
    retail_disc::decimal(12, 2) as retail_discount,
    coupon_disc::decimal(12, 2) as coupon_discount,
    coupon_match_disc::decimal(12, 2) as coupon_match_discount,
from read_parquet(getvariable('transactions'))
order by order_id, line_no;

-- Grain: one product. Those that were sold but that the source does not list are kept, flagged.
create table shop_products as
select
    product_id::integer as product_id,
    manufacturer_id::integer as manufacturer_id,
    department,
    brand,
    product_category,
    product_type,
    package_size,
    true as listed,
from read_parquet(getvariable('products'))
union all by name
select distinct product_id, false as listed,
from shop_order_lines
where product_id not in (select product_id from read_parquet(getvariable('products')))
order by product_id;

-- Grain: one household. Demographics are known for some only.
create table shop_customers as
with purchases as (
    select household_id, min(transaction_timestamp)::date as joined_on,
    from read_parquet(getvariable('transactions'))
    group by household_id
)
select
    household_id::integer as customer_id,
    joined_on,
    age,
    income,
    home_ownership,
    marital_status,
    household_size,
    household_comp,
    kids_count,
from purchases
left join read_parquet(getvariable('demographics')) using (household_id)
order by customer_id;

-- Grain: one basket, with what will happen to its payment. `due` is what the coupons leave to pay.
create table checkouts as
with baskets as (
    select
        basket_id as order_id,
        any_value(household_id)::integer as customer_id,
        any_value(store_id)::integer as store_id,
        any_value(transaction_timestamp) as ordered_at,
        sum(sales_value::decimal(12, 2))::decimal(12, 2) as total,
        max(sales_value::decimal(12, 2)) as largest_line,
        least(sum(coupon_disc::decimal(12, 2)), total)::decimal(12, 2) as coupons,
        (total - coupons)::decimal(12, 2) as due,
    from read_parquet(getvariable('transactions'))
    group by basket_id
),
methods as (
    select
        *,
        -- Most households have a habit: 85 % of their orders are paid in their own way.
        case when draw('method', order_id) < 8500
            then draw('wallet', customer_id) else draw('change', order_id)
        end as purse,
        case when purse < 6200 then 'card' when purse < 8000 then 'cash' else 'mobile' end as method,
    from baskets
),
attempts as (
    select
        *,
        -- 4 % of electronic charges fail at first, 30 % of each retry; the third is the last.
        case
            when due = 0 or method = 'cash' or draw('attempt 1', order_id) >= 400 then 0
            when draw('attempt 2', order_id) >= 3000 then 1
            when draw('attempt 3', order_id) >= 3000 then 2
            else 3
        end as failures,
        draw('fate', order_id) as lot,
    from methods
)
select
    *,
    case
        when failures = 3 then 'payment_failed'
        when due <= 1 then 'paid'
        when lot < 80 then 'refunded'
        when lot < 120 then if(largest_line < total, 'partly_refunded', 'paid')
        when lot < 140 then 'part_paid'
        when lot < 150 then 'unpaid'
        when lot < 160 then 'double_charge'
        when lot < 170 then 'short_charge'
        when lot < 180 then 'lost_charge'
        when lot < 190 then 'unrecorded_refund'
        else 'paid'
    end as fate,
from attempts;

-- Grain: one basket.
create table shop_orders as
select
    order_id,
    customer_id,
    store_id,
    ordered_at,
    case
        when fate in ('payment_failed', 'refunded', 'partly_refunded') then fate
        when fate in ('part_paid', 'unpaid') then 'placed'
        else 'paid'
    end as status,
    total,
from checkouts
order by order_id;

-- Grain: one order whose payments contradict its status, and how: the key to an exercise.
create table shop_payment_faults as
select order_id, fate as fault,
from checkouts
where fate in ('double_charge', 'short_charge', 'lost_charge', 'unrecorded_refund')
order by order_id;

-- Grain: one attempt to move money. `step` orders the attempts of an order and names them.
create table shop_payments as
with coupons as (
    select order_id, 0 as step, 'coupon' as method, 1 as attempt, coupons as amount,
        'succeeded' as status, null as failure_reason, ordered_at as created_at,
    from checkouts
    where coupons > 0 and fate not in ('payment_failed', 'unpaid')
),
charges as (
    select
        order_id,
        unnest(range(1, if(failures = 3, 4, failures + 2)))::integer as step,
        method,
        step as attempt,
        case
            when step <= failures then due
            when fate = 'part_paid' then (due / 2)::decimal(12, 2)
            when fate = 'short_charge'
                then due - ((1 + draw('short', order_id) % 99) / 100)::decimal(12, 2)
            else due
        end::decimal(12, 2) as amount,
        if(step <= failures, 'failed', 'succeeded') as status,
        case
            when step > failures then null
            when draw('reason ' || step, order_id) < 5500 then 'insufficient_funds'
            when draw('reason ' || step, order_id) < 8500 then 'declined'
            else 'timeout'
        end as failure_reason,
        ordered_at + to_seconds(
            5 + draw('delay', order_id) % 20 + (step - 1) * (20 + draw('retry', order_id) % 40)
        ) as created_at,
        fate,
    from checkouts
    where due > 0 and fate <> 'unpaid'
),
doubles as (
    select * exclude (fate) replace (4 as step, created_at + to_seconds(2) as created_at),
    from charges
    where fate = 'double_charge' and status = 'succeeded'
),
all_charges as (
    from coupons
    union all by name
    select * exclude (fate), from charges where not (fate = 'lost_charge' and status = 'succeeded')
    union all by name
    from doubles
),
refunds as (
    -- A full refund gives back every charge; a partial one gives back the dearest line.
    select
        order_id,
        step + 10 as step,
        all_charges.method,
        if(fate = 'partly_refunded', least(largest_line, amount), amount) as amount,
        status,
        created_at + to_days(1 + draw('return', order_id) % 14)
            + to_seconds(draw('return time', order_id)) as created_at,
    from all_charges
    join checkouts using (order_id)
    where status = 'succeeded' and (
        fate in ('refunded', 'unrecorded_refund')
        or (fate = 'partly_refunded' and all_charges.method <> 'coupon')
    )
),
numbered as (
    select
        *,
        row_number() over (order by created_at, order_id, step) as payment_id,
    from (
        select 'charge' as kind, *, from all_charges
        union all by name
        select 'refund' as kind, *, from refunds
    )
)
select
    payments.payment_id,
    payments.order_id,
    payments.kind,
    payments.method,
    payments.attempt::smallint as attempt,
    payments.amount::decimal(12, 2) as amount,
    payments.status,
    payments.failure_reason,
    charges.payment_id as refund_of,
    payments.created_at,
from numbered as payments
left join numbered as charges
    on charges.order_id = payments.order_id and charges.step = payments.step - 10
order by payments.payment_id;
