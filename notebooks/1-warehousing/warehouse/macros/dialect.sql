{# What the engines write differently, each in one place. Models hold no `if target.type`. #}

{# A moment in UTC, without zone, as the shop's clocks show it. #}
{% macro shop_time(moment) %}{{ return(adapter.dispatch('shop_time')(moment)) }}{% endmacro %}

{% macro default__shop_time(moment) %}((({{ moment }}) at time zone 'UTC') at time zone 'America/New_York'){% endmacro %}

{% macro bigquery__shop_time(moment) %}datetime(timestamp({{ moment }}), 'America/New_York'){% endmacro %}

{% macro snowflake__shop_time(moment) %}convert_timezone('UTC', 'America/New_York', {{ moment }}){% endmacro %}

{# A moment written down: '2017-12-31 05:00:00', UTC. #}
{% macro moment(text) %}cast('{{ text }}' as {{ dbt.type_timestamp() }}){% endmacro %}

{# The type of dollars: decimal, never floating point. #}
{% macro money(expression) %}cast({{ expression }} as {{ adapter.dispatch('money_type')() }}){% endmacro %}

{% macro default__money_type() %}numeric(18, 2){% endmacro %}

{% macro bigquery__money_type() %}numeric{% endmacro %}

{# A share or a rate: a floating-point number, null where there is nothing to divide by. #}
{% macro ratio(part, whole) %}(cast({{ part }} as {{ adapter.dispatch('double_type')() }}) / nullif({{ whole }}, 0)){% endmacro %}

{% macro default__double_type() %}double precision{% endmacro %}

{% macro bigquery__double_type() %}float64{% endmacro %}

{# First day of the month of a date. #}
{% macro month_of(day) %}cast({{ dbt.date_trunc('month', day) }} as date){% endmacro %}

{# Months from one first-of-month to another. #}
{% macro months_between(first, last) %}((extract(year from {{ last }}) - extract(year from {{ first }})) * 12
        + extract(month from {{ last }}) - extract(month from {{ first }})){% endmacro %}

{# A key that the warehouse makes itself, from what makes a row one of its kind. #}
{% macro surrogate_key(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append('cast(' ~ column ~ ' as ' ~ dbt.type_string() ~ ')') -%}
    {%- endfor -%}
    {{ dbt.hash(parts | join(" || '|' || ")) }}
{%- endmacro %}

{# What a planner should know of a table that was just written. PostgreSQL plans by guesses until it is told. #}
{% macro know_the_table() %}{{ return(adapter.dispatch('know_the_table')()) }}{% endmacro %}

{% macro default__know_the_table() %}{% endmacro %}

{% macro postgres__know_the_table() %}analyze {{ this }}{% endmacro %}
