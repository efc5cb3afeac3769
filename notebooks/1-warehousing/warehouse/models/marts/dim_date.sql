with digits as (
    {% for digit in range(10) %}select {{ digit }} as digit{% if not loop.last %} union all {% endif %}{% endfor %}
),

numbers as (
    select hundreds.digit * 100 + tens.digit * 10 + ones.digit as number
    from digits as hundreds
    cross join digits as tens
    cross join digits as ones
),

days as (
    select
        number,
        cast({{ dbt.dateadd('day', 'number', "cast('2017-01-01' as date)") }} as date) as day
    from numbers
    where number < 396
)

select
    day as date_day,
    cast(extract(year from day) as integer) as year,
    cast(extract(month from day) as integer) as month_of_year,
    {{ month_of('day') }} as month,
    -- The shop's weeks begin on Mondays; 2 January 2017 was one, and week 1 began the week before.
    cast(1 + floor((number + 6) / 7.0) as integer) as week,
    cast(1 + mod(number + 6, 7) as integer) as day_of_week,
    mod(number + 6, 7) >= 5 as is_weekend
from days
