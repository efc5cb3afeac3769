-- Each way's total, and how many of its dollars stand in a wrong department.
with known as (
    from coupons where way = 'as the tills know it'
),
cells as (
    from (select distinct way from coupons), (select distinct department from coupons)
)
select
    way,
    sum(coupons.dollars) as coupons,
    coalesce(
        sum(greatest(coalesce(coupons.dollars, 0) - coalesce(known.dollars, 0), 0)), 0
    ) as in_a_wrong_department,
from cells
left join coupons using (way, department)
left join known using (department)
group by all
order by in_a_wrong_department desc, way
