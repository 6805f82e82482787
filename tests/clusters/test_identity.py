"""Segments matched over two refreshes: every rule on a small table, and what holds for any."""

from dataclasses import replace

import polars as pl
import pytest
from drawing import drawn
from hypothesis import given
from hypothesis import strategies as st

from retention.clusters import identity
from retention.clusters.previous_segments import Previous
from retention.errors import Failed


def tables(counts: dict, *known: str) -> tuple[pl.DataFrame, Previous]:
    """Clusters, and the previous refresh which knew segments, from counts by then and now.

    Then is a segment, "none" (compared, in no segment) or None (not compared); now is a cluster,
    -1 (noise) or None.
    """
    rows = [pair for pair, n in counts.items() for _ in range(n)]
    whole = pl.DataFrame(
        rows, schema={"segment": pl.String, "cluster": pl.Int64}, orient="row"
    ).with_columns(customer_id=pl.concat_str(pl.lit("c"), pl.int_range(pl.len())))
    then = whole.drop_nulls("segment")
    clusters = whole.drop_nulls("cluster").select("customer_id", "cluster")
    members = then.filter(pl.col("segment") != "none").select("customer_id", "segment")
    segments = pl.DataFrame({"segment": pl.Series(known, dtype=pl.String)})
    return clusters, Previous("", members, then.select("customer_id"), segments, pl.DataFrame())


def matched(counts: dict, known=("s1", "s2", "s3"), trusted=range(10)):
    """Changes in short ("s1>s2 split, >s3 new, s4> gone"), and which segment each cluster is."""
    clusters, before = tables(counts, *known)
    changes, ids = identity.match(clusters, list(trusted), before)
    rows = changes.select(pl.nth(0, 1, 2)).fill_null("").iter_rows()
    return ", ".join(f"{old}>{new} {kind}" for old, new, kind in rows), dict(ids.iter_rows())


# s1>0 50: fifty customers of s1 are in cluster 0 now. ~: noise; ?: not compared; ids: cluster=id
STORIES = drawn("""
| story          | counts                              | changes                       | ids       |
| first refresh  | ?>0 20, ?>1 30, ?>~ 90              | >s1 new, >s2 new              | 1=s1 0=s2 |
| first customer | ?>1 30, ?>0 30                      | >s1 new, >s2 new              | 1=s1 0=s2 |
| nobody         | ?>~ 9                               |                               |           |
| dissolved      | s1>~ 9, none>~ 9                    | s1> gone                      |           |
| most shared    | s1>1 40, s1>~ 20, s2>0 90, none>1 9 | s1>s1 same, s2>s2 same        | 1=s1 0=s2 |
| a third        | s1>0 50, s1>~ 50, none>0 50         | s1> gone, >s2 new             | 0=s2      |
| more than that | s1>0 51, s1>~ 49, none>0 49         | s1>s1 same                    | 0=s1      |
| larger part    | s1>0 55, s1>1 40, s1>~ 5, ?>1 80    | s1>s1 split, s1>s2 split      | 0=s1 1=s2 |
| larger whole   | s1>0 40, s2>0 55, s2>~ 5            | s1>s2 merged, s2>s2 merged    | 0=s2      |
| small part     | s1>0 910, s1>1 90                   | s1>s1 same, >s2 new           | 0=s1 1=s2 |
| a tenth        | s1>0 900, s1>1 100                  | s1>s1 split, s1>s2 split      | 0=s1 1=s2 |
| small whole    | s1>0 910, s2>0 90                   | s1>s1 same, s2> gone          | 0=s1      |
| a tenth merged | s1>0 900, s2>0 100                  | s1>s1 merged, s2>s1 merged    | 0=s1      |
| crumbs, split  | s1>0 20, s1>1 25, s1>~ 55           | s1> gone, >s2 new, >s3 new    | 1=s2 0=s3 |
| crumbs, merged | s1>0 20, s2>0 25, none>0 55         | s1> gone, s2> gone, >s3 new   | 0=s3      |
| customers move | s1>0 60, s1>1 40, s2>1 45           | s1>s1 same, s2>s2 same        | 0=s1 1=s2 |
| come and go    | s1>0 50, s2>? 50, ?>1 50            | s1>s1 same, s2> gone, >s3 new | 0=s1 1=s3 |
""")
AT_ONCE = {("s1", 0): 600, ("s1", 1): 200, ("s2", 0): 200}


def counted(story: str) -> dict:
    """The counts of a story, by then and now."""
    now_is, counts = {"~": -1, "?": None, "0": 0, "1": 1}, {}
    for pair, n in (part.split() for part in story.split(", ")):
        then, now = pair.split(">")
        counts[None if then == "?" else then, now_is[now]] = int(n)
    return counts


