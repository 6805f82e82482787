"""What does this segment need? What `95_segment` shows."""

from retention.segments.segments import (
    by_habit,
    by_kind,
    by_stage,
    compared,
    traits,
    who_is_counted,
)
