"""Whoever should hear of a refresh is told by the book's own command, ``on_done``."""

import json
import os
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import BinaryIO

SECONDS = 60  # that the command may take


def tell(command: str, event: dict, folder: Path) -> str:
    """Run ``command`` in ``folder`` with ``event`` as JSON on its standard input.

    No shell reads the command. Gives a sentence on what went wrong, or "" if nothing did. What
    takes longer than a minute is ended, with every process that it has started.
    """
    with _memory() as given, _memory() as said:
        given.write(json.dumps(event, ensure_ascii=False).encode())
        given.seek(0)
        how = {"cwd": folder, "stdin": given, "stdout": subprocess.DEVNULL, "stderr": said}
        try:
            process = subprocess.Popen(shlex.split(command), start_new_session=True, **how)
        except (OSError, ValueError, IndexError) as error:
            return f"on_done: {command}: cannot be run: {getattr(error, 'strerror', error)}"
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            return f"on_done: {command}: took longer than {SECONDS} seconds and was ended"
        finally:
            if process.returncode is None:  # whatever happens, it has ended then
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        said.seek(0)
        last = said.read().decode(errors="replace").strip().rpartition("\n")[2]
    return f"on_done: {command}: exit code {code}{last and f': {last}'}" if code else ""


def _memory() -> BinaryIO:
    """A file that needs no disk: a full one may be just what is to be told."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("on_done"), "w+b")
    return tempfile.TemporaryFile()
