"""The two ways a command can end badly."""


class Refused(ValueError):
    """What the user can mend: a book, a table, a command. The command ends with exit code 2."""


class Failed(RuntimeError):
    """A task that did not do what it promised. The command ends with exit code 1."""
