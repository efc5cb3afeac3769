"""What is right: the five questions of the business, asked of the raw files by plain SQL.

Nothing here knows the lake, dbt or any engine but a fresh DuckDB: it is what their answers are
compared with.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
from warehouse import lake

from lab import datasets
from lab.errors import LabError

# Lines as the source has them, on the shop's own days; money in cents that can be summed.
RAW = """
create table line as
select
    household_id as customer_id,
    basket_id as order_id,
    product_id,
    sales_value::decimal(12, 2) as amount,
    timezone('America/New_York', timezone('UTC', transaction_timestamp))::date as day,
    date_trunc('month', day)::date as month,
from read_parquet($transactions)
where month between $first and $last;

create table basket as
select
    order_id,
    any_value(customer_id) as customer_id,
    any_value(day) as day,
    any_value(month) as month,
    sum(amount) as amount,
from line
group by order_id;
"""

RIGHT = {
    "revenue_by_month": """
        with buyer as (
            select customer_id, month, count(*) as orders, sum(amount) as amount,
                month > min(month) over (partition by customer_id) as is_returning,
            from basket group by customer_id, month
        )
        select
            month, sum(orders) as orders, count(*) as customers,
            count(*) filter (is_returning) as returning_customers,
            returning_customers / customers as returning_share,
            count(*) filter (orders > 1) as repeat_customers,
            repeat_customers / customers as repeat_share,
            sum(amount) as revenue,
            coalesce(sum(amount) filter (is_returning), 0) as returning_revenue,
        from buyer group by month order by month""",
    "cohort_retention": """
        with buyer as (select distinct customer_id, month from basket),
        cohort as (
            select customer_id, min(month) as cohort_month from buyer group by customer_id
        ),
        size as (
            select cohort_month, count(*) as cohort_customers from cohort group by cohort_month
        ),
        active as (
            select cohort_month, month, count(*) as customers
            from buyer join cohort using (customer_id) group by cohort_month, month
        )
        select cohort_month, date_diff('month', cohort_month, months.month) as age_months,
            cohort_customers,
            coalesce(active.customers, 0) as active_customers,
            active_customers / cohort_customers as retention,
        from size join (select distinct month from buyer) as months on months.month >= cohort_month
        left join active using (cohort_month, month)
        order by cohort_month, age_months""",
    "basket_affinity": """
        with item as (
            select distinct order_id, product_category as category
            from line join read_parquet($products) as product
                on product.product_id::integer = line.product_id
            where product_category is not null
                and product_type is distinct from 'GASOLINE-REG UNLEADED'
        ),
        total as (select count(*) as orders from basket),
        often as (
            select category, count(*) as baskets from item group by category
            having count(*) >= 0.01 * (select orders from total)
        ),
        pair as (
            select a.category as category_a, b.category as category_b, count(*) as baskets_both,
            from item as a join item as b on a.order_id = b.order_id and a.category < b.category
            where a.category in (select category from often)
                and b.category in (select category from often)
            group by a.category, b.category
        )
        select category_a, category_b, a.baskets as baskets_a, b.baskets as baskets_b, baskets_both,
            baskets_both / orders as support,
            baskets_both / baskets_a as confidence,
            confidence / (baskets_b / orders) as lift,
        from pair
        join often as a on a.category = category_a
        join often as b on b.category = category_b
        cross join total
        where baskets_both >= 0.01 * orders
        order by category_a, category_b""",
    "campaign_effect": """
        with known as (select min(day) as first_day, max(day) as last_day from basket),
        campaign as (
            select campaign_id, campaign_type, start_date::date as starts_on,
            from read_parquet($campaign_descriptions), known
            where start_date::date - 28 >= first_day and start_date::date + 27 <= last_day
        ),
        household as (
            select campaign.*, customer_id,
                customer_id in (
                    select household_id from read_parquet($campaigns) as sent
                    where sent.campaign_id = campaign.campaign_id
                ) as got_it,
            from campaign, (select distinct customer_id from basket)
        ),
        spent as (
            select campaign_id, campaign_type, starts_on, got_it, customer_id,
                coalesce(sum(amount) filter (day < starts_on), 0) as before,
                coalesce(sum(amount) filter (day >= starts_on), 0) as during,
            from household join basket using (customer_id)
            where day between starts_on - 28 and starts_on + 27
            group by all
        ),
        size as (
            select campaign_id,
                count(*) filter (got_it) as recipients,
                count(*) filter (not got_it) as others,
            from household group by campaign_id
        ),
        side as (
            select campaign_id, campaign_type, starts_on,
                coalesce(sum(before) filter (got_it), 0) as recipients_before,
                coalesce(sum(during) filter (got_it), 0) as recipients_during,
                coalesce(sum(before) filter (not got_it), 0) as others_before,
                coalesce(sum(during) filter (not got_it), 0) as others_during,
            from spent group by all
        )
        select campaign_id, campaign_type, starts_on, recipients, others,
            recipients_before, recipients_during, others_before, others_during,
            recipients_during / recipients - others_during / others as against_others,
            (recipients_during - recipients_before) / recipients as against_before,
            against_before - (others_during - others_before) / others as against_both,
        from side join size using (campaign_id) order by campaign_id""",
    "payment_mismatches": """
        with payment as (
            select
                order_id,
                coalesce(sum(amount) filter (kind = 'charge' and status <> 'failed'), 0) as charged,
                count(*) filter (
                    kind = 'charge' and status <> 'failed' and method <> 'coupon'
                ) as charges,
                coalesce(sum(amount) filter (kind = 'refund'), 0) as refunded,
            from read_parquet($payments) where created_at < $until group by order_id
        ),
        later as (
            select order_id, bool_or(kind = 'charge') as charge_later,
            from read_parquet($payments) where created_at >= $until group by order_id
        ),
        known as (
            select order_id, day as ordered_on, total, charged, charges, refunded,
                case
                    when charge_later then 'placed'
                    when not charge_later then 'paid'
                    else status
                end as status,
            from read_parquet($orders) join basket using (order_id)
            left join payment using (order_id) left join later using (order_id)
        )
        select order_id, ordered_on, status,
            case
                when refunded > 0 then 'unrecorded_refund'
                when charged > total then 'double_charge'
                when coalesce(charges, 0) = 0 then 'lost_charge'
                else 'short_charge'
            end as fault,
            total, coalesce(charged, 0) as charged, coalesce(refunded, 0) as refunded,
            coalesce(charged, 0) - coalesce(refunded, 0) - total as difference,
        from known
        where status = 'paid' and difference <> 0
        order by order_id""",
}
# What tells one row of an answer from another.
KEYS = {
    "revenue_by_month": ["month"],
    "cohort_retention": ["cohort_month", "age_months"],
    "basket_affinity": ["category_a", "category_b"],
    "campaign_effect": ["campaign_id"],
    "payment_mismatches": ["order_id"],
}
RATIOS = {
    "returning_share", "repeat_share", "retention", "support", "confidence", "lift",
    "against_others", "against_before", "against_both",
}  # fmt: skip
MONEY = {
    "revenue", "returning_revenue", "recipients_before", "recipients_during", "others_before",
    "others_during", "total", "charged", "refunded", "difference",
}  # fmt: skip


def right(question: str, first: str = lake.FIRST, last: str = lake.LAST) -> pd.DataFrame:
    """The right answer to a question, for a shop that was open from one month to another.

    Args:
        question: one of `RIGHT`.
        first: the first month, such as "2017-03".
        last: the last month; what was paid after it is not known yet.

    Returns:
        Rows in the order of their key; money as Decimal, shares as float.
    """
    if question not in RIGHT:
        raise LabError(f"There is no question {question!r}: there are {', '.join(RIGHT)}.")
    files = {
        "transactions": "transactions",
        "products": "products",
        "campaigns": "campaigns",
        "campaign_descriptions": "campaign_descriptions",
        "orders": "shop_orders",
        "payments": "shop_payments",
    }
    values = {name: f"'{datasets.path(dataset).as_posix()}'" for name, dataset in files.items()}
    values |= {
        name: f"date '{lake.days(month)[0]}'" for name, month in (("first", first), ("last", last))
    }
    values |= {"until": f"timestamp '{lake.after(last)}'"}
    with duckdb.connect() as fresh:
        fresh.execute("set enable_progress_bar = false")
        fresh.execute(_filled(RAW, values))
        return (
            fresh.execute(_filled(RIGHT[question], values))
            .df(date_as_object=True)
            .pipe(_plain, question)
        )


def same(question: str, answer: Any, expected: pd.DataFrame) -> int:
    """Compare an engine's answer with the right one: money to the cent, shares to nine digits.

    Args:
        question: one of `RIGHT`.
        answer: rows of any engine in any order: a DataFrame, an Arrow table or a list of dicts.
        expected: what `right` returned.

    Returns:
        How many rows agree: all.

    Raises:
        LabError: at the first difference, with its row and column.
    """
    if hasattr(answer, "to_pandas"):
        answer = answer.to_pandas()
    found = pd.DataFrame(answer)
    found.columns = [str(column).lower() for column in found.columns]
    if missing := set(expected.columns) - set(found.columns):
        raise LabError(f"{question}: the answer lacks {', '.join(sorted(missing))}.")
    found, expected = (_plain(table[expected.columns], question) for table in (found, expected))
    key = KEYS[question]
    rows, right_rows = (
        {tuple(row[c] for c in key): row for row in t.to_dict("records")} for t in (found, expected)
    )
    if len(rows) < len(found):
        raise LabError(
            f"{question}: {len(found) - len(rows)} rows of the answer repeat a {' and '.join(key)}."
        )
    for name, wrong in (
        ("lacks", right_rows.keys() - rows.keys()),
        ("has too much", rows.keys() - right_rows.keys()),
    ):
        if wrong:
            raise LabError(
                f"{question}: the answer {name}: {len(wrong)} rows, such as {min(wrong, key=str)}."
            )
    for place, row in right_rows.items():
        for column, value in row.items():
            got = rows[place][column]
            if not (
                abs(got - value) <= 1e-9 * max(1.0, abs(value))
                if column in RATIOS
                else got == value
            ):
                raise LabError(f"{question}, {place}: {column} is {got}, not {value}.")
    return len(rows)


def _filled(query: str, values: dict[str, str]) -> str:
    for name in sorted(values, key=len, reverse=True):
        query = query.replace(f"${name}", values[name])
    return query


def _plain(table: pd.DataFrame, question: str) -> pd.DataFrame:
    """The table with one type a kind of column, whichever engine it came from, in order."""

    def plain(column: str, value: Any) -> Any:
        if column in RATIOS:
            return float(value)
        if column in MONEY:
            return Decimal(str(value)).quantize(Decimal("0.01"))
        if column in ("month", "cohort_month", "starts_on", "ordered_on"):
            return pd.Timestamp(value).date()
        return value if isinstance(value, str) else int(value)

    table = pd.DataFrame(
        {
            c: pd.Series([plain(c, v) for v in table[c]], dtype=float if c in RATIOS else object)
            for c in table.columns
        }
    )
    return table.sort_values(KEYS[question], ignore_index=True)
