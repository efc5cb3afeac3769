{{ config(materialized="view") }}
select
    basket_id,
    line,
    product_id,
    cast(amount as numeric) as amount,
    cast(day as date) as day
from {{ ref("lines") }}
