{# What the warehouse may see: all that was loaded, or what was loaded until `now`. #}
{% macro loaded() %}{% if var('now') %}loaded_at <= {{ moment(var('now')) }}{% else %}1 = 1{% endif %}{% endmacro %}

{#
  In an incremental run, what was loaded since the last one; otherwise everything.
  By the time of loading, not of sale: a row may come days after it happened, and is still new.
#}
{% macro is_new() %}
    {%- if is_incremental() -%}
        loaded_at > (select coalesce(max(loaded_at), {{ moment('1900-01-01 00:00:00') }}) from {{ this }})
    {%- else -%}
        1 = 1
    {%- endif -%}
{% endmacro %}

{# Which run wrote a row: shows what an incremental run has worked on. #}
{% macro written_by() %}cast('{{ invocation_id }}' as {{ dbt.type_string() }}){% endmacro %}

{# Freshness and snapshots ask what time it is. In a shop that lives in 2017, `now` says so. #}
{% macro current_timestamp() %}
    {%- if var('now') -%}{{ moment(var('now')) }}
    {%- else -%}{{ adapter.dispatch('current_timestamp', 'dbt')() }}
    {%- endif -%}
{% endmacro %}
