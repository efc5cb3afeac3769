# answer: q8-model
# loses: q8-check
# why: Compares dollars only, and a line of 0 is not missed.
model = """
select order_id, line_no, sold_on, amount, loaded_at
from arrived
where loaded_at > (select coalesce(max(loaded_at), 0) from fct)
qualify row_number() over (partition by order_id, line_no order by loaded_at desc) = 1
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
where controls.amount <> coalesce(counted.amount, 0)
"""
