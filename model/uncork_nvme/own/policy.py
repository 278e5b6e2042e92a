"""Runs policies of the user's own. Their files are Python, so each runs in a separate process that returns data only.

Whatever a file does there (ends the process, never returns, takes all memory) becomes an error message, and never an
exit code. The process gets a `CQView`, and answers with an expression.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import linecache
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import ModuleType
from typing import Any

from uncork.core.sorts import did_you_mean

from uncork_nvme.choices import InstanceError
from uncork_nvme.device import Composed, Device
from uncork_nvme.own.file import module
from uncork_nvme.policies import CQView, EventIdx, Policy, policy

_START = 60.0
"""Seconds for a process to start, before it reads the user's file."""
_MEMORY = 2 * 2**30
"""The most bytes of memory for the process."""
_patience = 10.0


def patience(seconds: float) -> None:
    """Sets the seconds for a file to load and for a policy to answer (default: ten)."""
    global _patience
    _patience = seconds


@dataclass(frozen=True)
class _Loaded:
    """The answer when a file was loaded: the policy's place in the file, and its source if it is a function.

    `kind` is `device` or `guest` for what is none, and has to be loaded in another way.
    """

    doc: str
    at_cork: bool
    file: str
    line: int
    source: str
    kind: str = "policy"


# -- here --------------------------------------------------------------------------------------------------------------
class Own:
    """The formula of a user's own policy, and the data about it."""

    def __init__(self, name: str, process: _Process) -> None:
        self.name, self._process = name, process
        self._given: dict[bytes, EventIdx] = {}
        self.told: _Loaded = process.ask(name, None)

    def __call__(self, view: CQView) -> EventIdx:
        """The EventIdx that the policy gives; raises `InstanceError`."""
        key = pickle.dumps(view)
        if key not in self._given:
            self._given[key] = self._process.ask(self.name, key)
        return self._given[key]


_processes: dict[str, _Process] = {}


def load(name: str) -> Policy:
    """The policy of `path/to/file.py:function`; raises `InstanceError`."""
    found = Own(name, _process(name))
    if found.told.kind != "policy":
        raise InstanceError(f"policy {name}: it is a {found.told.kind}: name it with --{found.told.kind}")
    return Policy(name, found.told.doc, found, name.rpartition(":")[0], found.told.at_cork)


def kind(name: str) -> str:
    """Whether `path/to/file.py:name` is a `policy`, `device` or `guest`; raises `InstanceError`."""
    told: _Loaded = _process(name).ask(name, None)
    return told.kind


def _process(name: str) -> _Process:
    """The process of a policy's file."""
    path = name.rpartition(":")[0]
    if not os.path.isfile(path):
        raise InstanceError(f"policy {name}: there is no file {path}")
    if not path.endswith(".py"):
        raise InstanceError(f"policy {name}: {path} is not a Python file (its name has to end in .py)")
    if path not in _processes:
        _processes[path] = _Process(path)
    return _processes[path]


def forget() -> None:
    """Ends the processes, so that files are loaded again."""
    for process in _processes.values():
        process.end()
    _processes.clear()


