# answer: q7-differences
# loses: q7-sums
# why: Joins row by row, as the lesson's first query did.
differences = """
with moved as (
    select order_id, case kind when 'refund' then -amount else amount end as amount
    from payments
    where status = 'succeeded'
)
select
    order_id,
    coalesce(sum(l.amount), 0) as sold,
    coalesce(sum(m.amount), 0) as moved,
from order_lines as l
full join moved as m using (order_id)
group by order_id
having sold <> moved
"""
