"""Who brings the revenue: how far it is concentrated, which segments bring it, what is at risk.

Shares are of money: their limits take customers, not their money, as drawn.
"""

import polars as pl
from scipy.stats import norm

from retention import charts
from retention.disclosure import LARGEST
from retention.exhibit import Exhibit, Finding, said_of
from retention.refresh import Refresh
from retention.tables import task
from retention.value import forecasts
from retention.value.forecasts import Known

NONE, GONE = "in no segment", "no longer a customer"
TOPS = (1, 5, 10, 20, 50)  # per cent of customers, those who bring most first
AMOUNT, VALUE = "amount of the last year", "expected value"
MONEY = ("amount_cents", "value_cents", "at_risk_cents")
COMPARED = {"share_of_customers": "customers", "share_of_amount": AMOUNT, "share_of_value": VALUE}
GATE = {
    "open": "The risk has passed its test.",
    "closed": "The risk has not passed its test: a rough order, not a sum.",
    "untested": "(untested)",
}


def revenue(r: Refresh, known: Known, values: pl.DataFrame) -> pl.DataFrame:
    """What everybody paid in the last year, is worth, and has at risk (see `customers`)."""
    paid = forecasts.paid(known.past, r.day)
    current, risks = r.tables.customers_at.filter(standing="current"), r.tables.risk_scores
    if r.tables.risk_gate["verdict"].item() != "open":
        risks = risks.with_columns(risk=pl.lit(None, pl.Float64))
    return customers(paid, values, risks, current)


def customers(
    paid: pl.DataFrame, value: pl.DataFrame, risks: pl.DataFrame, current: pl.DataFrame
) -> pl.DataFrame:
    """Everybody who paid, is worth something or is at risk: one row per customer, in order.

    Takes   paid: customer_id, amount_cents (of the last year); the tables value and risk_scores;
            current: customer_id of the current ones
    Returns customer_id, current, amount_cents, value_cents (0 where not known), judged (whether
            value and risk are known), at_risk_cents (0 where not both are)
    """
    value, risks = value.select("customer_id", "value_cents"), risks.select("customer_id", "risk")
    current = current.select("customer_id", current=True)
    everybody = pl.concat([table.select("customer_id") for table in (paid, value, current)])
    table = everybody.unique().sort("customer_id")
    for known in (paid, value, risks, current):
        table = table.join(known, on="customer_id", how="left", maintain_order="left")
    cents = pl.col("value_cents").fill_null(0)
    return table.select(
        "customer_id",
        pl.col("current").fill_null(False),
        pl.col("amount_cents").fill_null(0),
        cents,
        pl.all_horizontal(pl.col("risk", "value_cents").is_not_null()).alias("judged"),
        (pl.col("risk").fill_null(0) * cents).round().cast(pl.Int64).alias("at_risk_cents"),
    )


