"""Kernels for the notebooks of a refresh: forked from the warm server, or ordinary ones.

Jupyter finds `Kernels` by its entry point (pyproject.toml), so papermill and nbclient are used as
they are. Whatever goes wrong with the server, the kernel is an ordinary one.
"""

import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

from jupyter_client.provisioning import LocalProvisioner

from retention_runner import server


class Kernels(LocalProvisioner):
    """Forks a kernel from the server; where it cannot, starts an ordinary one."""

    async def pre_launch(self, **kwargs):
        env = server.wanted.get()
        if env is None:  # nobody's run of a refresh
            return await super().pre_launch(**kwargs)
        self.parent.transport = "ipc"  # a socket in a private folder: no port for others to take
        self.parent.ip = os.path.relpath(Path(tempfile.gettempdir()) / self.kernel_id[:8])
        return await super().pre_launch(**kwargs) | {"env": env}

    async def launch_kernel(self, cmd: list[str], **kwargs):
        if server.current is None:
            return await super().launch_kernel(cmd, **kwargs)
        server.running.add(self)
        argv, cwd = cmd[cmd.index("-f") :], kwargs.get("cwd") or os.getcwd()
        self.process = server.current.fork(argv, cwd, kwargs["env"])
        if self.process:
            self.pid = self.process.pid
        else:
            await super().launch_kernel(cmd, **kwargs)
        if server.current.ended:
            self.end()
        return self.connection_info

    def end(self) -> None:
        """Kill the kernel and all that it started, if it has not ended."""
        if self.has_process:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
