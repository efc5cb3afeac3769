-- What happened to orders from `since` until `now` (days at the shop), merged into
-- their rows.
merge into fct_orders using (
    with touched as (
        select order_id from shop.orders
        where ordered_on >= getvariable('since') and ordered_on < getvariable('now')
        union
        select order_id from shop.payments
        where created_on >= getvariable('since') and created_on < getvariable('now')
    ),
    paid as (
        select
            order_id,
            min(created_on) filter (kind = 'charge') as paid_on,
            max(created_on) filter (kind = 'refund') as refunded_on,
            coalesce(sum(amount) filter (kind = 'charge'), 0) as charged,
            coalesce(sum(amount) filter (kind = 'refund'), 0) as refunded,
        from shop.payments
        semi join touched using (order_id)
        where status = 'succeeded' and created_on < getvariable('now')
        group by order_id
    ),
    lines as (
        select order_id, sum(coupon_discount) as coupon_discount,
        from shop.order_lines
        semi join touched using (order_id)
        group by order_id
    )
    select
        order_id,
        customer_id,
        store_id,
        ordered_on,
        paid_on,
        refunded_on,
        total,
        coupon_discount,
        coalesce(charged, 0) as charged,
        coalesce(refunded, 0) as refunded,
    from touched
    join shop.orders using (order_id)
    join lines using (order_id)
    left join paid using (order_id)
    where ordered_on < getvariable('now')
    order by order_id
) as news
using (order_id)
when matched then update
when not matched then insert
returning merge_action;
