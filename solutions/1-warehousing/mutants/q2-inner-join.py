# answer: q2-features
# loses: q2-every-household
# why: Joins inwards, so households without baskets are gone.
features = """
select
    asked.customer_id,
    asked.evening,
    count(baskets.customer_id) as baskets,
    coalesce(sum(total), 0) as dollars,
from asked
join baskets
    on asked.customer_id = baskets.customer_id
    and sold_on > evening - 56
    and sold_on <= evening
    and arrived_on <= evening
group by asked.customer_id, asked.evening
"""
