"""Whoever should hear of a refresh is told by the book's own command, ``on_done``."""

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path

SECONDS = 60  # that the command may take


def tell(command: str, event: dict, folder: Path) -> str:
    """Run ``command`` in ``folder`` with ``event`` as JSON on its standard input.

    No shell reads the command; what it writes to standard error goes to ours. Gives a sentence on
    what went wrong, or "" if nothing did. What takes longer than a minute is ended, with every
    process that it has started.
    """
    how = {"cwd": folder, "stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    try:
        process = subprocess.Popen(shlex.split(command), start_new_session=True, **how)
    except (OSError, ValueError, IndexError) as error:
        return f"on_done: {command}: cannot be run: {getattr(error, 'strerror', error)}"
    try:
        process.communicate(json.dumps(event).encode(), SECONDS)
    except subprocess.TimeoutExpired:
        return f"on_done: {command}: took longer than {SECONDS} seconds and was ended"
    finally:
        if process.returncode is None:  # whatever happens, it has ended then
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    code = process.returncode
    return f"on_done: {command}: exit code {code}" if code else ""
