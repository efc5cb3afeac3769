{{ config(materialized="incremental", unique_key="day") }}
select
    day,
    count(*) as baskets,
    sum(amount) as amount
from {{ ref("baskets") }}
{% if is_incremental() %}
where day >= (select max(day) from {{ this }})
{% endif %}
group by day
