"""Risk on real books out of time, and at a million customers: fit, scores, and notebook 50 whole.

Usage: python benchmarks/risk.py [--data DIR] [--customers N] [--times N]
       (default 1,000,000 customers, once; medians; DIR holds online_retail/lines.parquet)

All data are drawn, which is not timed. lifelines is what our Cox regression calls: it is set beside
what we do without it. Where others would take too long they get a hundredth of the customers. The
notebook learns, as it does by default, from a draw of them, and gives all of them their risk.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl
import sets
from sklearn.metrics import roc_auc_score

from retention import book, schema
from retention.risk import backtest, landmarks, risk
from retention.stats import cox, scores
from retention.tables import calendar, spells, task, workspace
from retention_demo import behaviours, simulate
from retention_runner import build, places, run
from retention_runner.notebooks import resolved

PROJECT = Path(__file__).parent.parent
NOTEBOOK = PROJECT / "notebooks" / "50_risk.ipynb"
SNAPSHOT = calendar.day_of(behaviours.LAST_DAY)
HORIZON = 90
REAL = {"cdnow": (0.705, 0.2085), "journey": (0.855, 0.0865), "retail": (0.755, 0.1925)}
GAP = 15  # days in force for each active day
FEW = 100  # of so many customers one is among the few
OF_FEW = "of a hundredth"
FIT, GIVEN_TENURE, RISK = "Cox, fit", "Cox, risk given tenure", "landmark model, risk"
ORACLE = find_spec("sksurv") is not None  # scikit-survival: not for every Python


class Figure(NamedTuple):
    """What a piece of work took: the time on the wall, that of the processors (seconds; children
    included), and the most memory that its process had held by its end (10^9 bytes)."""

    seconds: float
    cpu: float
    gb: float


Figures = Iterator[tuple[str, Figure]]


def timed(work: Callable, *args, **named) -> tuple[Any, Figure]:
    """What ``work`` gives, and what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work(*args, **named)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return found, Figure(wall, cpu, held)


def require_equal(what: str, ours: np.ndarray, theirs: np.ndarray, within: float) -> None:
    """Whoever is faster must say the same.

    Raises:
        ValueError: they are further apart than ``within``, or one of them is not known.
    """
    if not (apart := np.abs(ours - theirs).max()) <= within:
        raise ValueError(f"{what}: {apart:.2g} apart, more than {within}")


