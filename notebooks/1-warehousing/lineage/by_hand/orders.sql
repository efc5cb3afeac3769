-- Grain: one order. Reads the lake, whose folder is in the variable `lake`.
create table if not exists orders (
    order_id bigint,
    customer_id integer,
    ordered_on date,
    total numeric(18, 2)
);

insert into orders
select
    order_id,
    customer_id,
    (ordered_at at time zone 'UTC' at time zone 'America/New_York')::date,
    total,
from read_parquet(getvariable('lake') || '/orders/**/*.parquet');
