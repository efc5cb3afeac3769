select
    basket_id,
    min(day) as day,
    count(*) as lines,
    sum(amount) as amount
from {{ ref("stg_lines") }}
group by basket_id
