"""Lives drawn in tests as published tables print them: 6 6 9+ 10, where + is censored."""

import polars as pl


def lives(text: str, **columns) -> pl.DataFrame:
    """Drawn durations, those with a + censored, as one row per customer."""
    words = text.split()
    return pl.DataFrame(
        {
            "customer_id": [f"c{number:04d}" for number in range(len(words))],
            "duration_days": [int(word.strip("+")) for word in words],
            "event_observed": [not word.endswith("+") for word in words],
            **columns,
        }
    )


def from_pandas(frame) -> pl.DataFrame:
    return pl.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


def weeks(frame, duration: str, event: str) -> pl.DataFrame:
    """A data set of lifelines with the workbook's column names."""
    named = from_pandas(frame).rename({duration: "duration_days", event: "event_observed"})
    return named.with_columns(
        pl.col("duration_days").cast(pl.Int64), pl.col("event_observed").cast(pl.Boolean)
    )
