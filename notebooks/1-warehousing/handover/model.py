"""The fourth hand-over: from the warehouse to a model that says who will come again."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = ["days_since_last", "baskets", "dollars"]
HORIZON = timedelta(days=7)

# Everything known of a household on the evening of a day, from the eight weeks before it.
AS_OF = """
    select
        customer_id,
        date_diff('day', max(day), getvariable('known_until')) as days_since_last,
        count(*) as baskets,
        sum(total)::double as dollars
    from baskets
    where day > getvariable('known_until') - 56 and day <= getvariable('known_until')
    group by customer_id
    order by customer_id"""
CAME = """
    select distinct customer_id from baskets
    where day > getvariable('evening') and day <= getvariable('evening') + getvariable('horizon')"""


def examples(
    db: duckdb.DuckDBPyConnection, evening: date, known_until: date | None = None
) -> pd.DataFrame:
    """One row a household: what was known, and whether it came in the seven days after.

    Args:
        db: has a table `baskets` (customer_id, day, total).
        evening: the day after which the answer counts.
        known_until: the last day that the features may see; `evening`, unless you mean to cheat.
    """
    db.execute("set variable evening = ?", [evening])
    db.execute("set variable known_until = ?", [known_until or evening])
    db.execute("set variable horizon = ?", [HORIZON.days])
    households = db.execute(AS_OF).df()
    households["came"] = households.customer_id.isin(db.execute(CAME).df().customer_id)
    return households


def train(households: pd.DataFrame) -> Pipeline:
    """Fit a logistic regression on scaled features."""
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return model.fit(households[FEATURES], households.came)


def accuracy(model: Pipeline, households: pd.DataFrame) -> float:
    """The share of households of which the model says rightly whether they came."""
    return float(model.score(households[FEATURES], households.came))


def guess(households: pd.DataFrame) -> float:
    """The same share for the simplest rule: all will do what most did."""
    return float(max(households.came.mean(), 1 - households.came.mean()))
