-- A change that arrives late: `product_id` has cost `shelf_price` since the day
-- `changed_on`. All of it or nothing. A second run finds no version to split, and does
-- nothing.
begin transaction;

create temporary table split as
from dim_product_versions
where product_id = getvariable('product_id')
    and valid_from < getvariable('changed_on') and getvariable('changed_on') < valid_to;

update dim_product_versions
set valid_to = getvariable('changed_on'), is_current = false
where product_key in (select product_key from split);

insert into dim_product_versions
select
    version_key(product_id, getvariable('changed_on')),
    product_id,
    getvariable('changed_on'),
    valid_to,
    is_current,
    getvariable('shelf_price'),
    price_band(getvariable('shelf_price')),
from split;

update fct_order_lines
set product_key = version_key(product_id, getvariable('changed_on'))
where product_key in (select product_key from split)
    and ordered_on >= getvariable('changed_on');

drop table split;

commit;