def lives(customers: int) -> tuple[pl.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """Ten features, durations in whole days, who was seen to leave, and the planted log hazard."""
    rng = np.random.default_rng(1)
    columns = rng.standard_normal((customers, 10))
    hazard = columns @ np.linspace(-0.5, 0.5, 10)
    ends = np.ceil(rng.exponential(400 / np.exp(hazard)))
    known = rng.integers(1, 731, customers).astype(float)
    design = pl.DataFrame(columns, [f"x{number}" for number in range(10)])
    return design, np.minimum(ends, known), ends <= known, hazard


def fitted(customers: int) -> Figures:
    """The Cox regression, and the risk that it gives to those who have stayed so far."""
    design, durations, events, _ = lives(customers)
    fitter, took = timed(cox.fit, design, durations, events)
    yield FIT, took
    if ORACLE:
        from sksurv.linear_model import CoxPHSurvivalAnalysis
        from sksurv.util import Surv

        seen = Surv.from_arrays(events, durations)
        theirs, took = timed(CoxPHSurvivalAnalysis(ties="efron").fit, design.to_numpy(), seen)
        yield "Cox, fit by scikit-survival", took
        require_equal("coefficients", fitter.params_.to_numpy(), theirs.coef_, 1e-4)
    tenure = np.random.default_rng(2).integers(1, 600, customers)
    table = fitter.baseline_cumulative_hazard_
    base = cox.Baseline(table.index.to_numpy(), table.to_numpy()[:, 0], durations.max())

    def ours() -> np.ndarray:
        ratios = fitter.predict_partial_hazard(design.to_pandas()).to_numpy()
        return cox.conditional_risk(base, ratios, tenure, HORIZON)

    risks, took = timed(ours)
    yield GIVEN_TENURE, took
    asked = {"times": [HORIZON], "conditional_after": tenure[::FEW]}
    theirs, took = timed(fitter.predict_survival_function, design[::FEW].to_pandas(), **asked)
    whole = took._replace(seconds=FEW * took.seconds, cpu=FEW * took.cpu)
    yield f"{GIVEN_TENURE}, by lifelines {OF_FEW} x {FEW}", whole
    require_equal("risks", risks[::FEW], 1 - theirs.to_numpy()[0], 1e-9)


def landmark(customers: int) -> pl.DataFrame:
    """Ten signals, two of them not always known and two of them texts, and who left."""
    rng = np.random.default_rng(3)
    counts = [rng.poisson(rng.gamma(1, 20, customers)) for _ in range(8)]
    words = [rng.integers(len(behaviours.CATEGORIES), size=customers) for _ in range(2)]
    odds = 0.5 * np.log1p(counts[0]) - 0.3 * np.log1p(counts[6]) + 0.2 * words[0] - 2
    numbers = pl.DataFrame(counts, [f"number{n}" for n in range(8)])
    return numbers.with_columns(
        pl.col("number6", "number7").replace(0, None).truediv(20),
        *(
            behaviours.texts(behaviours.CATEGORIES, word).alias(f"text{n}")
            for n, word in enumerate(words)
        ),
        left=rng.random(customers) < 1 / (1 + np.exp(-odds)),
    )


def scored(customers: int) -> Figures:
    """The risk by the model of the landmarks, learnt from a fifth of them."""
    rows = landmark(customers)
    signals = [name for name in rows.columns if name != "left"]
    model, took = timed(risk.fit, rows[::5], signals)
    yield "landmark model, fit to a fifth", took
    risks, took = timed(risk.risk, model, rows)
    yield RISK, took
    area, took = timed(scores.auc, rows["left"].to_numpy(), risks)
    yield "AUC", took
    theirs, took = timed(roc_auc_score, rows["left"].to_numpy(), risks)
    yield "AUC by scikit-learn", took
    require_equal("AUC", area, theirs, 1e-9)


def block(number: int, customers: int) -> tuple[pl.DataFrame, ...]:
    """Customers, contracts and activity of one block of the simulated business, in whole days."""
    people = simulate.people(customers, seed=1, block=number)
    stays = simulate.lives(people, seed=1, block=number)
    terms = simulate.terms(people, stays, seed=1, block=number)
    days = terms.with_columns(
        pl.col(pl.Date).cast(pl.Int32).cast(pl.Int64).name.suffix("_day"),
        amount_cents=(pl.col("amount") * 100).round().cast(pl.Int64),
    )
    who = people.select(
        "customer_id",
        pl.col("started").cast(pl.Int32).cast(pl.Int64).alias("started_day"),
        *("onboarding", "payment_method", "trial_sessions", "region"),
    )
    return who, days, activity(days, np.random.default_rng((1, number, 9)))


def activity(terms: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """One active day in `GAP` of every term, and fewer before an end that usage foretells."""
    start, end = (terms[name].to_numpy() for name in ("started_day", "ended_day"))
    lasted = np.minimum(end, SNAPSHOT) - start + 1
    row = np.repeat(np.arange(len(start)), rng.poisson(lasted / GAP))
    day = start[row] + rng.integers(lasted[row])
    fading = terms["declines"].to_numpy()[row] & (
        (end[row] - day) < behaviours.DECLINE["days"] * rng.random(len(row))
    )
    orders = rng.integers(2, size=len(row))
    acts = pl.DataFrame({"row": row, "day": day, "orders": orders}).filter(~pl.Series(fading))
    return (
        acts.select(terms["customer_id"].gather(acts["row"]), "day", "orders")
        .unique(["customer_id", "day"], keep="first", maintain_order=True)
        .with_columns(
            kind=pl.when(pl.col("orders") == 1).then(pl.lit("purchase")).otherwise(pl.lit("visit")),
            events=pl.lit(1, pl.Int64),
            amount_cents=2000 * pl.col("orders"),
        )
        .sort("customer_id", "day")
    )


def business(folder: Path, customers: int) -> int:
    """Write the tables that notebook 50 reads, as a refresh does; how many rows of activity."""
    firsts = range(0, customers, behaviours.BLOCK)
    sizes = [min(behaviours.BLOCK, customers - first) for first in firsts]
    blocks = zip(*(block(number, size) for number, size in enumerate(sizes)), strict=True)
    who, contracts, acts = (pl.concat(parts) for parts in blocks)
    settings = book.at(book.load("simulated", PROJECT), behaviours.LAST_DAY)
    derived = task.derive(acts.lazy(), who.lazy(), contracts.lazy(), settings.churn, SNAPSHOT)
    terms = spells.terms_at(contracts.lazy(), snapshot_day=SNAPSHOT)
    (folder / "tables").mkdir(parents=True)
    (folder / "book.json").write_text(settings.model_dump_json())
    given = {"activity": acts.lazy(), "terms": terms, "surveys_at": task.none("surveys_at").lazy()}
    for name, table in (given | derived).items():
        frame = nw.from_native(table).collect().to_native()
        frame = frame.sort(schema.TABLES[name].grain)
        workspace.save(frame, folder / "tables" / f"{name}.parquet")
    return acts.height


def notebook(folder: Path) -> Figure:
    """Notebook 50 in an ordinary kernel, as a refresh runs it; the memory is that of the kernel
    and of the process that runs it, each at its most."""
    running = {places.STAGE: str(folder), places.TASK: NOTEBOOK.stem}
    environment = build.environment(folder) | running
    given = {"refresh": f"simulated/{behaviours.LAST_DAY}"}
    named = {"env": environment, "timeout": 3600}
    executed = folder / "notebooks" / NOTEBOOK.name
    given = resolved(NOTEBOOK, given)
    _, took = timed(run.run_notebook, NOTEBOOK, executed, given, **named)
    kernel = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = took.cpu + kernel.ru_utime + kernel.ru_stime
    return Figure(took.seconds, cpu, took.gb + kernel.ru_maxrss * 1024 / 1e9)


def alone(work: Callable, *args):
    """What ``work`` gives, of a process of its own that is gone with all its memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, args)


def listed(part: Callable[[int], Figures], customers: int) -> list[tuple[str, Figure]]:
    return list(part(customers))


def notebooks(customers: int) -> list[tuple[str, int]]:
    """A row of the table and its number of customers: a tenth, and all of them."""
    return [(f"notebook, {size:,} customers", size) for size in (customers // 10, customers)]


def out_of_time(name: str, data: Path | None) -> dict[str, float]:
    """How the workbook's risk did on a real book, by its own functions at the usual settings; NaN
    where the data are missing."""
    own = sets.book(name, data)
    if own is None:
        return dict.fromkeys(("auc", "brier", "calibration", "gate_open"), float("nan"))
    made, day, horizon = sets.tables(own), calendar.day_of(own.snapshot_date), own.horizon_days
    some = landmarks.sampled(made["customers_at"], 20_000, seed=1)
    past = landmarks.Past(some, made["activity"].lazy(), made["terms"].lazy())
    first = made["spells"]["entry_day"].min()
    days = landmarks.days(day - horizon, first + 1, 30, horizon, 6)
    rows = landmarks.rows(past, made["spells"], own.churn, days, horizon)
    tested = backtest.testable(rows, horizon, 6, first + own.churn.after_days)
    learners = risk.learners(risk.signals(rows, [], []))
    said = backtest.play(rows, learners, horizon, tested)
    ahead = backtest.differences(said)
    null = ahead.row(by_predicate=pl.col("model") == "null", named=True)
    verdict = backtest.gate(ahead, True, day)["verdict"].item()
    with pl.Config(tbl_cols=-1, tbl_width_chars=200):
        print(f"{name}: {len(tested)} test dates, {said.height:,} rows", ahead)
    figures = null["auc_of_ours"], null["brier_of_ours"], null["error"], float(verdict == "open")
    return dict(zip(("auc", "brier", "calibration", "gate_open"), figures, strict=True))


def real_goals(data: Path | None) -> None:
    """A line for each goal on the real books."""
    for name, (auc, brier) in REAL.items():
        found = out_of_time(name, data)
        bounds = {"auc": f">= {auc}", "brier": f"<= {brier}"}
        bounds |= {"calibration": "<= 0.035", "gate_open": ">= 1"}
        for measure, bound in bounds.items():
            print(f"goal risk_{name}_{measure}: {found[measure]:.4f}, wanted {bound}", flush=True)


def measure(root: Path, customers: int) -> Figures:
    """One round of everything: names, and what each took."""
    for part in (fitted, scored):
        yield from alone(listed, part, customers)
    for name, size in notebooks(customers):
        yield name, alone(notebook, root / str(size))


def goals(figures: dict[str, Figure], customers: int) -> None:
    """A line for each goal."""
    smaller, whole = (figures[name] for name, _ in notebooks(customers))
    for name, figure, bound in (
        ("risk_cox_fit_seconds", figures[FIT].seconds, 15),
        ("risk_cox_scoring_seconds", figures[GIVEN_TENURE].seconds, 2),
        ("risk_landmark_scoring_seconds", figures[RISK].seconds, 2),
        ("risk_notebook_seconds", whole.seconds, 180),
        ("risk_notebook_growth_of_ten_times", whole.seconds / smaller.seconds, 12),
        ("risk_notebook_peak_gb", whole.gb, 6),
    ):
        print(f"goal {name}: {figure:.2f}, wanted <= {bound}")


def show(name: str, figure: Figure) -> None:
    seconds, cpu, gb = figure
    print(f"{name:60} {seconds:9.2f} {cpu:9.2f} {gb:7.2f}", flush=True)


def main(data: Path | None, customers: int, times: int) -> None:
    real_goals(data)
    os.environ |= build.STEADY  # for all processes started from here
    found: dict[str, list[Figure]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _, size in notebooks(customers):
            rows = alone(business, Path(folder) / str(size), size)
            print(f"drawn: {size:,} customers, {rows:,} rows of activity", flush=True)
        print(f"{f'{customers:,} customers':60} {'seconds':>9} {'CPU s':>9} {'GB':>7}")
        for _ in range(times):
            for name, figure in measure(Path(folder), customers):
                found.setdefault(name, []).append(figure)
                show(name, figure)
    print(f"medians of {times}")
    medians = {name: Figure(*map(median, zip(*f, strict=True))) for name, f in found.items()}
    for name, figure in medians.items():
        show(name, figure)
    goals(medians, customers)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data", type=Path)
    arguments.add_argument("--customers", type=int, default=1_000_000)
    arguments.add_argument("--times", type=int, default=1)
    main(**vars(arguments.parse_args()))
