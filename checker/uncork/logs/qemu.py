"""Reads QEMU's trace of its NVMe device, for one completion queue and the submission queues that complete into it.

The events are those of QEMU's hw/nvme/trace-events, as 7.1 to 7.2 and as 8.0 and later name them, in any form that has
an event a line: of the `log` backend, of `ftrace`, and of `simple` as scripts/simpletrace.py prints it. The guest's
steps are not logged. A read is traced just after it, and all of it under QEMU's lock: lines are in the order of steps.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from uncork.logs import Header, Log, LogError, Seen, count, numbered

_LINE = re.compile(r"pci_nvme_(\w+)\b(.*)")
_NUMBER = re.compile(r"(\w+)[ =](0x[0-9a-f]{1,16}|\d{1,20})\b")
_ALWAYS = (
    *("ring_sq", "notify_tail", "notify", "ring_cq", "notify_head", "fetch", "wake", "recheck_sq", "write_sq"),
    *("complete", "credit", "write_cq"),
)
_TAKES = {
    "create_cq": ("create_cq", "cqid", "qsize"),
    "create_sq": ("create_sq", "sqid", "cqid", "qsize"),
    "mmio_doorbell_sq": ("ring_sq", "sqid", "new_tail"),
    "mmio_doorbell_cq": ("ring_cq", "cqid", "new_head"),
    "shadow_doorbell_sq": ("read_sq", "sqid", "new_shadow_doorbell"),
    "shadow_doorbell_cq": ("read_cq", "cqid", "new_shadow_doorbell"),
    "eventidx_sq": ("write_sq", "sqid", "new_eventidx"),
    "eventidx_cq": ("write_cq", "cqid", "new_eventidx"),
    "update_sq_tail": ("read_sq", "sqid", "new_tail"),
    "update_cq_head": ("read_cq", "cqid", "new_head"),
    "update_sq_eventidx": ("write_sq", "sqid", "new_eventidx"),
    "update_cq_eventidx": ("write_cq", "cqid", "new_eventidx"),
    "io_cmd": ("fetch", "sqid", "cid"),
    "enqueue_req_completion": ("complete", "cqid", "cid"),
}
"""The trace events that are read (without pci_nvme_): what each is, and the numbers taken from it, its queue first.

QEMU 8.0 renamed shadow_doorbell_* to update_sq_tail and update_cq_head, and eventidx_* to update_*_eventidx.
"""

_ALSO = {"qsize": "size"}
"""Other names of numbers: the argument of create_cq, which the simple backend shows, is not named as its text is."""

_LOST = re.compile(r"Dropped_Event\b|\[LOST\b|\bEVENTS DROPPED\]|^Lost \d+ events")
"""Where simpletrace.py, ftrace, trace-cmd and bpftrace say that events are missing."""

_OVERWRITTEN = re.compile(r"entries-in-buffer/entries-written: (\d+)/(\d+)")
"""The head of ftrace's `trace` file: fewer entries in the buffer than were written means that the oldest are gone."""

_NOT_EVERYWHERE = "write_cq"
"""QEMU 7.2 writes CQ EventIdx without a trace event."""

_SIZED_BY_ONE = 1
"""QEMU logs a new queue's size minus one."""


def read(lines: Iterator[str], cq: int | None = None) -> Log:
    """Returns the log of the I/O completion queue `cq`; by default, of the only one with completions.

    The log begins at the last creation of the queue, or at the first line if no creation is logged. Raises `LogError`,
    also if the trace says that events of the queue were lost.
    """
    found = [each for number, line in numbered(lines) if (each := _line(number, line))]
    if cq is None:
        used = sorted({numbers[0] for _, event, numbers in found if event == "complete" and numbers[0]})
        if len(used) != 1:
            if not used:
                raise LogError(
                    1, "no line of it is a pci_nvme_enqueue_req_completion of an I/O queue: is it QEMU's trace?"
                )
            raise LogError(1, f"completions of the queues {', '.join(map(str, used))}: say which with --queue")
        cq = used[0]
    return _Queue(cq).log(found)


_Found = tuple[int, str, tuple[int, ...]]


def _line(number: int, line: str) -> _Found | None:
    matched = _LINE.search(line)
    if matched is None:
        kept = _OVERWRITTEN.search(line)
        return (number, "lost", ()) if (kept and kept[1] != kept[2]) or _LOST.search(line) else None
    if matched[1] not in _TAKES:
        return None
    numbers = {name: int(value, 16 if value.startswith("0x") else 10) for name, value in _NUMBER.findall(matched[2])}
    event, *names = _TAKES[matched[1]]
    values = [numbers.get(name, numbers.get(_ALSO.get(name, ""))) for name in names]
    for name, value in zip(names, values, strict=True):
        if value is None:
            raise LogError(number, f"pci_nvme_{matched[1]} without {name}")
    return number, event, tuple(value for value in values if value is not None)