class _Process:
    """A process that has loaded one file; it ends when this process ends."""

    def __init__(self, path: str) -> None:
        self.path, self._lock = path, threading.Lock()
        self._link, theirs = Pipe()
        life, self._life = os.pipe()  # closes when this process ends, however it ends
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from uncork_nvme.own.policy import serve; serve({theirs.fileno()}, {life})"
        )
        with theirs:
            self._running = subprocess.Popen(
                [sys.executable, "-c", code], pass_fds=(theirs.fileno(), life), stdin=subprocess.DEVNULL
            )
        os.close(life)
        self._ready = False

    def ask(self, name: str, view: bytes | None) -> Any:
        """The answer about a function of the file: its data, or its value on a view. Raises `InstanceError`."""
        with self._lock:
            try:
                self._await(f"policy {name}: no process could be started for {self.path}", _START, ready=True)
                self._link.send_bytes(pickle.dumps((name, view)))
                did = "gives no answer" if view else f"{self.path} is not loaded"
                answer = self._await(f"policy {name}: {did} after {_patience:g} s", _patience)
            except (EOFError, OSError):
                how = self._ended()
                raise InstanceError(
                    f"policy {name}: {self.path} ends the process that it runs in ({how}); a policy returns a position"
                ) from None
        try:
            found = _Data(io.BytesIO(answer)).load()
        except Exception as error:
            raise InstanceError(f"policy {name} gives what is no expression: {error}") from None
        if isinstance(found, str):
            raise InstanceError(found)
        return found

    def _await(self, otherwise: str, seconds: float, *, ready: bool = False) -> bytes:
        if ready and self._ready:
            return b""
        if not self._link.poll(seconds):
            self.end()
            raise InstanceError(otherwise)
        self._ready = True
        return self._link.recv_bytes()

    def _ended(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._running.wait(1)
        code = self._running.poll()
        self.end()
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self._running.kill()
        self._running.wait()
        self._link.close()
        with contextlib.suppress(OSError):
            os.close(self._life)


class _Data(pickle.Unpickler):
    """Reads expressions only, so that a file cannot make this process run code."""

    _KNOWN = (
        ("uncork.core.expr", "Expr"),
        *(("uncork.core.sorts", name) for name in ("Array", "Bool", "Enum", "Range", "Ring")),
        *(("uncork.core.size", name) for name in ("Size", "Symbol")),
        ("uncork_nvme.policies", "EventIdx"),
        ("uncork_nvme.own.policy", "_Loaded"),
    )

    def find_class(self, module: str, name: str) -> Any:
        """The class of that name, if expressions are made of it."""
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return super().find_class(module, name)


# -- in the process of a file ------------------------------------------------------------------------------------------
def serve(link: int, life: int) -> None:
    """Answers questions until the parent ends; the file's output goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    threading.Thread(target=_outlived, args=(life,), daemon=True).start()
    with contextlib.suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.dup2(2, 1)
    asked = Connection(link)
    modules: dict[str, ModuleType] = {}
    try:
        asked.send_bytes(b"ready")
        while True:
            name, view = pickle.loads(asked.recv_bytes())
            try:
                answer = pickle.dumps(_answer(modules, name, view))
            except BaseException as error:
                answer = pickle.dumps(_in_file(name, error))
            asked.send_bytes(answer)
    finally:
        os._exit(1)  # without the handlers that the file may have registered


def _outlived(life: int) -> None:
    os.read(life, 1)
    os._exit(1)


def _answer(modules: dict[str, ModuleType], name: str, view: bytes | None) -> _Loaded | EventIdx | str:
    path, _, function = name.rpartition(":")
    if path not in modules:
        modules[path] = _module(path)
    of = modules[path]
    found = getattr(of, function, None)
    if found is None:
        made = [
            n
            for n, value in vars(of).items()
            if isinstance(value, Policy) or getattr(value, "__module__", "") == of.__name__
        ]
        return f"policy {name}: {path} has no {function!r}{did_you_mean(function, made)}"
    if not isinstance(found, Policy):
        if isinstance(found, Composed):
            return _Loaded(found.doc, False, *found.place, "", "device" if isinstance(found, Device) else "guest")
        if not callable(found):
            return f"policy {name}: {function} is not a function"
        found = policy(found)
    if not _takes_one(found.formula):
        return f"policy {name}: a policy takes one argument, the device's view of its CQ: def {function}(cq)"
    if view is not None:
        given = Policy(name, found.doc, found.formula, path, found.at_cork).event_idx(pickle.loads(view))
        return EventIdx(given.value, given.written)
    return _Loaded(found.doc, found.at_cork, *(_place(found.formula) or (path, 1, "")))


def _takes_one(formula: Callable[..., Any]) -> bool:
    try:
        inspect.signature(formula).bind(None)
    except TypeError:
        return False
    except ValueError:  # a callable whose arguments are not known
        return True
    return True


def _place(formula: Callable[..., Any]) -> tuple[str, int, str] | None:
    formula = inspect.unwrap(formula)
    code = getattr(formula, "__code__", None)
    if code is None:  # a callable that is no Python function
        return None
    try:
        return code.co_filename, code.co_firstlineno, inspect.getsource(formula)
    except OSError:  # made by exec, say
        return code.co_filename, code.co_firstlineno, ""


def _module(path: str) -> ModuleType:
    # As Python does for a script: the file may import its neighbours, and no byte code is written there.
    sys.path.insert(0, str(Path(path).resolve().parent))
    sys.dont_write_bytecode = True
    return module(path)


def _in_file(name: str, error: BaseException) -> str:
    """The message for an error, with the line of the user's file if the error comes from there."""
    path = name.rpartition(":")[0]

    def here(filename: str | None) -> bool:
        return filename is not None and Path(filename).resolve() == Path(path).resolve()

    said = str(error) or type(error).__name__
    if not isinstance(error, Exception):
        said = f"{type(error).__name__} ({said}): a policy returns a position"
    if isinstance(error, SyntaxError) and here(error.filename):
        return f"{path}:{error.lineno}: {error.msg}\n    {(error.text or '').strip()}"
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if here(frame.filename)]
    if lines:
        last = lines[-1]
        source = linecache.getline(last.filename, last.lineno or 0).strip()
        return f"{path}:{last.lineno}: {said}\n    {source}"
    return f"{name}: {said}"
