-- Each line gets the key of the version that was valid on its day.
alter table fct_order_lines add column if not exists product_key varchar;

create or replace table fct_order_lines as
select lines.* replace (versions.product_key as product_key),
from fct_order_lines as lines
left join dim_product_versions as versions
    on lines.product_id = versions.product_id
    and lines.ordered_on >= versions.valid_from
    and lines.ordered_on < versions.valid_to
order by order_id, line_no;
