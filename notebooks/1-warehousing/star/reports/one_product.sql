-- The versions of one product that lines refer to, its revenue by band and in all, and
-- how many of the versions that were heard of in time are missing or different now.
select
    count(distinct product_key) as versions,
    sum(amount) filter (price_band = '1 to 2') as "1 to 2",
    sum(amount) filter (price_band = '2 to 5') as "2 to 5",
    sum(amount) as dollars,
    (
        select count(*) from (from heard_in_time except from dim_product_versions)
    ) as versions_unlike_those_heard_in_time,
from fct_order_lines as lines
join dim_product_versions as versions using (product_key)
where versions.product_id = getvariable('product_id')
