# answer: q7-differences
# loses: q7-what-moved
# why: Counts payments that failed.
differences = """
with sold as (
    select order_id, sum(amount) as sold
    from order_lines
    group by order_id
),
moved as (
    select order_id, sum(case kind when 'refund' then -amount else amount end) as moved
    from payments
    group by order_id
)
select order_id, coalesce(sold, 0) as sold, coalesce(moved, 0) as moved
from sold
full join moved using (order_id)
where coalesce(sold, 0) <> coalesce(moved, 0)
"""
