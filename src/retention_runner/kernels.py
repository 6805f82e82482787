"""Kernels for the notebooks of a refresh: forked from the warm server, or ordinary ones.

Jupyter finds `Kernels` by its entry point (pyproject.toml), so papermill and nbclient are used as
they are. Whatever goes wrong with the server, the kernel is an ordinary one.
"""

import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from jupyter_client.provisioning import LocalProvisioner

from retention_runner import server


class Kernels(LocalProvisioner):
    """Forks a kernel from the server; where it cannot, starts an ordinary one."""

    wanted: server.Wanted | None = None

    async def pre_launch(self, **kwargs):
        self.wanted = server.wanted.get()
        if self.wanted is None:  # nobody's run of a refresh
            return await super().pre_launch(**kwargs)
        if sys.platform != "win32":  # a socket in a private folder: no port for others to take
            self.parent.transport = "ipc"
            self.parent.ip = os.path.relpath(Path(tempfile.gettempdir()) / self.kernel_id[:8])
        return await super().pre_launch(**kwargs) | {"env": self.wanted.env}

    async def launch_kernel(self, cmd: list[str], **kwargs):
        if self.wanted is None or server.current is None:
            return await super().launch_kernel(cmd, **kwargs)
        server.running.add(self)
        argv, cwd = cmd[cmd.index("-f") :], kwargs.get("cwd") or os.getcwd()
        self.process = server.current.fork(argv, cwd, kwargs["env"])
        self.wanted.kind = "forked" if self.process else "ordinary"
        if self.process:
            self.pid = self.process.pid
        else:
            await super().launch_kernel(cmd, **kwargs)
        if server.current.ended:
            self.end()
        return self.connection_info

    async def poll(self) -> int | None:
        self._learn_memory()
        return await super().poll()

    async def send_signal(self, signum: int) -> None:
        self._learn_memory()
        await super().send_signal(signum)

    def end(self) -> None:
        """Kill the kernel and all that it started, if it has not ended."""
        if self.has_process:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def _learn_memory(self) -> None:
        """Note the most memory that the kernel has held so far."""
        if self.wanted is not None:
            with suppress(OSError):
                lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
                peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
                self.wanted.peak_kib = max(peaks, default=self.wanted.peak_kib)
