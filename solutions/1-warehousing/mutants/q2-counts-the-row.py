# answer: q2-features
# loses: q2-every-household
# why: Counts the row that an outer join leaves as a basket.
features = """
select
    asked.customer_id,
    asked.evening,
    count(*) as baskets,
    coalesce(sum(total), 0) as dollars,
from asked
left join baskets
    on asked.customer_id = baskets.customer_id
    and sold_on > evening - 56
    and sold_on <= evening
    and arrived_on <= evening
group by asked.customer_id, asked.evening
"""
