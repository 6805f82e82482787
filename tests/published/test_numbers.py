"""Published numbers: all come out, and each estimator that is broken turns exactly its own red."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from published import classics, compare, fits, telco
from published.compare import Row
from retention.errors import Failed, Refused
from retention.stats import bg_nbd, cox, gamma_gamma, incidence, risk_sets, sbg, scores
from retention_app.cli import app

SHARED = Path(__file__).parents[3] / "shared" / "data"
RIGHT = {name: getattr(scores, name) for name in ("brier", "uno_c", "dynamic_auc", "harrell_c")}
RIGHT |= {name: getattr(cox, name) for name in ("fit", "baseline", "conditional_risk")}
RIGHT |= {"renewals": sbg.fit, "purchases": bg_nbd.fit, "amounts": gamma_gamma.fit}
RIGHT |= {"at": risk_sets.at, "incidence": incidence.cumulative_incidence}


@pytest.fixture(scope="module")
def customers() -> pl.DataFrame:
    if not (SHARED / telco.FILE).exists():
        pytest.skip("no ../shared/data/telco (IBM's Telco, 7,043 customers)")
    return telco.read(SHARED)


def red(rows: list[Row]) -> set[str]:
    """The names of the numbers that differ."""
    return {row.name for row in rows if not compare.agrees(row)}


@pytest.mark.parametrize("data", classics.SETS)
def test_every_number_comes_out_as_published(data):
    assert red(compare.compare(data)) == set()


def test_every_number_of_telco_comes_out_as_published(customers):
    rows = compare.compare("telco", customers)
    assert red(rows) == set()
    assert [row.name for row in rows if row.got is None] == []


def test_every_number_is_asked_for_once_and_by_whom_it_is_expected_is_said():
    rows = compare.expected()
    assert len({(row.data, row.name) for row in rows}) == len(rows)
    assert list(dict.fromkeys(row.data for row in rows)) == [*classics.SETS, "telco"]
    assert all(row.source for row in rows)


# --- each estimator broken in turn: what is called instead, and what must turn red ---


def ties_broken(design, durations, events, **options):
    """The first of two rows with one duration goes first, as no method for ties would have it."""
    return RIGHT["fit"](design, durations + np.arange(len(durations)) * 1e-6, events, **options)


def one_too_few(times, durations, events, entry=None):
    at_risk, ends = RIGHT["at"](times, durations, events, entry)
    return at_risk - (at_risk > ends), ends


def unweighted(durations, events, risk, time, train=None):
    return float(np.mean((risk - (events & (durations <= time))) ** 2))


def followed_before(durations, events, risk, time, train=None):
    """G(T-) for scikit-survival's G(T)."""
    return RIGHT["brier"](durations - 0.5, events, risk, time - 0.75, train)


def c_followed_before(durations, events, risk, tau, train=None):
    return RIGHT["uno_c"](durations - 0.5, events, risk, tau, train)


def c_unweighted(durations, events, risk, tau, train=None):
    return RIGHT["harrell_c"](durations, events & (durations < tau), risk)


def auc_followed_before(durations, events, risk, time, train=None):
    return RIGHT["dynamic_auc"](durations - 0.5, events, risk, time - 0.75, train)


def ties_lost(durations, events, risk):
    """Who of two with the same risk stands first is called the likelier to leave."""
    return RIGHT["harrell_c"](durations, events, risk - np.arange(len(risk)) * 1e-9)


def naive(durations, causes, of, entry=None, confidence=0.95):
    """1 - Kaplan-Meier, the other cause as censored."""
    return RIGHT["incidence"](durations, np.where(causes == of, of, 0), of, entry, confidence)


def from_the_start(durations, causes, of, entry=None, confidence=0.95):
    return RIGHT["incidence"](durations, causes, of, None, confidence)


def one_step_late(fitter):
    base = RIGHT["baseline"](fitter)
    return base._replace(cumulative=np.concatenate([[0.0], base.cumulative[:-1]]))


