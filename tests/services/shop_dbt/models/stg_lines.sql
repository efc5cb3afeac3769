{{ config(materialized="view") }}
select
    basket_id,
    line,
    product_id,
    cast(amount as numeric(10, 2)) as amount,
    cast(day as date) as day
from {{ ref("lines") }}
