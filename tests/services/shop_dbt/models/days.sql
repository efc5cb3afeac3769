{#- The emulator of Snowflake can't do the MERGE that dbt writes: its column names are ambiguous there. -#}
{{
    config(
        materialized="incremental",
        unique_key="day",
        incremental_strategy="delete+insert" if target.type == "snowflake" else none,
    )
}}
select
    day,
    count(*) as baskets,
    sum(amount) as amount
from {{ ref("baskets") }}
{% if is_incremental() %}
where day >= (select max(day) from {{ this }})
{% endif %}
group by day