def zero_beyond(base, ratio, since, horizon):
    """The usual answer where the data end."""
    return np.nan_to_num(RIGHT["conditional_risk"](base, ratio, since, horizon), nan=0.0)


def as_if_new(base, ratio, since, horizon):
    """1 - S(h) for 1 - S(t + h) / S(t)."""
    return RIGHT["conditional_risk"](base, ratio, np.zeros(len(ratio)), horizon)


def plain_mean(table):
    return (table["observed"] - table["predicted"]).abs().mean()


def mean_of_points(times, values):
    return float(np.mean(values))


def recency_of_rfm(frequency, recency, age):
    """Days to the last purchase counted from the end, as marketers do."""
    return RIGHT["purchases"](frequency, np.where(frequency > 0, age - recency, 0), age)


def all_alive(fit, frequency, recency, age):
    return np.ones(len(age))


def first_ones_in(purchases, mean):
    return RIGHT["amounts"](purchases + 1, mean)


def without_who_stayed(lost, stayed):
    return RIGHT["renewals"](lost, stayed / 2)


BROKEN = [  # where, what, by what, and the numbers that turn red, all others staying as they were
    (cox, "fit", ties_broken, "rossi", r"^Cox|^Schoenfeld|ICI"),
    (cox, "baseline", one_step_late, "gbsg2", r"integrated"),
    (risk_sets, "at", one_too_few, "waltons", r"log-rank"),
    (risk_sets, "at", one_too_few, "bmt", r"^left|Kaplan-Meier"),
    (risk_sets, "at", one_too_few, "late entry", r"with late entry"),
    (incidence, "cumulative_incidence", naive, "bmt", r"^left.*cause \d"),
    (incidence, "cumulative_incidence", from_the_start, "late entry", r"with late entry"),
    (scores, "harrell_c", ties_lost, "rossi", r"Harrell"),
    (scores, "uno_c", c_followed_before, "gbsg2", r"Uno"),
    (scores, "uno_c", c_unweighted, "gbsg2", r"Uno"),
    (scores, "brier", unweighted, "gbsg2", r"Brier"),
    (scores, "brier", followed_before, "gbsg2", r"Brier"),
    (scores, "integrated", mean_of_points, "gbsg2", r"integrated"),
    (bg_nbd, "fit", recency_of_rfm, "cdnow", r"^BG/NBD"),
    (bg_nbd, "alive", all_alive, "cdnow", r"expected in|to be alive"),
    (gamma_gamma, "fit", first_ones_in, "cdnow", r"^Gamma-Gamma.*: (p|q|gamma)$"),
    (sbg, "fit", without_who_stayed, "renewals", r"sBG"),
]
BROKEN_FOR_SILVER = [
    (cox, "baseline", one_step_late, r"Cox: .*Brier|calibration|Cox: risk .* (12|60)\.\."),
    (cox, "conditional_risk", zero_beyond, r"Cox: risk .* (71|72)\.\."),
    (cox, "conditional_risk", as_if_new, r"Cox: risk"),
    (scores, "brier", followed_before, r"Brier"),
    (scores, "dynamic_auc", auc_followed_before, r"AUC"),
    (scores, "calibration_error", plain_mean, r"calibration"),
]


def named(broken: tuple) -> str:
    return "-".join(part if isinstance(part, str) else part.__name__ for part in broken[1:-1])


@pytest.mark.parametrize("broken", BROKEN, ids=named)
def test_a_broken_estimator_turns_its_numbers_red_and_no_others(broken, monkeypatch):
    module, name, instead, data, pattern = broken
    monkeypatch.setattr(module, name, instead)
    rows = compare.compare(data)
    assert red(rows) == {row.name for row in rows if re.search(pattern, row.name)}


