"""The warm server as a refresh sees it, and what kernels of a refresh are started with."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from weakref import WeakSet

PATIENCE = 60  # seconds in which a server that is still importing must answer


# The environment that a run of a refresh wants for its kernel.
wanted: ContextVar[dict[str, str] | None] = ContextVar("wanted", default=None)


class Server:
    """The warm server as the refresh sees it: started at most once, gone with the refresh."""

    def __init__(self, env: dict[str, str], modules: tuple[str, ...], say: Callable[[str], None]):
        self.env, self.modules, self.say = env, modules, say
        self.lock, self.process, self.control = threading.Lock(), None, None
        self.ended = False  # no kernel may start any more

    def start(self) -> None:
        """Start the server if it is not there; it imports while others go on."""
        with self.lock:
            if self.process is None and sys.platform == "linux":
                self.control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
                command = [sys.executable, "-P", "-m", "retention_runner.warm"]
                self.process = subprocess.Popen(
                    [*command, str(theirs.fileno()), *self.modules],
                    env=self.env,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the refresh
                )
                theirs.close()

    def fork(self, argv: list[str], cwd: str, env: dict[str, str]) -> "Forked | None":
        """A kernel; None where there is no server or it does not answer, which is said once:
        kernels are ordinary ones from then on."""
        lifeline, theirs = socket.socketpair()
        try:
            with theirs, self.lock:
                if self.control is None:
                    raise ValueError("no server")
                request = json.dumps({"argv": argv, "cwd": cwd, "env": env}).encode()
                socket.send_fds(self.control, [request], [theirs.fileno()])
            lifeline.settimeout(PATIENCE)
            if not (answer := lifeline.recv(20)):
                raise ValueError("the warm server has gone")
            return Forked(int(answer), lifeline)
        except (OSError, ValueError) as error:
            lifeline.close()
            with self.lock:
                if self.control is not None:
                    self.control = self.control.close()
                    self.say(f"kernels start afresh, which takes longer: {error}")
            return None

    def stop(self) -> None:
        with self.lock:
            if self.control is not None:
                self.control = self.control.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Forked:
    """A forked kernel with the methods of subprocess.Popen that Jupyter uses.

    It ends with all that it started, at the latest when ``lifeline`` closes.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, lifeline: socket.socket):
        self.pid, self.lifeline = pid, lifeline
        self.ending: int | None = os.pidfd_open(pid)  # no other process can take its number

    def poll(self, seconds: float = 0) -> int | None:
        """An exit code once it has ended."""
        if self.ending is not None:
            if not select.select([self.ending], [], [], seconds)[0]:
                return None
            with suppress(ProcessLookupError):  # what it had started goes as well
                os.killpg(self.pid, signal.SIGKILL)
            os.close(self.ending)
            self.lifeline.close()
            self.ending = None
        return 1

    def wait(self) -> int:
        return self.poll(None)

    def send_signal(self, signum: int) -> None:
        if self.ending is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signum)
            if signum == signal.SIGKILL:
                self.poll(5)  # Jupyter would look once and then sleep


running = WeakSet()  # kernels that have been started
current: Server | None = None


@contextmanager
def serving(
    env: dict[str, str], modules: tuple[str, ...], say: Callable[[str], None]
) -> Iterator[Server]:
    """A warm server for the kernels of this process, which has imported ``modules``, started when
    it is first asked to; when this ends, so do all kernels."""
    global current  # noqa: PLW0603
    current = Server(env, modules, say)
    try:
        yield current
    finally:
        stop_all()
        current = current.stop()


def stop_all() -> None:
    """Kill every kernel of this process, also those that are just about to start."""
    if current is not None:
        current.ended = True
    for kernel in list(running):
        kernel.end()
