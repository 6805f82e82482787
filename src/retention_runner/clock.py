"""The one place that reads a clock."""

import os
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from retention_runner.errors import Refused

EPOCH = "SOURCE_DATE_EPOCH"  # seconds since 1970-01-01 UTC: https://reproducible-builds.org


def now() -> datetime:
    """This moment in UTC, in whole seconds; where SOURCE_DATE_EPOCH is set, the one it names.

    Raises:
        Refused: SOURCE_DATE_EPOCH is not a whole number of seconds, or too large for a date.
    """
    given = os.environ.get(EPOCH)
    if given is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(given if given.isdecimal() else ""), UTC)
    except (ValueError, OverflowError, OSError):
        raise Refused(
            f"{EPOCH} is {given!r}; expected whole seconds since 1970-01-01, or no such variable"
        ) from None


def today(timezone: str) -> date:
    """The day now in ``timezone``, a name such as Europe/Berlin; "" is UTC.

    Raises:
        Refused: as `now`.
    """
    return now().astimezone(ZoneInfo(timezone or "UTC")).date()
