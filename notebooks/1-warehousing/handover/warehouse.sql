-- The second hand-over: a day of the lake into the warehouse. Loading a day again replaces it.
create table if not exists fct_sales (
    order_id     bigint not null,
    line_no      smallint not null,
    customer_id  int not null,
    store_id     int not null,
    sold_at      timestamp not null,
    product_id   int not null,
    quantity     int not null check (quantity >= 0),
    amount       decimal(12, 2) not null check (amount >= 0),
    primary key (order_id, line_no)
);

delete from fct_sales where sold_at::date = getvariable('day');

insert into fct_sales by name
select order_id, line_no, customer_id, store_id, sold_at, product_id, quantity, amount
from read_parquet(getvariable('file'));
