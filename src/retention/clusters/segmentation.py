"""From clusters to segments: checked, matched to those of the previous refresh, named, kept."""

import polars as pl

from retention.clusters import (
    clusters,
    identity,
    migrations,
    personas,
    previous_segments,
    rule_segments,
    segment_names,
    trust,
)
from retention.errors import Refused
from retention.exhibit import Exhibit
from retention.refresh import Refresh


def segmentation(r: Refresh, found: clusters.Clustering) -> tuple[Exhibit, Exhibit, Exhibit]:
    """Check the clusters, match them to the segments of the previous refresh and name them.

    Keeps the tables "clusters", "cluster_model", "known_segments" and "members".
    Returns which clusters can be trusted ("cluster_trust"), what became of the segments of then
            ("segment_changes"), and who changed segment ("migrations")

    Raises:
        Refused: clusters may be too small to be published, or a rule or name of the book cannot
            be used.
    """
    if (size := found.min_cluster_size) < r.min_cell:
        raise Refused(f"min_cluster_size is {size}, below min_cell ({r.min_cell})")
    before, customers = previous_segments.read(r.space), r.tables.customers_at
    rules, units = r.book.segments, clusters.units(customers, found.behaviour[found.rows])
    judged = trust.judged(trust.checks(found, units))
    changes, ids = identity.match(found.table, trust.trusted(judged), before)
    own = identity.members(found.table, ids)
    by_rule = rule_segments.members(customers, rules)
    shown = rule_segments.large(by_rule, customers.filter(standing="current").height, r.min_cell)
    r.keep("members", pl.concat([own, shown]))
    profile = personas.profile(found.points, found.behaviour.columns[1:], personas.place(r, found))
    taken = [*before.known["name"], *(rule.name for rule in rules.values())]
    named = personas.named(profile, taken)
    r.keep("known_segments", segment_names.carried(before.known, named, r.book.names, r.day))
    r.keep("clusters", clusters.with_nearest(found, ids))
    r.keep("cluster_model", clusters.model(found, ids))
    under = clusters.placed(before.model, customers, found.behaviour)
    moves = migrations.migrations(own, found.table, before, under)
    return (
        trust.trust(judged, ids),
        identity.changes(changes, before.date),
        migrations.moves(r, moves, clusters.lost(before.model, customers)),
    )
