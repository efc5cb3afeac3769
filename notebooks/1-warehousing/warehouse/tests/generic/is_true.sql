{# An expression holds in each row. Unknown is not true. #}
{% test is_true(model, expression, column_name=none) %}

select *
from {{ model }}
where not coalesce({{ expression }}, false)

{% endtest %}
