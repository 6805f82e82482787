"""One notebook through papermill, strictly: it has succeeded only if every cell was executed."""

import asyncio
import logging
import warnings
from pathlib import Path

from retention_runner import server
from retention_runner.errors import Failed, Refused

KERNEL, PROVISIONER = "python3", "retention-fork"  # the latter: pyproject.toml
QUIET = ["--log-level=ERROR", "--HistoryManager.enabled=False"]


def run_notebook(
    notebook: Path,
    executed: Path,
    parameters: dict[str, object],
    *,
    env: dict[str, str],
    timeout: int,
) -> None:
    """Execute ``notebook`` with ``parameters`` and save the executed copy, as far as it came.

    Its kernel gets the environment ``env``, and each cell ``timeout`` seconds. Papermill's own
    status is not consulted: it calls a killed kernel "completed".

    Raises:
        Refused: a cell refused its data or parameters, which the user can fix.
        Failed: a cell raised, the kernel died or timed out, or a code cell was not executed.
    """
    import nbformat
    import papermill
    from jupyter_client.provisioning import KernelProvisionerFactory
    from jupyter_core.utils import ensure_event_loop

    KernelProvisionerFactory.instance().default_provisioner_name = PROVISIONER
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    executed.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    asked = server.wanted.set(env)
    seen = []
    try:
        # the runner ends this thread's event loop, and what waits in it for a dead kernel
        with asyncio.Runner(loop_factory=ensure_event_loop), warnings.catch_warnings():
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
                execution_timeout=timeout,
                extra_arguments=QUIET,
                on_cell_start=lambda cell, cell_index: seen.append(cell),
            )
    except Exception as error:
        if not hasattr(error, "ename"):  # papermill saves failed cells, and nothing of dead kernels
            nbformat.write(nbformat.v4.new_notebook(cells=seen), executed)
        raise _in_words(error, notebook.name, timeout) from error
    finally:
        server.wanted.reset(asked)
    unexecuted = [
        cell
        for cell in nbformat.read(executed, as_version=4).cells
        if cell.cell_type == "code" and cell.source.strip() and not cell.execution_count
    ]
    if unexecuted:
        raise Failed(f"{notebook.name}: {len(unexecuted)} cells were not executed")


def _in_words(error: Exception, name: str, timeout: int) -> Refused | Failed:
    """Why a notebook failed: a message for the analyst, and what may be published of it."""
    kind = getattr(error, "ename", type(error).__name__)
    if kind == Refused.__name__:
        return Refused(f"{name}: {error.evalue}")
    if kind == Failed.__name__:
        return Failed(f"{name}: {error.evalue}")  # one of ours, whose words are known
    if hasattr(error, "ename"):
        return Failed(f"{name}: {kind}: {error.evalue}", f"a cell failed ({kind})")
    said = {
        "DeadKernelError": "its kernel died: killed, or out of memory",
        "CellTimeoutError": f"a cell took longer than {timeout} s",
    }
    if kind in said:
        return Failed(f"{name}: {said[kind]}", said[kind])
    return Failed(f"{name}: {kind}: {error}".strip(), f"it could not be run ({kind})")
