"""One notebook through papermill, strictly: it has succeeded only if every cell was executed."""

import logging
import warnings
from pathlib import Path

from retention import notebooks
from retention.errors import Failed, Refused

KERNEL = "python3"
TIMEOUT_SECONDS = 1800  # for one cell


def resolve(notebook: Path, given: dict[str, object]) -> dict[str, object]:
    """All parameters of ``notebook``: its defaults, overridden by ``given``.

    Raises:
        Refused: the notebook has not exactly one parameters cell, or ``given`` names a parameter
            it does not declare, or gives one another type.
    """
    defaults = notebooks.declared(notebook)
    for name, value in given.items():
        if name != "refresh" and (what := notebooks.expect(name, value, defaults)):
            raise Refused(f"{notebook.name}: {name}: {what}")
    return {name: given.get(name, default) for name, default in defaults.items()}


def run_notebook(notebook: Path, executed: Path, parameters: dict[str, object]) -> None:
    """Execute ``notebook`` with ``parameters`` and save the executed copy.

    Papermill's own status is not consulted: it calls a killed kernel "completed".

    Raises:
        Refused: a cell refused its data or parameters, which the user can mend.
        Failed: a cell raised (the executed copy then holds the traceback), the kernel died or
            timed out, or a code cell was not executed.
    """
    import nbformat
    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)
    executed.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            papermill.execute_notebook(
                str(notebook),
                str(executed),
                parameters=parameters,
                kernel_name=KERNEL,
                progress_bar=False,
                request_save_on_cell_execute=False,
                autosave_cell_every=0,
                record_timing=False,
                coalesce_streams=True,
                shutdown_kernel="immediate",
                execution_timeout=TIMEOUT_SECONDS,
                extra_arguments=["--log-level=ERROR"],
            )
    except Exception as error:
        if getattr(error, "ename", "") == Refused.__name__:
            raise Refused(f"{notebook.name}: {error.evalue}") from error
        raise Failed(f"{notebook.name}: {_cause(error)}") from error
    unexecuted = [
        cell
        for cell in nbformat.read(executed, as_version=4).cells
        if cell.cell_type == "code" and cell.source.strip() and not cell.execution_count
    ]
    if unexecuted:
        raise Failed(f"{notebook.name}: {len(unexecuted)} cells were not executed")


def _cause(error: Exception) -> str:
    """The error of the cell, short; or what befell the kernel."""
    if hasattr(error, "ename"):
        return f"{error.ename}: {error.evalue}"
    return f"{type(error).__name__}: {error}".strip()