def tops(customers: pl.DataFrame, confidence: float = 0.95) -> pl.DataFrame:
    """Which share of the money those bring who bring most: last year, and as expected.

    Takes   customers (see `customers`); of each measure, those who bring anything
    Returns the table "concentration": of, top_percent, n (customers), share, ci_lower, ci_upper
    """
    rows = []
    for of, name in ((AMOUNT, "amount_cents"), (VALUE, "value_cents")):
        ranked = customers.filter(pl.col(name) > 0).sort(-pl.col(name), "customer_id")
        for top in TOPS:
            n = -(-ranked.height * top // 100)
            share = ranked.select(*_share(name, pl.int_range(pl.len()) < n, confidence))
            rows.append({"of": of, "top_percent": top, "n": n, **share.row(0, named=True)})
    return pl.DataFrame(rows, task.none("concentration").schema).drop_nulls("share")


def carried(
    customers: pl.DataFrame, members: pl.DataFrame, segments: pl.DataFrame, confidence: float = 0.95
) -> pl.DataFrame:
    """Who brings the money: each segment, current customers in none, and those no longer customers.

    Takes   customers (see `customers`); the tables members and segments. A customer may be in
            several segments, so that shares need not add up to 1
    Returns the table "revenue_by_segment": segment, name, n, share_of_customers, amount_cents,
            share_of_amount, ci_lower, ci_upper (of that share), value_cents, share_of_value,
            n_judged (whose value and risk are known), value_at_risk_cents (theirs); and
            largest_share: of any of the amounts, the part that one customer holds at most, by which
            `disclosure` decides and which it takes off
    """
    named = dict(segments.select("segment", "name").iter_rows()) | {NONE: NONE, GONE: GONE}
    customer, current = pl.col("customer_id"), pl.col("current")
    anywhere = customer.is_in(members["customer_id"].implode())
    inside = {
        segment: customer.is_in(members.filter(segment=segment)["customer_id"].implode())
        for segment in segments["segment"]
    }
    inside |= {NONE: current & ~anywhere, GONE: ~current & ~anywhere}
    rows = [
        customers.select(
            pl.lit(segment).alias("segment"),
            pl.lit(named[segment]).alias("name"),
            among.sum().cast(pl.Int64).alias("n"),
            among.mean().alias("share_of_customers"),
            pl.col("amount_cents").filter(among).sum(),
            *_share("amount_cents", among, confidence, "share_of_amount"),
            pl.col("value_cents").filter(among).sum(),
            _ratio("value_cents", among).alias("share_of_value"),
            (among & pl.col("judged")).sum().cast(pl.Int64).alias("n_judged"),
            pl.col("at_risk_cents").filter(among).sum().alias("value_at_risk_cents"),
            pl.max_horizontal(_largest(name, among) for name in MONEY).alias(LARGEST),
        )
        for segment, among in inside.items()
    ]
    return pl.concat(rows).filter(pl.col("n") > 0)


def most_valuable(r: Refresh, money: pl.DataFrame) -> Exhibit:
    """How much of the money the customers bring who bring most: the table "concentration"."""
    top = pl.format("top {}%", "top_percent").alias("top_percent")
    return Exhibit(
        tops(money, r.confidence),
        _fifth,
        draw=lambda table: charts.comparison(
            table.drop_nulls("share")
            .sort("top_percent", maintain_order=True)
            .select(top, "of", "n", "share", "ci_lower", "ci_upper")
        ),
        findings=lambda table: said_of(
            _last_year(table),
            "top_fifth",
            "The {n} customers who paid most within the last year, a fifth of all who paid "
            "anything, brought {value} of it ({ci}).",
        ),
        empty="Nobody brings anything.",
        name="concentration",
    )


def by_segment(r: Refresh, money: pl.DataFrame) -> Exhibit:
    """Which segments carry the revenue, and what is at risk: the table "revenue_by_segment"."""
    at_risk, found = round(money["at_risk_cents"].sum() / 100), []
    if at_risk:
        gate, currency = GATE[r.tables.risk_gate["verdict"].item()], r.book.currency
        sentence = f"Value at risk: {currency} {{value}}. {gate}"
        found = [Finding("value_at_risk", sentence, at_risk, currency)]
    return Exhibit(
        carried(money, r.tables.members, r.tables.segments, r.confidence),
        _foremost,
        draw=lambda table: charts.comparison(_beside(table)),
        behind=lambda table: table.drop("segment"),
        findings=found,
        empty="Nobody brings anything.",
        name="revenue_by_segment",
    )


def _beside(table: pl.DataFrame) -> pl.DataFrame:
    """Shares of customers, of last year's amount and of value side by side, for the chart."""
    key, limits = ["place", "name", "n"], ["ci_lower", "ci_upper"]
    named = {"variable_name": "of", "value_name": "share"}
    long = table.with_row_index("place").unpivot([*COMPARED], index=[*key, *limits], **named)
    known = long.drop_nulls("share").sort("place", maintain_order=True)
    of = pl.col("of").replace(COMPARED)
    return known.select("name", of, "n", "share", pl.when(of == AMOUNT).then(pl.col(limits)))


def _foremost(table: pl.DataFrame) -> str:
    """Which group carries most of last year's amount, in a sentence."""
    shown = table.drop_nulls("share_of_amount").sort("share_of_amount", "segment")
    if shown.is_empty():
        return "Nobody paid anything within the last year"
    said = (
        "Most of last year's amount, {share_of_amount:.0%}, was paid by {share_of_customers:.0%} "
    )
    return (said + "of customers: {name}").format(**shown.row(-1, named=True))


def _last_year(table: pl.DataFrame) -> pl.DataFrame:
    return table.filter(of=AMOUNT, top_percent=20).drop_nulls("share")


def _fifth(table: pl.DataFrame) -> str:
    """How much the fifth of customers bring who pay most, in a sentence."""
    rows = _last_year(table)
    if rows.is_empty():
        return "Too few bring anything to tell how far it is concentrated"
    return f"The 20% of customers who pay most bring {rows['share'][0]:.0%} of the amount"


def _largest(name: str, among: pl.Expr) -> pl.Expr:
    """The part of the money of those ``among`` that one of them holds at most."""
    own = pl.col(name).filter(among)
    return own.max() / pl.when(own.sum() > 0).then(own.sum())


def _ratio(name: str, among: pl.Expr) -> pl.Expr:
    """The share of the whole of a column that is ``among``; null where the whole is 0."""
    whole = pl.col(name).sum()
    return pl.when(whole > 0).then(pl.col(name).filter(among).sum() / whole)


def _share(
    name: str, among: pl.Expr, confidence: float, alias: str = "share"
) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """That share with its limits.

    Source: Cochran (1977), Sampling Techniques, section 6.3 (ratio estimator). Checked by drawing
    customers anew in tests/value/test_concentration.py.
    """
    money, share, n = pl.col(name).cast(pl.Float64), _ratio(name, among), pl.len()
    apart = money * among.cast(pl.Float64) - share * money
    error = ((apart * apart).sum() * n / (n - 1)).sqrt() / money.sum()
    half = float(norm.ppf(0.5 + confidence / 2)) * error
    return (
        share.alias(alias),
        (share - half).clip(0, 1).alias("ci_lower"),
        (share + half).clip(0, 1).alias("ci_upper"),
    )
