# answer: q1-refunds
# loses: q1-right-rows
# why: Lets each order be refunded once only.
ddl = """
create table refunds (
    refund_id  bigint primary key,
    order_id   bigint not null unique references orders (order_id),
    charged    numeric(12, 2) not null check (charged > 0),
    amount     numeric(12, 2) not null check (amount > 0),
    reason     text not null check (reason in ('damaged', 'late', 'other')),
    note       text,
    check (amount <= charged),
    check ((reason = 'other') = (note is not null))
)
"""
