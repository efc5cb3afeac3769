-- In each window the lake has the lines that the shop's database counted there: names the window that lacks some.
with controls as (
    select * from {{ source('lake', 'controls') }}
    where {{ loaded() }}
),

lines as (
    select
        loaded_at,
        count(*) as lines,
        sum(amount) as amount
    from {{ ref('stg_order_lines') }}
    group by loaded_at
)

select
    controls.first_day,
    controls.last_day,
    controls.lines as lines_of_shop,
    coalesce(lines.lines, 0) as lines_of_lake,
    controls.amount as amount_of_shop,
    coalesce(lines.amount, 0) as amount_of_lake
from controls
left join lines on controls.loaded_at = lines.loaded_at
where controls.lines <> coalesce(lines.lines, 0)
    or controls.amount <> coalesce(lines.amount, 0)
