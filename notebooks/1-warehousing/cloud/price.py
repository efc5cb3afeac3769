"""What a month of questions costs: measured bytes and seconds, and prices from one file.

Nothing here is a quotation. Prices are lists, before discounts; the formulas leave out what the
month of a small shop does not touch: transfers between regions, streaming, replicas, support.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pandas as pd

GIB, TIB, HOUR = 2**30, 2**40, 3600
PRICES = Path(__file__).with_name("prices.toml")


def prices(file: Path = PRICES) -> dict[str, dict[str, Any]]:
    """The unit prices by vendor, with what is yours to choose among them."""
    read = tomllib.loads(file.read_text(encoding="utf-8"))
    return {vendor: entry | entry.get("yours", {}) for vendor, entry in read.items()}


def bigquery(asked: pd.DataFrame, stored: int, price: dict[str, Any]) -> float:
    """Dollars a month: bytes billed beyond the free ones, and bytes stored.

    Args:
        asked: one row a question: `times` a month, `billed` bytes each time.
        stored: bytes of the tables.
    """
    tib = (asked.times * asked.billed).sum() / TIB
    return (
        max(0.0, tib - price["free_tib_a_month"]) * price["dollars_per_tib"]
        + stored / GIB * price["dollars_per_gib_month"]
    )


def redshift(asked: pd.DataFrame, stored: int, price: dict[str, Any]) -> float:
    """Dollars a month: seconds of work, each run rounded up to the smallest, and bytes stored.

    Args:
        asked: one row a question: `times` a month, `seconds` each time.
        stored: bytes of the tables.
    """
    seconds = (asked.times * asked.seconds.clip(lower=price["smallest_run_seconds"])).sum()
    return (
        seconds / HOUR * price["rpu"] * price["dollars_per_rpu_hour"]
        + stored / GIB * price["dollars_per_gib_month"]
    )


def snowflake(asked: pd.DataFrame, stored: int, price: dict[str, Any]) -> float:
    """Dollars a month: seconds that the warehouse is awake, idle ones too, and bytes stored.

    Args:
        asked: one row a question: `times` a month, `seconds` each time; each wakes the warehouse.
        stored: bytes of the tables.
    """
    awake = (asked.seconds + price["suspend_after_seconds"]).clip(
        lower=price["smallest_run_seconds"]
    )
    return (asked.times * awake).sum() / HOUR * price["credits_per_hour"] * price[
        "dollars_per_credit"
    ] + stored / TIB * price["dollars_per_tib_month"]