@pytest.mark.parametrize(("story", "counts", "changes", "ids"), STORIES.rows())
def test_what_became_of_each_segment(story, counts, changes, ids):
    known = sorted({then for then, _ in counted(counts)} - {"none", None})
    told, found = matched(counted(counts), known)
    assert told == (changes or "")
    assert {f"{cluster}={segment}" for cluster, segment in found.items()} == {*(ids or "").split()}


def test_three_equal_parts_have_no_heir_and_three_equal_wholes_give_none():
    parts, ids = matched({("s1", cluster): 30 for cluster in range(3)}, known=["s1"])
    assert parts == "s1>s2 split, s1>s3 split, s1>s4 split"
    assert sorted(ids.values()) == ["s2", "s3", "s4"]
    wholes = matched({(f"s{number}", 0): 30 for number in (1, 2, 3)})
    assert wholes == ("s1>s4 merged, s2>s4 merged, s3>s4 merged", {0: "s4"})


def test_a_split_and_a_merger_at_once_is_called_split_where_both_meet():
    assert matched(AT_ONCE, ["s1", "s2"])[0] == "s1>s1 split, s1>s3 split, s2>s1 merged"
    assert said(AT_ONCE, "s1", "s2").endswith("; split: s1 to s1, s1 to s3; merged: s2 to s1.")


def test_n_and_jaccard_are_of_customers_compared_at_both_dates():
    counts = {("s1", 0): 60, ("s1", -1): 20, ("none", 0): 20, ("s1", None): 500, (None, 0): 500}
    clusters, before = tables(counts, "s1")

    changes, _ = identity.match(clusters, [0], before)

    assert changes.rows() == [("s1", "s1", "same", 60, 0.6)]


def test_the_whole_is_shared_out_best_where_nobody_is_sure():
    # alone, s1 would take cluster 0 (.43 before .39); together .38 + .39 is more than .43 + 0
    counts = {("s1", 0): 90, ("s1", 1): 70, ("s2", 0): 80, ("s2", -1): 10, ("none", 1): 10}
    _, ids = matched(counts)

    assert ids == {1: "s1", 0: "s2"}


def test_a_cluster_that_is_not_trusted_is_no_segment():
    changes, ids = matched({("s1", 0): 50, ("s2", 1): 50}, known=["s1", "s2"], trusted=[0])

    assert (changes, ids) == ("s1>s1 same, s2> gone", {0: "s1"})


def test_numbers_go_on_from_the_highest_that_ever_was_and_are_sorted_as_numbers():
    changes, ids = matched({("s9", 0): 50, (None, 1): 50}, known=["s9", "s10", "s11"])

    assert (changes, ids) == ("s9>s9 same, >s12 new", {0: "s9", 1: "s12"})


def test_a_segment_that_nobody_knows_fails():
    clusters, before = tables({("s1", 0): 3}, "s2")
    with pytest.raises(Failed, match=r"lacks 1 .*\(s1\).*make that refresh again"):
        identity.match(clusters, [0], before)


def test_members_are_those_of_trusted_clusters():
    clusters = pl.DataFrame({"customer_id": ["a", "b", "c"], "cluster": [0, 1, -1]})
    ids = pl.DataFrame({"cluster": [1], "segment": ["s4"]})

    assert identity.members(clusters, ids).rows() == [("b", "s4")]


def said(counts, *known, since="2025-03-31"):
    clusters, before = tables(counts, *known)
    shown = identity.changes(identity.match(clusters, list(range(10)), before)[0], since)
    [finding] = shown.findings(shown.table)
    return finding.sentence


SAME = {("s1", 0): 50, ("s2", 1): 50}
MORE = {("s3", 2): 55, ("s3", 3): 45, ("s4", -1): 9, (None, 4): 9, (None, 5): 8}


@pytest.mark.parametrize(
    ("counts", "since", "words"),
    [
        ({(None, 0): 5, (None, 1): 5}, "", "This is the first refresh with segments; new: s1, s2."),
        ({(None, -1): 5}, "", "There are no segments."),
        ({(None, -1): 5}, "2025-03-31", "There are no segments."),
        (SAME, "2025-03-31", "2 of 2 segments are the same as on 2025-03-31."),
        (
            SAME | MORE,
            "2025-03-31",
            "2 of 6 segments are the same as on 2025-03-31; split: s3 to s3, s3 to s5; gone: s4; "
            "new: s6, s7.",
        ),
    ],
)
def test_a_sentence_says_what_happened_to_whom(counts, since, words):
    known = sorted({old for old, _ in counts} - {None})
    assert said(counts, *known, since=since) == words


