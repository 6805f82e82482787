"""The warm server: a process that has imported the heavy libraries and forks kernels.

It never imports Polars, whose threads do not survive a fork, and refuses to serve with more than
one thread. It speaks over a pair of sockets that it inherits, so that nothing lies in the file
system and both ends notice when the other is gone. Run as
`python -m retention_runner.warm FD MODULE...`.
"""

import fcntl
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

KERNEL = (  # what every kernel imports
    "ipykernel.debugger",
    "ipykernel.kernelapp",
    "ipykernel.inprocess",
    "IPython.core.completer",
    "IPython.display",
    "numpy",
)
NEVER = "polars"


def serve(control: socket.socket, modules: list[str]) -> None:
    """Import ``modules``, then fork a kernel for every request until the asker is gone.

    A request is {"argv", "cwd", "env"} with one file descriptor: the kernel's lifeline.
    """
    sys.modules["debugpy"] = None  # nobody debugs these kernels, and every fork would import it
    for name in (*modules, *KERNEL):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    if NEVER in sys.modules or len(os.listdir("/proc/self/task")) != 1:
        raise SystemExit("more than one thread, or Polars: forked kernels could hang")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the children
    while True:
        request, lifelines, _, _ = socket.recv_fds(control, 2**20, 1)
        if not request:
            return
        if os.fork() == 0:
            control.close()
            become_kernel(lifelines[0], **json.loads(request))
        os.close(lifelines[0])


def become_kernel(lifeline: int, argv: list[str], cwd: str, env: dict[str, str]) -> None:
    """Turn this fresh fork into a Jupyter kernel, as if it had been started by itself.

    When the other end of ``lifeline`` closes, the system ends the kernel and all it has started.
    """
    import numpy
    from ipykernel.kernelapp import IPKernelApp

    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    with suppress(OSError):  # where memory ends, the kernel goes before the refresh
        Path("/proc/self/oom_score_adj").write_text("500")
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    random.seed()
    numpy.random.seed()
    os.write(lifeline, str(os.getpid()).encode())
    try:
        IPKernelApp.launch_instance(argv=argv)
    finally:
        os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
