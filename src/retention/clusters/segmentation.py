"""From strata and clusters to segments: checked, matched to the previous refresh, named, kept."""

from dataclasses import replace
from typing import NamedTuple

import polars as pl

from retention.clusters import (
    clusters,
    identity,
    in_words,
    migrations,
    personas,
    previous_segments,
    rule_segments,
    segment_names,
    strata,
    trust,
    usefulness,
)
from retention.clusters.previous_segments import NATURAL, STRATUM, Previous
from retention.errors import Refused
from retention.exhibit import Exhibit, Finding
from retention.refresh import Refresh
from retention.tables import task, workspace


class Strata(NamedTuple):
    """Every current customer's stratum: ``members`` (customer_id, segment, confidence), the
    ``changes`` and ``moves`` since the previous refresh, what was ``drawn``, whether its lines are
    ``kept``, a row for each stratum (segment, name, rule, grade), how many customers a small tree
    puts there (``explained``), and what ``useful`` says beside other divisions."""

    members: pl.DataFrame
    changes: pl.DataFrame
    moves: pl.DataFrame
    drawn: strata.Choice
    kept: bool
    described: pl.DataFrame
    explained: float
    useful: pl.DataFrame


class Segments(NamedTuple):
    """The sections of the page; see `segmentation`."""

    trust: Exhibit
    strata: Exhibit
    usefulness: Exhibit
    all: Exhibit
    changes: Exhibit
    moves: Exhibit


def stratify(r: Refresh, before: Previous) -> Strata:
    """Put every current customer in a stratum, by the lines of the previous refresh as long as they
    hold: the table "strata"."""
    customers, churn = r.tables.customers_at, r.book.churn
    activity, terms = (workspace.scan_table(r.space, name) for name in ("activity", "terms"))
    past = strata.past(activity, churn.activity, r.day)
    current = customers.filter(standing="current").sort("customer_id")
    now = strata.measured(past, current, r.day)
    earlier, _ = task.as_of(customers, activity, terms, churn, r.day - strata.EARLIER)
    then = strata.measured(past, earlier.filter(standing="current"), r.day - strata.EARLIER)
    choice = strata.chosen(now, then)
    old = previous_segments.lines_of(before.model)
    kept = old is not None and strata.kept(choice, old[0])
    lines = old[0] if kept else choice.lines
    numbers = strata.placed(now, lines)
    placed = now.select("customer_id", cluster=pl.Series(numbers, dtype=pl.Int64))
    if kept:
        ids = pl.DataFrame({"cluster": range(len(old[1])), "segment": old[1]})
        changes = identity.carried_on(placed, ids, before)
    else:
        changes, ids = identity.match(placed, sorted(set(numbers.tolist())), before)
    ids = ids.sort("cluster")
    own = placed.join(ids, on="cluster", maintain_order="left")
    sure = pl.Series("confidence", strata.confidence(past, now, lines, r.day)).fill_nan(None)
    under = own.select("customer_id", "segment")
    if old and not kept and list(old[0].axes) == now.columns[1:]:
        there = strata.placed(now, old[0])
        segment = pl.Series([old[1][at] for at in there], dtype=pl.String)
        under = now.select("customer_id", segment=segment)
    moves = migrations.migrations(own, own, before, under)
    r.keep("strata", previous_segments.kept(lines, ids["segment"].to_list()))
    said, explained = in_words.rules(now, numbers, r.book.currency)
    called = in_words.names(now, numbers, r.book.currency)
    table = usefulness.tested(r, past, len(lines.centres))
    named = ids.with_columns(
        name=pl.Series([called.get(at) for at in ids["cluster"]], dtype=pl.String),
        rule=pl.Series([said.get(at) for at in ids["cluster"]], dtype=pl.String),
        grade=pl.lit(grade(choice, table)),
    )
    members = own.select("customer_id", "segment", confidence=sure)
    return Strata(members, changes, moves, choice, kept, named, explained, table)


def grade(choice: strata.Choice, useful: pl.DataFrame) -> str:
    """Strong: found again in samples and over 30 days, and nearly as useful as KMeans; fair: found
    again; weak: else."""
    if choice.jaccard < strata.LEAST_JACCARD or choice.agreement < strata.LEAST_AGREEMENT:
        return "weak"
    return "strong" if usefulness.useful(useful) else "fair"


