"""What lessons show: tables that read the same in JupyterLab and in the book."""

from decimal import Decimal

import duckdb
import pandas as pd

from lab import show


def lines(answer) -> list[str]:
    return answer.data.splitlines()


def test_a_frame_becomes_a_table_with_readable_numbers():
    frame = pd.DataFrame({"order_id": [1234567], "lines": [1234567], "share": [0.5]})
    assert lines(show.table(frame)) == [
        "| order id | lines | share |",
        "| --: | --: | --: |",
        "| 1234567 | 1,234,567 | 0.50 |",
    ]


def test_missing_values_stay_empty_and_marks_are_escaped():
    frame = pd.DataFrame({"name": ["a|b", None], "price": ["$4", "$5"]})
    assert lines(show.table(frame))[2:] == [r"| a\|b | \$4 |", r"|  | \$5 |"]


def test_relations_cursors_and_dictionaries_are_tables_too():
    expected = ["| n | money |", "| --: | --: |", "| 1,000 | 2.50 |"]
    query = "select 1000 as n, 2.50::decimal(10, 2) as money"
    assert lines(show.table(duckdb.sql(query))) == expected
    assert lines(show.table(duckdb.connect().execute(query))) == expected
    assert lines(show.table([{"n": 1000, "money": Decimal("2.50")}])) == expected
