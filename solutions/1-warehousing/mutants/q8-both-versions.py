# answer: q8-model
# loses: q8-last-version
# why: Selects each version of a line.
model = """
select order_id, line_no, sold_on, amount, loaded_at
from arrived
where loaded_at > (select coalesce(max(loaded_at), 0) from fct)
"""
check = """
with counted as (
    select sold_on as day, count(*) as lines, sum(amount) as amount
    from arrived
    group by sold_on
)
select controls.day
from controls
left join counted using (day)
where controls.lines <> coalesce(counted.lines, 0)
    or controls.amount <> coalesce(counted.amount, 0)
"""
