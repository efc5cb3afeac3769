-- The shop's tables as they lie in files, in a schema of their own. Orders and payments
-- get their day at the shop, New York's; as tables, so that it is computed once.
-- Variables: customers, catalogue, orders, order_lines, payments, campaigns, mailings
-- (paths).

create schema shop;

create view shop.customers as from read_parquet(getvariable('customers'));

-- What the shop says that it sells. Its tills know a few products more.
create view shop.catalogue as from read_parquet(getvariable('catalogue'));

create table shop.orders as
select *, timezone('America/New_York', timezone('UTC', ordered_at))::date as ordered_on,
from read_parquet(getvariable('orders'));

create view shop.order_lines as from read_parquet(getvariable('order_lines'));

create table shop.payments as
select *, timezone('America/New_York', timezone('UTC', created_at))::date as created_on,
from read_parquet(getvariable('payments'));

create view shop.campaigns as
select
    campaign_id::integer as campaign_id,
    campaign_type,
    start_date::date as starts_on,
    end_date::date as ends_on,
from read_parquet(getvariable('campaigns'));

create view shop.mailings as
select campaign_id::integer as campaign_id, household_id::integer as customer_id,
from read_parquet(getvariable('mailings'));
