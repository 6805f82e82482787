"""The warm server as a refresh sees it, and what kernels of a refresh are started with."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

PATIENCE = 60  # seconds in which a server that is still importing must answer


@dataclass
class Wanted:
    """What a run asks of its kernel, and what it learns of it."""

    env: dict[str, str]
    kind: str = ""
    peak_kib: int | None = None


wanted: ContextVar[Wanted | None] = ContextVar("wanted", default=None)


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

    def fork(self, argv: list[str], cwd: str, env: dict[str, str]) -> tuple[socket.socket, int]:
        """A kernel's lifeline and process id.

        Raises:
            OSError, ValueError: there is no server, or it does not answer.
        """
        lifeline, theirs = socket.socketpair()
        with theirs, ExitStack() as unless_it_answers:
            unless_it_answers.enter_context(lifeline)
            request = json.dumps({"argv": argv, "cwd": cwd, "env": env}).encode()
            with self.lock:
                if self.control is None:
                    raise ValueError("no server")
                socket.send_fds(self.control, [request], [theirs.fileno()])
            theirs.close()
            lifeline.settimeout(PATIENCE)
            if not (answer := lifeline.recv(20)):
                raise ValueError("the warm server has gone")
            unless_it_answers.pop_all()
        return lifeline, int(answer)

    def give_up(self, error: Exception) -> None:
        """Say once that kernels are ordinary ones from here on."""
        with self.lock:
            if self.control is not None:
                self.control = self.control.close()
                self.say(f"kernels start afresh, which takes longer: {error}")

    def stop(self) -> None:
        with self.lock:
            if self.control is not None:
                self.control = self.control.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()


running = set()  # kernels that have been started and have not ended
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
        kernel.signal(signal.SIGKILL)
