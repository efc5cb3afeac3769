-- Revenue by price band: as the price was on the day of sale, and where it is counted
-- when today's price is asked instead.
with banded as (
    select
        amount,
        was.price_band,
        price_band(today.shelf_price) as band_today,
    from fct_order_lines as lines
    join dim_product_versions as was using (product_key)
    join dim_product as today on lines.product_id = today.product_id
)
select
    coalesce(price_band, 'all') as price_band,
    sum(amount) as as_it_was,
    sum(amount) filter (band_today = banded.price_band) as in_this_band_today,
    sum(amount) filter (band_today <> banded.price_band) as elsewhere_today,
from banded
group by rollup (banded.price_band)
order by grouping(banded.price_band), price_band
