"""The ways a command can end badly."""


class Refused(ValueError):
    """What the user can mend: a book, a table, a command. The command ends with exit code 2."""


class Failed(RuntimeError):
    """A task that did not do what it promised. The command ends with exit code 1.

    ``said`` is what may be published of it, where its message may hold values of the data.
    """

    def __init__(self, message: str, said: str = ""):
        super().__init__(message)
        self.said = said


class Stopped(RuntimeError):
    """Somebody, or the system, stopped the command by a signal. It ends with exit code 130."""
