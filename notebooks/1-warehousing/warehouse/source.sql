-- The shop's own database as it stood at a `moment`, if the shop had opened at its `opening`.
--
-- The data set knows each order's last state only. What a till's database showed on the way there is
-- derived here: an order is recorded when its till reports it, and each payment touches its order.
-- Variables: opening, moment (timestamps, UTC); customers, products, orders, order_lines, payments,
-- campaigns, campaign_descriptions (paths of parquet files).

create schema source;

-- Grain: one order. One till was cut off for a day: its orders reached the database two days late.
create view source.all_orders as
with payments as (
    select
        order_id,
        max(created_at) filter (kind = 'charge') as charged_at,
        max(created_at) filter (kind = 'refund') as refunded_at,
        max(created_at) filter (created_at < getvariable('moment')) as touched_at,
    from read_parquet(getvariable('payments'))
    group by order_id
)
select
    orders.*,
    case
        when store_id = 438 and ordered_at between '2017-12-29 05:00:00' and '2017-12-30 05:00:00'
            then timestamp '2017-12-31 13:00:00'
        else ordered_at
    end as recorded_at,
    charged_at,
    refunded_at,
    touched_at,
from read_parquet(getvariable('orders')) as orders
left join payments using (order_id)
where ordered_at >= getvariable('opening');

create view source.orders as
select
    order_id,
    customer_id,
    store_id,
    ordered_at,
    case
        when charged_at >= getvariable('moment') then 'placed'
        when refunded_at >= getvariable('moment') then 'paid'
        else status
    end as status,
    total,
    recorded_at,
    greatest(recorded_at, touched_at) as updated_at,
from source.all_orders
where recorded_at < getvariable('moment');

-- Grain: one product in one order.
create view source.order_lines as
select order_lines.*,
from read_parquet(getvariable('order_lines')) as order_lines
semi join source.orders using (order_id);

-- Grain: one attempt to move money.
create view source.payments as
select payments.*, greatest(created_at, recorded_at) as recorded_at,
from read_parquet(getvariable('payments')) as payments
join source.all_orders using (order_id)
where greatest(created_at, recorded_at) < getvariable('moment');

create view source.customers as from read_parquet(getvariable('customers'));

create view source.products as from read_parquet(getvariable('products'));

-- Grain: one campaign.
create view source.campaigns as
select
    campaign_id::integer as campaign_id,
    campaign_type,
    start_date::date as starts_on,
    end_date::date as ends_on,
from read_parquet(getvariable('campaign_descriptions'));

-- Grain: one household that one campaign was sent to.
create view source.mailings as
select campaign_id::integer as campaign_id, household_id::integer as customer_id,
from read_parquet(getvariable('campaigns'));
