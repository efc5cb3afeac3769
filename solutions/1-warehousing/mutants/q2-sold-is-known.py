# answer: q2-features
# loses: q2-known
# why: Goes by the day of sale, as if each basket arrived at once.
features = """
select
    asked.customer_id,
    asked.evening,
    count(baskets.customer_id) as baskets,
    coalesce(sum(total), 0) as dollars,
from asked
left join baskets
    on asked.customer_id = baskets.customer_id
    and sold_on > evening - 56
    and sold_on <= evening
group by asked.customer_id, asked.evening
"""
