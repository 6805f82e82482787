"""Kernels for the notebooks of a refresh: forked from the warm server, or ordinary ones.

Jupyter finds `Kernels` by its entry point (pyproject.toml), so papermill and nbclient are used as
they are. Whatever goes wrong with the server, the kernel is an ordinary one.
"""

import asyncio
import os
import select
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from jupyter_client.provisioning import LocalProvisioner

from retention_runner import server


class Kernels(LocalProvisioner):
    """Forks a kernel from the server; where it cannot, starts an ordinary one."""

    lifeline: socket.socket | None = None  # while it is open, the kernel may live
    forked: int | None = None  # a descriptor of the process: no other can take its number
    learnt: server.Wanted | None = None

    @property
    def has_process(self) -> bool:
        return self.forked is not None or super().has_process

    async def pre_launch(self, **kwargs):
        self.learnt = server.wanted.get()
        if self.learnt is None:  # nobody's run of a refresh
            return await super().pre_launch(**kwargs)
        if sys.platform != "win32":  # a socket in a private folder: no port for others to take
            self.parent.transport = "ipc"
            self.parent.ip = os.path.relpath(Path(tempfile.gettempdir()) / self.kernel_id[:8])
        return await super().pre_launch(**kwargs) | {"env": self.learnt.env}

    async def launch_kernel(self, cmd: list[str], **kwargs):
        server.running.add(self)
        try:
            if server.current is None or self.learnt is None:
                raise ValueError("no server")
            argv, cwd = cmd[cmd.index("-f") :], kwargs.get("cwd") or os.getcwd()
            self.lifeline, pid = server.current.fork(argv, cwd, kwargs["env"])
            self.forked = os.pidfd_open(pid)
        except (OSError, ValueError) as error:
            if server.current is not None and self.learnt is not None:
                server.current.give_up(error)
            await super().launch_kernel(cmd, **kwargs)
        else:
            self.pid = self.pgid = pid
        self._learn(kind="forked" if self.forked else "ordinary")
        if server.current is not None and server.current.ended:
            self.signal(signal.SIGKILL)
        return self.connection_info

    async def poll(self) -> int | None:
        self._learn()
        if self.forked is None:
            return await super().poll()
        if not select.select([self.forked], [], [], 0)[0]:
            return None
        self.signal(signal.SIGKILL)  # however it has ended, what it had started goes as well
        server.running.discard(self)
        os.close(self.forked)
        self.lifeline.close()
        self.forked = None
        return 1

    async def wait(self) -> int | None:
        if self.forked is None:
            code = await super().wait()
        else:
            while (code := await self.poll()) is None:
                await asyncio.sleep(0.01)
        server.running.discard(self)
        return code

    async def send_signal(self, signum: int) -> None:
        if self.forked is None:
            await super().send_signal(signum)
        else:
            self.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        self._learn()
        if self.forked is None:
            await super().kill(restart)
        else:
            self.signal(signal.SIGKILL)
            for _ in range(1000):  # Jupyter would look once and then sleep
                if await self.poll() is not None:
                    break
                await asyncio.sleep(0.005)

    async def terminate(self, restart: bool = False) -> None:
        self._learn()
        await (
            super().terminate(restart) if self.forked is None else self.send_signal(signal.SIGTERM)
        )

    def signal(self, signum: int) -> None:
        """Send a signal to the kernel and all that it started, if it has started itself."""
        if self.pid is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signum)

    def _learn(self, kind: str = "") -> None:
        """Note how the kernel was started, and the most memory it has held so far."""
        if self.learnt is None:
            return
        self.learnt.kind = kind or self.learnt.kind
        with suppress(OSError):
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
            peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
            self.learnt.peak_kib = max(peaks, default=self.learnt.peak_kib)
