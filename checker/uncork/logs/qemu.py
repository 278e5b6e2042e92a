"""Reads QEMU's `-trace "pci_nvme_*"`, for one completion queue and the submission queues that complete into it.

The events are those of hw/nvme/trace-events, QEMU 7.1 and later. The guest's steps are not logged.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from uncork.logs import Header, Log, LogError, Seen, count, numbered

_LINE = re.compile(r"pci_nvme_(\w+)\b(.*)")
_NUMBER = re.compile(r"(\w+)[ =](0x[0-9a-f]{1,16}|\d{1,20})\b")
_ALWAYS = ("ring_sq", "ring_cq", "fetch", "wake", "recheck_sq", "write_sq", "complete", "credit", "write_cq")
_TAKES = {
    "create_cq": ("cqid", "qsize"),
    "create_sq": ("sqid", "cqid", "qsize"),
    "mmio_doorbell_sq": ("sqid", "new_tail"),
    "mmio_doorbell_cq": ("cqid", "new_head"),
    "shadow_doorbell_sq": ("sqid", "new_shadow_doorbell"),
    "shadow_doorbell_cq": ("cqid", "new_shadow_doorbell"),
    "eventidx_sq": ("sqid", "new_eventidx"),
    "eventidx_cq": ("cqid", "new_eventidx"),
    "io_cmd": ("cid", "sqid"),
    "enqueue_req_completion": ("cid", "cqid"),
}
"""The trace events that are read (without pci_nvme_), and the numbers taken from each."""

_NOT_EVERYWHERE = "write_cq"
"""QEMU 7.2 writes CQ EventIdx without a trace event."""

_SIZED_BY_ONE = 1
"""QEMU logs a new queue's size minus one."""


def read(lines: Iterator[str], cq: int | None = None) -> Log:
    """Returns the log of the I/O completion queue `cq`; by default, of the only one with completions.

    The log begins at the last creation of the queue, or at the first line if no creation is logged. Raises `LogError`.
    """
    found = [each for number, line in numbered(lines) if (each := _line(number, line))]
    if cq is None:
        used = sorted({n["cqid"] for _, event, n in found if event == "enqueue_req_completion" and n["cqid"]})
        if len(used) != 1:
            if not used:
                raise LogError(
                    1, "no line of it is a pci_nvme_enqueue_req_completion of an I/O queue: is it QEMU's trace?"
                )
            raise LogError(1, f"completions of the queues {', '.join(map(str, used))}: say which with --queue")
        cq = used[0]
    return _Queue(cq).log(found)


_Found = tuple[int, str, dict[str, int]]


def _line(number: int, line: str) -> _Found | None:
    matched = _LINE.search(line)
    if matched is None or matched[1] not in _TAKES:
        return None
    numbers = {name: int(value, 16 if value.startswith("0x") else 10) for name, value in _NUMBER.findall(matched[2])}
    for name in _TAKES[matched[1]]:
        if name not in numbers:
            raise LogError(number, f"pci_nvme_{matched[1]} without {name}")
    return number, matched[1], numbers


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

    def log(self, found: list[_Found]) -> Log:
        """Returns the log of the lines found."""
        named = {n["sqid"]: n["cqid"] for _, event, n in found if event == "create_sq"}
        if self._cq not in named.values():
            self._sqs = {self._cq: 0}  # the creation is not logged: take the SQ of the same number, as drivers do
        for number, event, n in found:
            if event == "create_cq" and n["cqid"] == self._cq:
                self._begin(count(number, "qsize", n["qsize"] + _SIZED_BY_ONE))
            elif event == "create_sq":
                self._creates_sq(number, n)
            elif n.get("cqid") == self._cq or n.get("sqid") in self._sqs:
                self._events += self._seen(number, event, n)
        if not self._sqs:
            raise LogError(1, f"no SQ in it completes into CQ {self._cq}")
        if len(self._sizes) > 1:
            raise LogError(1, f"SQs of {' and '.join(map(str, sorted(self._sizes)))} entries: the model has one size")
        size = next(iter(self._sizes), None)
        shown = {seen.event for seen in self._events}
        always = tuple(event for event in _ALWAYS if event in shown or event != _NOT_EVERYWHERE)
        always = (*always, "post_queued") if self._cq_size else always
        return Log(Header("qemu", "linux", None, len(self._sqs), size, self._cq_size, {}, always), self._events)

    def _creates_sq(self, number: int, n: dict[str, int]) -> None:
        if n["cqid"] != self._cq:
            self._sqs.pop(n["sqid"], None)
            return
        if self._events:
            raise LogError(number, f"SQ {n['sqid']} is created while its CQ is in use: cut the log before")
        self._sqs.setdefault(n["sqid"], len(self._sqs))
        self._sizes.add(n["qsize"] + _SIZED_BY_ONE)

    def _seen(self, number: int, event: str, n: dict[str, int]) -> Iterator[Seen]:
        sq = self._sqs.get(n["sqid"]) if "sqid" in n else None
        name = f"sq{sq}"
        match event:
            case "mmio_doorbell_sq":
                yield Seen(number, "ring_sq", sq, None, {f"{name}.shadow": n["new_tail"]})
                yield Seen(number, "notify_tail", sq)
                yield Seen(number, "notify", sq)
            case "shadow_doorbell_sq":
                assert sq is not None
                again, value = sq in self._rechecks, n["new_shadow_doorbell"]
                self._rechecks.discard(sq)
                saw = {f"{name}.shadow": value, f"{name}.tail": value}
                yield Seen(number, "recheck_sq" if again else "wake", sq, None, saw)
            case "io_cmd":
                assert sq is not None
                self._running.setdefault(n["cid"], []).append(sq)
                yield Seen(number, "fetch", sq)
            case "eventidx_sq":
                assert sq is not None
                self._rechecks.add(sq)
                yield Seen(number, "write_sq", sq, None, {f"{name}.eventidx": n["new_eventidx"]})
            case "enqueue_req_completion":
                of = self._running.pop(n["cid"], [])
                if not of:
                    raise LogError(number, f"command {n['cid']} completes and was not taken: the log began too late")
                one = of[0] if len(set(of)) == 1 else None  # otherwise one of several SQs, unknown which
                if len(of) > 1:
                    self._running[n["cid"]] = [one] * (len(of) - 1)
                self._done.append(one)
                yield Seen(number, "complete", one)
            case "eventidx_cq":
                yield Seen(number, "write_cq", None, None, {"cq.eventidx": n["new_eventidx"]})
            case "shadow_doorbell_cq":
                value = n["new_shadow_doorbell"]
                yield Seen(number, "credit", None, None, {"cq.shadow": value, "cq.head": value})
                if self._cq_size and self._done and (self._tail + 1) % self._cq_size != value:
                    # nvme_post_cqes posts at once, the oldest first, without a trace event.
                    self._tail = (self._tail + 1) % self._cq_size
                    yield Seen(number, "post_queued", self._done.popleft())
            case "mmio_doorbell_cq":
                yield Seen(number, "ring_cq", None, None, {"cq.shadow": n["new_head"]})
                yield Seen(number, "notify_head", None, None, {"cq.head": n["new_head"]})
