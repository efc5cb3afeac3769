{# Some columns together name a row: the grain of a table that has no single key. #}
{% test unique_together(model, columns) %}

select {{ columns | join(', ') }}, count(*) as copies
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
