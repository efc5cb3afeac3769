"""The five answers as figures for a manager, each with the words that stand for it."""

from __future__ import annotations

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
from plotly.subplots import make_subplots

Figure = tuple[go.Figure, str]


def revenue_by_month(answer: pd.DataFrame) -> Figure:
    """Revenue of new and returning households, and how many bought more than once."""
    t = answer.astype({"revenue": float, "returning_revenue": float})
    month = pd.to_datetime(t.month)
    fig = make_subplots(rows=2, shared_xaxes=True, row_heights=[0.65, 0.35], vertical_spacing=0.08)
    new = t.revenue - t.returning_revenue
    fig.add_bar(x=month, y=t.returning_revenue / 1000, name="returning households", row=1, col=1)
    fig.add_bar(x=month, y=new / 1000, name="first month in our data", row=1, col=1)
    share = 100 * t.repeat_share
    fig.add_scatter(x=month, y=share, name="bought more than once", row=2, col=1)
    fig.update_layout(barmode="stack", height=500, legend={"orientation": "h", "y": 1.12})
    fig.update_xaxes(title="month of 2017", dtick="M1", tickformat="%b")
    fig.update_xaxes(title=None, row=1, col=1, showticklabels=False)
    fig.update_yaxes(title="revenue,<br>thousand dollars", row=1, col=1)
    fig.update_yaxes(title="share of<br>households, %", range=[0, 100], row=2, col=1)
    best, least = t.loc[t.revenue.idxmax()], t.loc[t.revenue.idxmin()]
    alt = (
        f"Revenue a month lies between {least.revenue:,.0f} dollars in {_name(least.month)} and "
        f"{best.revenue:,.0f} in {_name(best.month)}. From {share.min():.0f} to {share.max():.0f} "
        "percent of a month's households bought more than once in it."
    )
    return fig, alt


def cohort_retention(answer: pd.DataFrame) -> Figure:
    """Of households by month of their first order, the share that still buys."""
    t = answer.infer_objects().sort_values(["cohort_month", "age_months"])
    t["cohort"] = [
        f"{_name(month)} ({size:,})"
        for month, size in zip(t.cohort_month, t.cohort_customers, strict=True)
    ]
    grid = (100 * t.pivot(index="cohort", columns="age_months", values="retention")).loc[
        t.cohort.unique()
    ]
    fig = px.imshow(grid, text_auto=".0f", aspect="auto", color_continuous_scale="Blues")
    fig.update_layout(coloraxis_colorbar_title="% active", height=480)
    fig.update_xaxes(title="months since the first order", dtick=1)
    fig.update_yaxes(title="month of the first order (households)")
    first = t[t.cohort_month == t.cohort_month.min()]
    later = t[(t.age_months == 1) & (t.cohort_month > t.cohort_month.min())]
    mean = 100 * later.active_customers.sum() / later.cohort_customers.sum()
    alt = (
        f"Of {first.cohort_customers.iloc[0]:,} households that first appear in "
        f"{_name(first.cohort_month.iloc[0])}, {100 * first.retention.iloc[-1]:.0f} percent bought "
        f"in the last month. Of those that came later, {mean:.0f} percent bought in their second."
    )
    return fig, alt


def basket_affinity(answer: pd.DataFrame, most: int = 12) -> Figure:
    """The pairs of categories that share a basket most beyond chance."""
    top = answer.infer_objects().nlargest(most, "lift").iloc[::-1]
    pair = top.category_a.str.capitalize() + " + " + top.category_b.str.lower()
    fig = px.bar(x=top.lift, y=pair, orientation="h", text=top.lift.map("{:.1f}".format))
    fig.update_xaxes(title="times as often together as by chance (lift)")
    fig.update_yaxes(title="two categories in one basket")
    fig.update_layout(height=500)
    alt = (
        f"The {most} strongest pairs. {pair.iloc[-1]} share a basket {top.lift.iloc[-1]:.1f} times "
        f"as often as by chance; the last of them, {pair.iloc[0]}, {top.lift.iloc[0]:.1f} times."
    )
    return fig, alt


SYMBOLS = ("circle", "diamond", "square")
ESTIMATES = {
    "against_others": "recipients less others",
    "against_before": "recipients, less their four weeks before",
    "against_both": "change of recipients less change of others",
}


def campaign_effect(answer: pd.DataFrame, least: int = 100) -> Figure:
    """Three estimates of what a campaign brought, for campaigns that went to enough households."""
    t = answer.infer_objects()
    t = t[t.recipients >= least].sort_values("starts_on", ascending=False)
    label = [
        f"{c} ({k[-1]}, {n:,})"
        for c, k, n in zip(t.campaign_id, t.campaign_type, t.recipients, strict=True)
    ]
    fig = go.Figure()
    for symbol, (column, name) in zip(SYMBOLS, ESTIMATES.items(), strict=True):
        marker = {"symbol": symbol, "size": 10}
        fig.add_scatter(x=t[column], y=label, name=name, mode="markers", marker=marker)
    fig.add_vline(x=0, line_dash="dot")
    fig.update_xaxes(title="effect in four weeks, dollars a household")
    fig.update_yaxes(title="campaign (type, households)", type="category")
    fig.update_layout(height=560, legend={"orientation": "h", "y": 1.14})
    middle = t[list(ESTIMATES)].astype(float).median()
    alt = (
        f"{len(t)} campaigns that at least {least} households got. The middle of the estimates is "
        f"{middle.against_others:,.2f} dollars a household against others, "
        f"{middle.against_before:,.2f} against their own four weeks before, and "
        f"{middle.against_both:,.2f} against both."
    )
    return fig, alt


FAULTS = {
    "double_charge": "charged twice",
    "short_charge": "charged short",
    "lost_charge": "charge lost",
    "unrecorded_refund": "refund not recorded",
}


def payment_mismatches(answer: pd.DataFrame) -> Figure:
    """Dollars that payments and orders disagree about, by what is wrong."""
    t = answer.groupby("fault").difference.agg(["sum", "size"]).loc[list(FAULTS)]
    t = t.astype({"sum": float})
    names = list(FAULTS.values())
    text = [f"{n} orders" for n in t["size"]]
    fig = px.bar(x=names, y=t["sum"], text=text)
    fig.update_xaxes(title="what is wrong")
    fig.update_yaxes(title="paid less owed, dollars")
    each = "; ".join(
        f"{name}: {n} orders, {dollars:+,.2f} dollars"
        for name, n, dollars in zip(names, t["size"], t["sum"], strict=True)
    )
    return fig, f"{t['size'].sum()} orders whose payments contradict them. {each}."


def _name(month: object) -> str:
    return pd.Timestamp(month).strftime("%B")  # type: ignore[arg-type]
