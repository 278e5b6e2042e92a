"""A process that has imported uncork and forks for every command, since importing takes longer than most commands.

`commands.py` starts it and `asking.py` asks it. Every command has a process of its own, with the streams, the folder
and the variables of whoever asked, as the installed `uncork` has.

Processes that a command spawns import this file as their main module, so it imports only Python's own.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import pkgutil
import select
import signal
import socket
import sys
import threading

LATE = ("uncork.engines.intrinsics", "uncork.engines.events.loops")
"""Modules that are not imported before a command needs them: they compile, and variables say where code is kept."""
_MOST = 1 << 20
"""Bytes of a request at most."""


def prepare() -> None:
    """Imports uncork, all of it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as its main does: a process with threads cannot be forked
    for name in ("uncork", "uncork_nvme", "uncork_properties"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if module.name not in LATE:
                importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def serve(listening: socket.socket) -> socket.socket | None:
    """Returns in a new process for every connection, with the connection; and here when standard input is closed."""
    while True:
        ready, _, _ = select.select([listening, 0], [], [], 0.1)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass  # what they cost becomes part of what this process cost
        if 0 in ready:
            return None
        if ready:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                return connection
            connection.close()


def begin(connection: socket.socket) -> None:
    """Returns in a new process that is as the command has to be; here it answers how that process ended, and ends."""
    request, streams, _, _ = socket.recv_fds(connection, _MOST, 3)
    arguments, folder, variables = marshal.loads(request)
    command = os.fork()
    if command:
        for stream in streams:
            os.close(stream)
        ended = os.pidfd_open(command)
        ready, _, _ = select.select([ended, connection], [], [])
        if ended not in ready:  # nobody waits for it any more
            os.kill(command, signal.SIGKILL)
        _, status = os.waitpid(command, 0)
        with contextlib.suppress(OSError):
            connection.send(marshal.dumps(os.waitstatus_to_exitcode(status)))
        os._exit(0)
    connection.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["uncork", *arguments]


def run() -> None:
    """Runs the command, and ends as Python does, but for the modules: to clear them all takes longer than a command."""
    try:
        importlib.import_module("uncork.__main__").main()
    except SystemExit as ended:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(ended.code or 0))


if __name__ == "__main__":
    prepare()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(sys.argv[1])
        listening.listen()
        os.write(1, b"\n")  # it can be asked
        connection = serve(listening)
    if connection is not None:
        begin(connection)
        run()
