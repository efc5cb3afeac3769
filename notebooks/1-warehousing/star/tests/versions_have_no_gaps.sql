-- A version begins on the day on which the one before it ends, or lines of that day get
-- no key.
select product_id, valid_to as gap_from, next_from as gap_to,
from (
    select
        *,
        lead(valid_from) over (
            partition by product_id order by valid_from
        ) as next_from,
    from dim_product_versions
)
where valid_to < next_from
    or (next_from is null and valid_to < date '9999-12-31')
order by all
