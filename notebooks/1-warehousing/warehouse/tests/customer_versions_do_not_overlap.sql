-- On any day a customer is described by one version, or facts would fan out.
select
    earlier.customer_id,
    earlier.valid_from,
    later.valid_from as overlapped_by
from {{ ref('dim_customer') }} as earlier
inner join {{ ref('dim_customer') }} as later
    on earlier.customer_id = later.customer_id
    and earlier.valid_from < later.valid_from
    and earlier.valid_to > later.valid_from
