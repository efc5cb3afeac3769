create table customers (
    customer_id     int primary key,
    joined_on       date not null,
    age             text,
    income          text,
    home_ownership  text,
    marital_status  text,
    household_size  text,
    household_comp  text,
    kids_count      text
);

create table products (
    product_id        int primary key,
    manufacturer_id   int,
    department        text,
    brand             text,
    product_category  text,
    product_type      text,
    package_size      text,
    listed            boolean not null,
    check (not listed or department is not null)
);

create table orders (
    order_id     bigint primary key,
    customer_id  int not null references customers,
    store_id     int not null,
    ordered_at   timestamptz not null,
    status       text not null check (
        status in ('placed', 'paid', 'partly_refunded', 'refunded', 'payment_failed')
    ),
    total        numeric(12, 2) not null check (total >= 0),
    version      int not null default 1
);

create table order_lines (
    order_id               bigint not null references orders,
    line_no                smallint not null check (line_no > 0),
    product_id             int not null references products,
    quantity               int not null check (quantity >= 0),
    amount                 numeric(12, 2) not null check (amount >= 0),
    retail_discount        numeric(12, 2) not null check (retail_discount >= 0),
    coupon_discount        numeric(12, 2) not null check (coupon_discount >= 0),
    coupon_match_discount  numeric(12, 2) not null check (coupon_match_discount >= 0),
    primary key (order_id, line_no)
);

create table payments (
    payment_id      bigint primary key,
    order_id        bigint not null references orders,
    kind            text not null check (kind in ('charge', 'refund')),
    method          text not null check (method in ('card', 'mobile', 'cash', 'coupon')),
    attempt         smallint check (attempt between 1 and 3),
    amount          numeric(12, 2) not null check (amount > 0),
    status          text not null check (status in ('succeeded', 'failed')),
    failure_reason  text,
    refund_of       bigint references payments,
    created_at      timestamptz not null,
    constraint a_refund_names_its_charge check ((kind = 'refund') = (refund_of is not null)),
    constraint a_failure_has_a_reason check ((status = 'failed') = (failure_reason is not null)),
    constraint a_charge_counts_its_attempts check ((kind = 'charge') = (attempt is not null))
);
