-- On any day one version describes a product, or its lines are counted once a version.
select
    earlier.product_id,
    earlier.valid_from,
    earlier.valid_to,
    later.valid_from as overlapped_from,
from dim_product_versions as earlier
join dim_product_versions as later
    on earlier.product_id = later.product_id
    and earlier.product_key <> later.product_key
    and earlier.valid_from <= later.valid_from
    and earlier.valid_to > later.valid_from
order by all
