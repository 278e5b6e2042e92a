"""A harness: a program of the user's own around a device, which is driven by JSON Lines. See docs/harness.md.

What a harness says is checked before it is believed. A harness that cannot be believed raises `HarnessError`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Protocol

from uncork_nvme.choices import InstanceError
from uncork_nvme.shape import Shape

from uncork.conform.rig.child import ends_with_us
from uncork.core import jsontext
from uncork.core.frozen import frozen

PROTOCOL = 1
"""The version of the protocol."""
PATIENCE = 10.0
"""Seconds that a harness has for an answer."""
SCHEMA = Path(__file__).with_name("harness.schema.json")
"""The JSON Schema of what both sides say."""
_LONGEST = 1 << 20
"""Bytes of the longest line."""
_GRACE = 0.3
"""Seconds that a harness has to end by itself after its input has ended, and again after SIGTERM."""
_MOST_INDEX = 2**32 - 1

Word = Literal["died", "hangs", "rubbish", "out of order", "lies", "version", "refuses"]


class HarnessError(Exception):
    """A harness that cannot be driven or believed. `word` says in which way, the message what it did."""

    def __init__(self, word: Word, message: str) -> None:
        super().__init__(message)
        self.word = word


@frozen
class Hello:
    """What a harness says of itself.

    - `name` is its device and version, as text.
    - `threads` are the threads that it can step one by one. Every other thread runs by itself.
    - `events` are the events that it tells whenever a stepped thread takes them.
    """

    name: str
    threads: tuple[str, ...]
    events: frozenset[str]


@frozen
class Cqe:
    """What is in a CQ slot: the phase tag, the SQ and command of the completion, and its status, where that is told.

    The protocol has no status.
    """

    phase: int
    sq: int
    cid: int
    status: int = 0


@dataclass
class Cursor:
    """Where a guest takes CQEs of a CQ with `size` slots: the slot, and the phase tag of a new CQE there."""

    size: int
    at: int = 0
    phase: int = 1

    def new(self, slot: int, cqe: Cqe) -> bool:
        """Returns whether a CQE in a slot has not been taken."""
        return cqe.phase == (self.phase if slot >= self.at else self.phase ^ 1)

    def passes(self) -> None:
        """Goes on to the next slot."""
        self.at = (self.at + 1) % self.size
        self.phase ^= self.at == 0


@frozen
class Answer:
    """What a harness shows after a request.

    - `words` has the shared words, `values` what else it tells, both by their names in logs.
    - `cqes` has the CQ, slot by slot.
    - `did` are the events of the stepped thread, in their order.
    - `waits` says why the stepped thread does not go on: `sleep`, `lock`; empty if it does.
    """

    words: Mapping[str, int]
    cqes: tuple[Cqe, ...]
    did: tuple[str, ...] = ()
    waits: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


class Driven(Protocol):
    """What is driven: a harness, or QEMU in this process. `shape` has the sizes of the last `hello`."""

    shape: Shape | None

    def hello(self, shape: Shape) -> Hello:
        """Begins a conversation about queues of these sizes."""

    def ask(self, do: str, **more: int | str) -> Answer:
        """Sends a request. Returns what is seen after it."""


class Harness:
    """A running harness, which ends with its `with` block, and its children with it.

    Raises `InstanceError` for a program that cannot be started, and `HarnessError`.
    """

    def __init__(self, command: Sequence[str], patience: float = PATIENCE) -> None:
        self.command, self.patience = list(command), patience
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._number, self._buffer = 0, b""
        self.shape: Shape | None = None

    def __enter__(self) -> Harness:
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # -- what is asked -------------------------------------------------------------------------------------------------
    def hello(self, shape: Shape) -> Hello:
        """Begins a conversation about queues of these sizes, with a new process if there was one before."""
        if self.shape is not None or self._process is None:
            self.close()
            self._start()
        self.shape = shape
        sizes = {"sqs": shape.sqs, "sq_size": shape.sq_size, "cq_size": shape.cq_size}
        said = self._ask("hello", {"protocol": PROTOCOL, **sizes})
        if said.get("protocol") != PROTOCOL:
            raise HarnessError("version", f"it speaks protocol {said.get('protocol')!r:.40}, and this is {PROTOCOL}")
        _only(said, {"protocol", "name", "threads", "events", *sizes}, "hello")
        for name, size in sizes.items():
            if said.get(name, size) != size:
                raise HarnessError("refuses", f"its {name} is {said[name]!r:.40}, and not {size}")
        threads, events = _texts(said, "threads"), _texts(said, "events")
        if len(set(threads)) < len(threads):
            raise HarnessError("rubbish", f"it names a thread twice: {', '.join(threads)}")
        return Hello(_text(said, "name"), threads, frozenset(events))

    def ask(self, do: str, **more: int | str) -> Answer:
        """Sends a request. Returns what is seen after it."""
        assert self.shape is not None, "first hello"
        said = self._ask(do, more)
        _only(said, {"words", "cqes", "did", "waits", "values"}, do)
        waits = said.get("waits", "")
        if waits not in ("", "sleep", "lock"):
            raise HarnessError("rubbish", f"'waits' is sleep, lock or left out, not {waits!r:.40}")
        values = said.get("values", {})
        if not isinstance(values, dict):
            raise HarnessError("rubbish", f"'values' is an object, not {values!r:.40}")
        return Answer(_words(said, self.shape), _cqes(said, self.shape), _texts(said, "did"), waits, values)

    def _ask(self, do: str, more: Mapping[str, int | str]) -> dict[str, Any]:
        self._number += 1
        process = self._process
        assert process is not None and process.stdin is not None
        if self._buffer or self._ready(0):
            line = self._line(do)
            raise HarnessError("out of order", f"it speaks before it is asked to {do}: {line[:80]!r}")
        try:
            os.write(process.stdin.fileno(), json.dumps({"n": self._number, "do": do, **more}).encode() + b"\n")
        except OSError:
            raise self._ended(do) from None
        line = self._line(do)
        try:
            said = jsontext.loads(line.decode())
        except ValueError as error:
            raise HarnessError("rubbish", f"its answer to {do} is no JSON ({error}): {line[:80]!r}") from None
        if not isinstance(said, dict):
            raise HarnessError("rubbish", f"its answer to {do} is no object: {line[:80]!r}")
        number = said.pop("n", None)
        if type(number) is not int:
            raise HarnessError("rubbish", f"its answer to {do} has no number 'n': {line[:80]!r}")
        if number != self._number:
            raise HarnessError("out of order", f"it answers request {number}, and was asked request {self._number}")
        if "error" in said:
            raise HarnessError("refuses", f"asked to {do}, it says: {_text(said, 'error')[:200]}")
        return said

    def _line(self, do: str) -> bytes:
        """Returns the next line, without its end."""
        process, until = self._process, time.monotonic() + self.patience
        assert process is not None and process.stdout is not None
        while b"\n" not in self._buffer:
            if len(self._buffer) > _LONGEST:
                raise HarnessError("rubbish", f"its answer to {do} has more than {_LONGEST:,} bytes in a line")
            if not self._ready(until - time.monotonic()):
                raise HarnessError("hangs", f"it has not answered {do} within {self.patience:g} s")
            more = os.read(process.stdout.fileno(), 1 << 16)
            if not more:
                raise self._ended(do)
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _ready(self, seconds: float) -> bool:
        """Returns whether there is something to read within some seconds."""
        return bool(self._poll.poll(max(seconds, 0) * 1_000))

    # -- the process ---------------------------------------------------------------------------------------------------
    def _start(self) -> None:
        self._number, self._buffer, self.shape = 0, b"", None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        try:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                start_new_session=True,
                preexec_fn=ends_with_us(),
            )
        except OSError as error:
            self.close()
            raise InstanceError(f"{self.command[0]} cannot be started: {error.strerror or error}") from None
        assert self._process.stdout is not None
        self._poll = select.poll()
        self._poll.register(self._process.stdout, select.POLLIN | select.POLLHUP)

    def _ended(self, do: str) -> HarnessError:
        """Returns the error of a harness that has ended, or closed its output, instead of an answer."""
        process = self._process
        assert process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        code = process.poll()
        how = "closed its output" if code is None else f"ended with {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = f"was ended by {signal.Signals(-code).name}"
        return HarnessError("died", f"it {how} and has not answered {do}{self.last_words}")

    @property
    def last_words(self) -> str:
        """The last line on its standard error, after a colon; empty if there is none."""
        if self._said is None:
            return ""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1][:200]}" if lines else ""

    def close(self) -> None:
        """Ends the harness and its children, whatever they do: by the end of its input, SIGTERM, and SIGKILL."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
            if process.returncode is None:
                for number in (0, signal.SIGTERM):
                    if number:
                        _tell(process, number)
                    if _over(process, _GRACE):
                        break
                _tell(process, signal.SIGKILL)  # also what it has left behind
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if self._said is not None:
            self._said.close()
            self._said = None


