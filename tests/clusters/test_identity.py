"""Segments matched over two refreshes: every rule on a small table, and what holds for any."""

from dataclasses import replace

import polars as pl
import pytest
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
    clusters, before = tables(counts, *known)
    changes, ids = identity.match(clusters, list(trusted), before)
    assert changes.columns == ["previous_segment", "segment", "kind", "n", "jaccard"]
    return changes.select(pl.nth(0, 1, 2)).rows(), dict(ids.iter_rows())


def test_at_the_first_refresh_all_are_new_in_order_of_size():
    first = matched({(None, 0): 20, (None, 1): 30, (None, -1): 90}, known=())

    changes = [(None, "s1", "new"), (None, "s2", "new")]
    assert first == (changes, {1: "s1", 0: "s2"})


def test_no_cluster_at_all_gives_no_change():
    assert matched({(None, -1): 9}, known=()) == ([], {})
    assert matched({("s1", -1): 9, ("none", -1): 9}, known=["s1"]) == ([("s1", None, "gone")], {})
    clusters, before = tables({})
    assert identity.match(clusters, [], before)[0].is_empty()


def test_whoever_shares_most_customers_keeps_the_id_whatever_the_label_and_size():
    changes, ids = matched({("s1", 1): 40, ("s1", -1): 20, ("s2", 0): 90, ("none", 1): 9})

    assert ids == {1: "s1", 0: "s2"}
    assert changes == [("s1", "s1", "same"), ("s2", "s2", "same")]


def test_n_and_jaccard_are_of_customers_compared_at_both_dates():
    counts = {("s1", 0): 60, ("s1", -1): 20, ("none", 0): 20, ("s1", None): 500, (None, 0): 500}
    clusters, before = tables(counts, "s1")

    changes, _ = identity.match(clusters, [0], before)

    assert changes.rows() == [("s1", "s1", "same", 60, 0.6)]


@pytest.mark.parametrize(("shared", "kept"), [(50, False), (51, True)])
def test_an_id_is_kept_where_more_than_a_third_is_shared(shared, kept):
    lost = 100 - shared
    changes, ids = matched({("s1", 0): shared, ("s1", -1): lost, ("none", 0): lost}, known=["s1"])

    assert ids == {0: "s1" if kept else "s2"}
    told = [("s1", "s1", "same")] if kept else [("s1", None, "gone"), (None, "s2", "new")]
    assert changes == told


def test_the_whole_is_shared_out_best_where_nobody_is_sure():
    # alone, s1 would take cluster 0 (.43 before .39); together .38 + .39 is more than .43 + 0
    counts = {("s1", 0): 90, ("s1", 1): 70, ("s2", 0): 80, ("s2", -1): 10, ("none", 1): 10}
    _, ids = matched(counts)

    assert ids == {1: "s1", 0: "s2"}


def test_a_segment_that_falls_apart_is_split_and_the_larger_part_keeps_the_id():
    changes, ids = matched({("s1", 0): 55, ("s1", 1): 40, ("s1", -1): 5, (None, 1): 80})

    assert changes == [("s1", "s1", "split"), ("s1", "s4", "split")]
    assert ids == {0: "s1", 1: "s4"}


def test_a_segment_in_three_equal_parts_has_no_heir():
    changes, ids = matched({("s1", cluster): 30 for cluster in range(3)}, known=["s1"])

    assert changes == [("s1", f"s{number}", "split") for number in (2, 3, 4)]
    assert sorted(ids.values()) == ["s2", "s3", "s4"]


def test_segments_in_one_group_are_merged_and_the_larger_gives_the_id():
    changes, ids = matched({("s1", 0): 40, ("s2", 0): 55, ("s2", -1): 5})

    assert changes == [("s1", "s2", "merged"), ("s2", "s2", "merged")]
    assert ids == {0: "s2"}


def test_three_equal_segments_in_one_group_give_a_new_id():
    changes, ids = matched({(f"s{number}", 0): 30 for number in (1, 2, 3)})

    assert changes == [(f"s{number}", "s4", "merged") for number in (1, 2, 3)]
    assert ids == {0: "s4"}