CELLS = st.dictionaries(
    st.tuples(
        st.sampled_from(["s1", "s2", "s3", "s4", "none", None]),
        st.sampled_from([0, 1, 2, 3, -1, None]),
    ),
    st.integers(1, 30),
)


@given(CELLS, st.permutations(range(4)), st.integers(0, 2))
def test_neither_labels_nor_the_order_of_rows_change_ids(counts, order, seed):
    clusters, before = tables(counts, "s1", "s2", "s3", "s4")
    renamed = clusters.with_columns(pl.col("cluster").replace(dict(enumerate(order)))).sample(
        fraction=1, shuffle=True, seed=seed
    )
    members = before.members.sample(fraction=1, shuffle=True, seed=seed)

    changes, ids = identity.match(clusters, [0, 1, 2, 3], before)
    again, ids_again = identity.match(renamed, [3, 2, 1, 0], replace(before, members=members))

    assert changes.equals(again)
    one, other = (
        identity.members(*pair).sort("customer_id")
        for pair in ((clusters, ids), (renamed, ids_again))
    )
    assert one.equals(other)


@given(CELLS)
def test_ids_are_never_given_twice_and_heirs_share_a_third(counts):
    clusters, before = tables(counts, "s1", "s2", "s3", "s4", "s7")
    members = before.members

    changes, ids = identity.match(clusters, [0, 1, 2, 3], before)

    given_now = ids["segment"].to_list()
    found = set(clusters["cluster"]) - {-1}
    assert len(set(given_now)) == len(given_now) == len(found)
    fresh = [segment for segment in given_now if segment not in set(members["segment"])]
    assert sorted(fresh, key=len) == [f"s{8 + number}" for number in range(len(fresh))]
    heirs = changes.filter(pl.col("previous_segment") == pl.col("segment"))
    assert (heirs["jaccard"] > 1 / 3).all()


@given(CELLS)
def test_a_pair_that_shares_more_than_half_is_always_the_same_segment(counts):
    both = {pair: n for pair, n in counts.items() if None not in pair}
    _, ids = matched(counts, ["s1", "s2", "s3", "s4"])

    for (old, new), n in both.items():
        either = sum(other for pair, other in both.items() if old == pair[0] or new == pair[1])
        if old != "none" and new >= 0 and 2 * n > either:
            assert ids[new] == old


@given(CELLS)
def test_kinds_are_what_the_rules_say_read_word_by_word(counts):
    clusters, before = tables(counts, "s1", "s2", "s3", "s4")

    changes, ids = identity.match(clusters, [0, 1, 2, 3], before)

    assert set(changes.select(pl.nth(0, 1, 2)).rows()) == literally(counts, dict(ids.iter_rows()))


def literally(counts, ids):
    """The kinds, given who inherits, by loops over the rules."""
    both = {pair: n for pair, n in counts.items() if None not in pair}
    olds = sorted({then for then, _ in counts} - {"none", None})
    news = sorted(set(ids))
    size = {old: sum(n for (then, _), n in both.items() if then == old) for old in olds}
    size |= {new: sum(n for (_, now), n in both.items() if now == new) for new in news}
    shared = {(old, new): both.get((old, new), 0) for old in olds for new in news}
    heir = {old: new for new, old in ids.items() if old in olds}
    told = set()
    for old in olds:
        parts = [new for new in news if new not in heir.values()]
        parts = [new for new in parts if 2 * shared[old, new] > size[new]]
        parts = [new for new in parts if shared[old, new] >= size[old] / 10 and shared[old, new]]
        parts += [heir[old]] if old in heir else []
        if len(parts) > 1 and 2 * sum(shared[old, new] for new in parts) > size[old]:
            told |= {(old, ids[new], "split") for new in parts}
    split = {pair[:2] for pair in told}
    for new in news:
        parts = [old for old in olds if old not in heir]
        parts = [old for old in parts if 2 * shared[old, new] > size[old]]
        parts = [old for old in parts if shared[old, new] >= size[new] / 10 and shared[old, new]]
        parts += [old for old in heir if heir[old] == new]
        if len(parts) > 1 and 2 * sum(shared[old, new] for old in parts) > size[new]:
            told |= {(old, ids[new], "merged") for old in parts if (old, ids[new]) not in split}
    done = {pair[:2] for pair in told}
    told |= {(old, ids[new], "same") for old, new in heir.items() if (old, ids[new]) not in done}
    told |= {(old, None, "gone") for old in olds if old not in {pair[0] for pair in told}}
    return told | {(None, ids[new], "new") for new in news if ids[new] not in {p[1] for p in told}}
