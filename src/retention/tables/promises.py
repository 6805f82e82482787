"""Goes once every caller reads the schema."""

from retention.schema import FIRST_DAY, ID, SCALES, TABLES

PROMISES = TABLES
__all__ = ["FIRST_DAY", "ID", "PROMISES", "SCALES"]