def test_a_part_of_less_than_a_tenth_is_new_and_a_dying_one_gone():
    changes, _ = matched({("s1", 0): 910, ("s1", 1): 90}, known=["s1"])
    assert changes == [("s1", "s1", "same"), (None, "s2", "new")]
    changes, _ = matched({("s1", 0): 900, ("s1", 1): 100}, known=["s1"])
    assert changes == [("s1", "s1", "split"), ("s1", "s2", "split")]

    changes, _ = matched({("s1", 0): 910, ("s2", 0): 90}, known=["s1", "s2"])
    assert changes == [("s1", "s1", "same"), ("s2", None, "gone")]
    changes, _ = matched({("s1", 0): 900, ("s2", 0): 100}, known=["s1", "s2"])
    assert changes == [("s1", "s1", "merged"), ("s2", "s1", "merged")]


def test_crumbs_of_what_dissolved_are_no_split_and_no_merger():
    changes, _ = matched({("s1", 0): 20, ("s1", 1): 25, ("s1", -1): 55}, known=["s1"])
    assert [kind for *_, kind in changes] == ["gone", "new", "new"]

    changes, _ = matched({("s1", 0): 20, ("s2", 0): 25, ("none", 0): 55})
    assert [kind for *_, kind in changes] == ["gone", "gone", "new"]


def test_customers_who_go_from_one_lasting_segment_to_another_make_no_split():
    changes, ids = matched({("s1", 0): 60, ("s1", 1): 40, ("s2", 1): 45}, known=["s1", "s2"])

    assert ids == {0: "s1", 1: "s2"}
    assert changes == [("s1", "s1", "same"), ("s2", "s2", "same")]


def test_a_split_and_a_merger_at_once_is_called_split_where_both_meet():
    counts = {("s1", 0): 600, ("s1", 1): 200, ("s2", 0): 200}
    changes, _ = matched(counts, known=["s1", "s2"])

    assert changes == [("s1", "s1", "split"), ("s1", "s3", "split"), ("s2", "s1", "merged")]
    assert said(counts, "s1", "s2").endswith("; split: s1 to s1, s1 to s3; merged: s2 to s1.")


def test_newcomers_make_a_new_segment_and_who_left_takes_one_along():
    counts = {("s1", 0): 50, ("s2", None): 50, (None, 1): 50}
    changes, ids = matched(counts, known=["s1", "s2"])

    assert changes == [("s1", "s1", "same"), ("s2", None, "gone"), (None, "s3", "new")]
    assert ids == {0: "s1", 1: "s3"}


def test_of_equally_large_new_groups_the_one_with_the_first_customer_comes_first():
    _, ids = matched({(None, 1): 30, (None, 0): 30}, known=())

    assert ids == {1: "s1", 0: "s2"}


def test_a_cluster_that_is_not_trusted_is_no_segment():
    changes, ids = matched({("s1", 0): 50, ("s2", 1): 50}, known=["s1", "s2"], trusted=[0])

    assert changes == [("s1", "s1", "same"), ("s2", None, "gone")]
    assert ids == {0: "s1"}


def test_numbers_go_on_from_the_highest_that_ever_was_and_are_sorted_as_numbers():
    changes, ids = matched({("s9", 0): 50, (None, 1): 50}, known=["s9", "s10", "s11"])

    assert ids == {0: "s9", 1: "s12"}
    assert changes == [("s9", "s9", "same"), (None, "s12", "new")]


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
def test_ids_are_never_given_twice_and_every_segment_is_told_of(counts):
    clusters, before = tables(counts, "s1", "s2", "s3", "s4", "s7")
    members = before.members

    changes, ids = identity.match(clusters, [0, 1, 2, 3], before)

    given_now = ids["segment"].to_list()
    found = set(clusters["cluster"]) - {-1}
    assert len(set(given_now)) == len(given_now) == len(found)
    fresh = [segment for segment in given_now if segment not in set(members["segment"])]
    assert sorted(fresh, key=len) == [f"s{8 + number}" for number in range(len(fresh))]
    assert set(changes["previous_segment"].drop_nulls()) == set(members["segment"])
    assert set(changes["segment"].drop_nulls()) == set(given_now)
    alone = changes.filter(pl.col("kind").is_in(["same", "new", "gone"]))
    for column in ("previous_segment", "segment"):
        once = alone[column].drop_nulls()
        assert once.is_unique().all()
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
