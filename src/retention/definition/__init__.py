"""When is a silent customer gone? What `05_definition` shows."""

from retention.definition.gaps import silences
from retention.definition.window_errors import errors, who_is_counted, windows
from retention.definition.window_sensitivity import sensitivity
