# answer: q2-features
# loses: q2-known
# why: Counts the 56 days from the arrival.
features = """
select
    asked.customer_id,
    asked.evening,
    count(baskets.customer_id) as baskets,
    coalesce(sum(total), 0) as dollars,
from asked
left join baskets
    on asked.customer_id = baskets.customer_id
    and arrived_on > evening - 56
    and arrived_on <= evening
group by asked.customer_id, asked.evening
"""