class _Queue:
    """The state of a completion queue while its log is read. Creating the queue starts again."""

    def __init__(self, cq: int) -> None:
        self._cq = cq
        self._begin(None)

    def _begin(self, size: int | None) -> None:
        self._cq_size = size
        self._sqs, self._sizes = dict[int, int](), set[int]()
        self._running = dict[int, list[int | None]]()
        self._rechecks = set[int]()
        self._events = list[Seen]()
        self._done, self._tail = deque[int | None](), 0
        self._lost: int | None = None

    def log(self, found: list[_Found]) -> Log:
        """Returns the log of the lines found."""
        if all(numbers[1] != self._cq for _, event, numbers in found if event == "create_sq"):
            self._sqs = {self._cq: 0}  # the creation is not logged: take the SQ of the same number, as drivers do
        for number, event, numbers in found:
            if event == "lost":
                self._lost = self._lost or number
            elif event == "create_cq":
                if numbers[0] == self._cq:
                    self._begin(count(number, "qsize", numbers[1] + _SIZED_BY_ONE))
            elif event == "create_sq":
                self._creates_sq(number, *numbers)
            elif numbers[0] == self._cq if event in _OF_CQ else numbers[0] in self._sqs:
                self._events += self._seen(number, event, *numbers)
        if self._lost:
            raise LogError(self._lost, "events are missing here, so what follows is no log: record with larger buffers")
        if not self._sqs:
            raise LogError(1, f"no SQ in it completes into CQ {self._cq}")
        if len(self._sizes) > 1:
            raise LogError(1, f"SQs of {' and '.join(map(str, sorted(self._sizes)))} entries: the model has one size")
        size = next(iter(self._sizes), None)
        shown = {seen.event for seen in self._events}
        always = tuple(event for event in _ALWAYS if event in shown or event != _NOT_EVERYWHERE)
        always = (*always, "post_queued") if self._cq_size else always
        return Log(Header("qemu", "linux", None, len(self._sqs), size, self._cq_size, {}, always), self._events)

    def _creates_sq(self, number: int, sqid: int, cqid: int, size: int) -> None:
        if cqid != self._cq:
            self._sqs.pop(sqid, None)
            return
        if self._events:
            raise LogError(number, f"SQ {sqid} is created while its CQ is in use: cut the log before")
        self._sqs.setdefault(sqid, len(self._sqs))
        self._sizes.add(size + _SIZED_BY_ONE)

    def _seen(self, number: int, event: str, queue: int, value: int) -> Iterator[Seen]:
        sq = None if event in _OF_CQ else self._sqs[queue]
        name = f"sq{sq}"
        match event:
            case "ring_sq":
                yield Seen(number, "ring_sq", sq, None, {f"{name}.shadow": value})
                yield Seen(number, "notify_tail", sq)
                yield Seen(number, "notify", sq)
            case "read_sq":
                assert sq is not None
                again = sq in self._rechecks
                self._rechecks.discard(sq)
                saw = {f"{name}.shadow": value, f"{name}.tail": value}
                yield Seen(number, "recheck_sq" if again else "wake", sq, None, saw)
            case "fetch":
                self._running.setdefault(value, []).append(sq)
                yield Seen(number, "fetch", sq)
            case "write_sq":
                assert sq is not None
                self._rechecks.add(sq)
                yield Seen(number, "write_sq", sq, None, {f"{name}.eventidx": value})
            case "complete":
                of = self._running.pop(value, [])
                if not of:
                    raise LogError(number, f"command {value} completes and was not taken: the log began too late")
                one = of[0] if len(set(of)) == 1 else None  # otherwise one of several SQs, unknown which
                if len(of) > 1:
                    self._running[value] = [one] * (len(of) - 1)
                self._done.append(one)
                yield Seen(number, "complete", one)
            case "write_cq":
                yield Seen(number, "write_cq", None, None, {"cq.eventidx": value})
            case "read_cq":
                yield Seen(number, "credit", None, None, {"cq.shadow": value, "cq.head": value})
                if self._cq_size and self._done and (self._tail + 1) % self._cq_size != value:
                    # nvme_post_cqes posts at once, the oldest first, without a trace event.
                    self._tail = (self._tail + 1) % self._cq_size
                    yield Seen(number, "post_queued", self._done.popleft())
            case "ring_cq":
                yield Seen(number, "ring_cq", None, None, {"cq.shadow": value})
                yield Seen(number, "notify_head", None, None, {"cq.head": value})


_OF_CQ = ("complete", "read_cq", "write_cq", "ring_cq")
"""What the lines are that name a completion queue first; the others name a submission queue."""
