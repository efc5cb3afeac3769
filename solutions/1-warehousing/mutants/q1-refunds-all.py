# answer: q1-refunds
# loses: q1-two-columns
# why: Forgets to compare the amount with the charge.
ddl = """
create table refunds (
    refund_id  bigint primary key,
    order_id   bigint not null references orders (order_id),
    charged    numeric(12, 2) not null check (charged > 0),
    amount     numeric(12, 2) not null check (amount > 0),
    reason     text not null check (reason in ('damaged', 'late', 'other')),
    note       text,
    check ((reason = 'other') = (note is not null))
)
"""