@pytest.mark.parametrize("broken", BROKEN_FOR_SILVER, ids=named)
def test_a_broken_estimator_is_seen_on_telco(broken, customers, monkeypatch):
    module, name, instead, pattern = broken
    monkeypatch.setattr(module, name, instead)
    monkeypatch.setattr(fits, "ici", lambda fit, time: np.nan)  # slow, and lifelines' alone
    silver = customers.filter(Contract="Month-to-month").filter(pl.col("InternetService") != "No")
    found = {f"silver: {name}": value for name, value in telco.regression(silver).items()}
    asked = [row for row in compare.expected() if row.name in found and "ICI" not in row.name]
    rows = [row._replace(got=found[row.name]) for row in asked]
    assert len(rows) > 50
    assert red(rows) == {row.name for row in rows if re.search(pattern, row.name)}


# --- what agrees, and what a newcomer sees ---


@pytest.mark.parametrize(
    ("expected", "within", "agreeing", "differing"),
    [
        ("0.9460", 5e-5, [0.94595, 0.9460499, 0.94605], [0.945949, 0.94606, np.nan, np.inf]),
        ("-658.75", 5e-3, [-658.7476], [-658.7449, 658.75]),
        ("56.0", 0.05, [56.0], [57.0]),
        ("7043", 0, [7043.0], [7043.4, 7042.0]),
        ("not known", 0, [np.nan], [0.0, np.inf]),
        ("not reached", 0, [np.inf], [72.0, np.nan, -np.inf]),
    ],
)
def test_a_number_agrees_within_half_of_the_last_digit_printed(
    expected, within, agreeing, differing
):
    row = Row("rossi", "n", expected, "somebody")
    assert compare.tolerance(row) == pytest.approx(within)
    assert all(compare.agrees(row._replace(got=value)) for value in agreeing)
    assert not any(compare.agrees(row._replace(got=value)) for value in differing)


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_command_shows_every_number_and_says_what_it_skips():
    done = CliRunner().invoke(app, ["numbers"])

    shown = lines(done.stdout)
    assert done.exit_code == 0
    assert "expected got within" in shown
    assert "Cox, fin: coefficient -0.379422 -0.37942217 5e-07 agrees" in shown
    assert "left by 24, cause 1 0.272839 0.27283899 5e-07 agrees" in shown
    assert "expected by: scikit-survival 0.28.0" in shown
    rows = compare.expected()
    n = sum(row.data != "telco" for row in rows)
    assert sum(line.endswith("agrees") for line in shown) == n
    assert f"telco: {len(rows) - n} numbers are skipped" in done.stdout
    assert shown[-1] == f"All {n} numbers agree in the digits that are printed."
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_the_command_fails_and_names_what_differs(monkeypatch):
    monkeypatch.setattr(scores, "harrell_c", ties_lost)

    done = CliRunner().invoke(app, ["numbers"])

    assert done.exit_code == 1
    assert re.search(r"Cox: Harrell's C +0\.6403292471 +0\.6\d+ +5e-11 +DIFFERS", done.stdout)
    assert "numbers agree" not in done.stdout
    assert re.fullmatch(r"1 of \d+ numbers differ: rossi: Cox: Harrell's C\n", done.stderr)


def test_a_fit_that_is_refused_is_a_failure_of_this_environment(monkeypatch):
    def refused(*args, **options):
        raise Refused("it does not converge")

    monkeypatch.setattr(cox, "fit", refused)
    with pytest.raises(Failed, match="nothing can be computed of rossi: it does not converge"):
        compare.compare("rossi")


def test_a_folder_without_the_data_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["numbers", "--data", str(tmp_path)])

    assert done.exit_code == 2
    assert done.stdout == ""
    assert f"there is no telco/Telco-Customer-Churn.csv in {tmp_path}" in done.stderr
    assert telco.ORIGIN in done.stderr


def test_data_that_are_not_as_published_are_refused(tmp_path):
    (tmp_path / "telco").mkdir()
    (tmp_path / telco.FILE).write_text("customerID,tenure\n1,2\n")
    with pytest.raises(Refused, match="is not, byte for byte, what was published"):
        telco.read(tmp_path)


def test_blank_charges_of_telco_are_nothing(customers):
    assert customers.shape == (7043, 20)
    assert customers.null_count().sum_horizontal().item() == 0
    assert customers.filter(TotalCharges=0)["duration_days"].to_list() == [0] * 11