def near(placed: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Everybody compared in their natural group, noise in the nearest one: customer_id, segment,
    confidence (membership; of noise the share of its neighbours).

    Takes   the table "clusters"; who is in a group: customer_id, segment
    """
    joined = placed.join(own, on="customer_id", how="left", maintain_order="left")
    sure = pl.when(pl.col("segment").is_null()).then("nearest_probability").otherwise("membership")
    segment = pl.coalesce("segment", "nearest_segment")
    return joined.select("customer_id", segment, confidence=sure).drop_nulls("segment")


def segmentation(r: Refresh, found: clusters.Clustering) -> Segments:
    """Strata for everybody and natural groups where there are any, checked, matched to the segments
    of the previous refresh and named.

    Keeps the tables "strata", "clusters", "cluster_model", "known_segments" and "members".
    Returns the sections: whether there are natural groups ("cluster_trust"); the strata; what they
            say about the time after; every segment ("segments"); what became of the segments of
            then ("segment_changes"), and who changed segment ("migrations")

    Raises:
        Refused: clusters may be too small to be published, or a rule or name of the book cannot
            be used.
    """
    if (size := found.min_cluster_size) < r.min_cell:
        raise Refused(f"min_cluster_size is {size}, below min_cell ({r.min_cell})")
    of_then = previous_segments.read(r.space)
    drawn, before = stratify(r, of_then[STRATUM]), of_then[NATURAL]
    known, strata_ids = before.known, drawn.described.select("segment")
    before = replace(before, known=pl.concat([known.select("segment"), strata_ids]).unique())
    judged = trust.judged(trust.checks(found))
    changes, ids = identity.match(found.table, trust.trusted(judged), before)
    own = identity.members(found.table, ids)
    customers, rules = r.tables.customers_at, r.book.segments
    shown = rule_segments.large(
        rule_segments.members(customers, rules), drawn.members.height, r.min_cell
    )
    placed = clusters.with_nearest(found, ids)
    unknown = pl.lit(None, pl.Float64)
    everybody = [drawn.members, near(placed, own), shown.with_columns(confidence=unknown)]
    r.keep("members", pl.concat(everybody))
    profile = personas.profile(found, personas.place(found, own))
    taken = [*known["name"], *drawn.described["name"], *(rule.name for rule in rules.values())]
    named = pl.concat(
        [
            drawn.described.select("segment", "name", kind=pl.lit(STRATUM)),
            personas.named(profile, taken).with_columns(kind=pl.lit(NATURAL)),
        ]
    )
    known = segment_names.carried(known, named, r.book.names, r.day)
    r.keep("known_segments", known)
    r.keep("clusters", placed)
    r.keep("cluster_model", clusters.model(found, ids))
    measured = found.of.table.join(
        customers.select("customer_id", pl.exclude(found.of.table.columns)), on="customer_id"
    )
    under = clusters.placed(before.model, measured, found.of.table)
    moves = pl.concat(
        table.with_columns(kind=pl.lit(kind))
        for kind, table in {
            STRATUM: drawn.moves,
            NATURAL: migrations.migrations(own, found.table, before, under),
        }.items()
    )
    grades = dict(drawn.described.select("segment", "grade").iter_rows())
    grades |= dict.fromkeys(ids["segment"], "fair")
    return Segments(
        trust.trust(judged, ids),
        described(drawn),
        usefulness.beside(r, drawn.useful),
        personas.segments(r, found, grades),
        identity.changes(pl.concat([drawn.changes, changes]), before.date),
        migrations.moves(r, moves),
    )


def described(drawn: Strata) -> Exhibit:
    """The strata, the rule of each in words, and how far they can be relied on."""
    sizes = drawn.members.group_by("segment").agg(
        n=pl.len().cast(pl.Int64), confidence=pl.col("confidence").mean()
    )
    table = drawn.described.join(sizes, on="segment", how="left", maintain_order="left")
    table = table.with_columns(share_of_customers=pl.col("n") / drawn.members.height)
    choice = drawn.drawn
    sentence = "The lines are ours: neighbours across a line are alike. Other samples of customers "
    sentence += "give the same strata to {value} (adjusted Rand index)"
    if choice.agreement == choice.agreement:
        sentence += f", lines drawn 30 days earlier to {choice.agreement:.2f}"
    sentence += f"; the worst stratum is found again by {choice.jaccard:.2f} (Jaccard)."
    lines = "Lines are those of the refresh before." if drawn.kept else "Lines were drawn today."
    said = drawn.described.drop_nulls("rule").select("name", "rule").iter_rows()
    rules = " ".join(f"{name}: {rule}." for name, rule in said)
    return Exhibit(
        table.select("name", "n", "share_of_customers", "grade", "confidence"),
        lambda shown: f"{shown.height} strata divide all current customers",
        definition=f"{lines} {rules} These are the rules of a small tree, which puts "
        f"{drawn.explained:.0%} of customers where they are. Confidence: the mean share of draws "
        "from what a customer's rate may be that fall into the stratum.",
        findings=[Finding("strata_again", sentence, choice.rand, "rand")],
    )