def _tell(process: subprocess.Popen[bytes], number: int) -> None:
    """Sends a signal to the harness's group. Its leader is not reaped yet, so the group is still its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _over(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Returns whether a process ends within some seconds, and leaves it to be reaped."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.005)
    return False


# -- what is in an answer ----------------------------------------------------------------------------------------------
def word_names(shape: Shape) -> list[str]:
    """Returns the names of the shared words."""
    rings = ["cq", *(f"sq{k}" for k in range(shape.sqs))]
    return [f"{ring}.{word}" for ring in rings for word in ("shadow", "eventidx")]


def _only(said: Mapping[str, Any], known: set[str], do: str) -> None:
    if unknown := sorted(said.keys() - known - {"note"}):
        raise HarnessError("rubbish", f"its answer to {do} has a field {unknown[0]!r:.40}, which the protocol has not")


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise HarnessError("rubbish", f"{name!r} is a text, not {value!r:.40}")
    return value


def _texts(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = said.get(name, [])
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise HarnessError("rubbish", f"{name!r} is a list of texts, not {values!r:.40}")
    return tuple(values)


def _words(said: Mapping[str, Any], shape: Shape) -> dict[str, int]:
    words, names = said.get("words"), word_names(shape)
    if not isinstance(words, dict) or words.keys() != set(names):
        raise HarnessError("rubbish", f"'words' has {', '.join(names)}, and nothing else; not {words!r:.80}")
    for name, value in words.items():
        if type(value) is not int or not 0 <= value <= _MOST_INDEX:
            raise HarnessError("rubbish", f"{name} is a number of 32 bits, not {value!r:.40}")
    return words


def _cqes(said: Mapping[str, Any], shape: Shape) -> tuple[Cqe, ...]:
    slots = said.get("cqes")
    right = isinstance(slots, list) and len(slots) == shape.cq_size
    if not right or not all(
        isinstance(each, list) and [type(part) for part in each] == [int] * 3 for each in slots or ()
    ):
        raise HarnessError(
            "rubbish", f"'cqes' has [phase, sq, cid] for each of {shape.cq_size} slots, not {slots!r:.80}"
        )
    found = tuple(Cqe(*each) for each in slots or ())
    if any(each.phase not in (0, 1) for each in found):
        raise HarnessError("rubbish", f"a phase tag is 0 or 1: {slots!r:.80}")
    return found
