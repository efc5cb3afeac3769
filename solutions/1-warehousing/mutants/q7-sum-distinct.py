# answer: q7-differences
# loses: q7-sums
# why: Cures the fan-out by sum(distinct), which takes equal amounts for one.
differences = """
with moved as (
    select order_id, case kind when 'refund' then -amount else amount end as amount
    from payments
    where status = 'succeeded'
)
select
    order_id,
    coalesce(sum(distinct l.amount), 0) as sold,
    coalesce(sum(distinct m.amount), 0) as moved,
from order_lines as l
full join moved as m using (order_id)
group by order_id
having sold <> moved
"""
