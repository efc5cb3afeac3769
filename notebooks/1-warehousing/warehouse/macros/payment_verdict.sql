{# Whether an order's payments say what its status says; if not, how they differ. #}
{% macro payment_verdict() %}
    case
        when status = 'paid' and refunded > 0 then 'unrecorded_refund'
        when status = 'paid' and charged > total then 'double_charge'
        when status = 'paid' and charged < total and charged_at_till = 0 then 'lost_charge'
        when status = 'paid' and charged < total then 'short_charge'
        when status = 'paid' then 'agrees'
        when status = 'placed' and charged <= total and refunded = 0 then 'agrees'
        when status = 'refunded' and charged = total and refunded = total then 'agrees'
        when status = 'partly_refunded' and charged = total and refunded > 0 and refunded < total
            then 'agrees'
        when status = 'payment_failed' and charged = 0 and refunded = 0 then 'agrees'
        else 'other'
    end
{%- endmacro %}
