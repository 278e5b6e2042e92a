"""Reads Propolis's USDT probes, as the dtrace one-liner in docs/validate.md prints them.

A line is `TIMESTAMP PROBE ARG0 ARG1 ARG2 ARG3`. Probes and arguments: oxidecomputer/propolis,
lib/propolis/src/hw/nvme/queue.rs and mod.rs (`mod probes`), at 372a5744. A queue's number there is the controller's
number times 65536, plus the queue's identifier; before fc2def40 (December 2025) it is the identifier alone.

A probe fires just after a read of a shadow word, and just before the device writes EventIdx or a CQE, or handles a
doorbell. All but doorbells fire with the queue's lock held.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from uncork_nvme.observe import LOOK

from uncork.core.sorts import Value
from uncork.logs import Header, Log, LogError, Seen, numbered

_LINE = re.compile(r"(\d{1,20})\s+(nvme[-_\w]+)((?:\s+-?\d{1,20})*)")
_ALWAYS = ("ring_sq", "ring_cq", "read_sq", "write_sq", "cqe", "read_cq", "write_cq")
_TAKES = {
    "nvme_cqe": ("cqe", 2, "cq.tail", ""),
    "nvme_sq_dbbuf_read": ("read_sq", 3, "sq0.head", "sq0.shadow"),
    "nvme_sq_dbbuf_write": ("write_sq", 2, "", "sq0.eventidx"),
    "nvme_cq_dbbuf_read": ("read_cq", 3, "cq.head", "cq.shadow"),
    "nvme_cq_dbbuf_write": ("write_cq", 2, "", "cq.eventidx"),
    "nvme_doorbell": ("", 4, "", ""),
}
"""The probes that are read: the event, how many arguments are read (after them comes what was in the registers), and
the names of the values that the last argument is from before the event, and the second just after it.

The third argument of the reads is called tail in their definition, and Propolis passes the head.
"""

_LOST = re.compile(r"\bdrops? on CPU\b")
"""Where dtrace says that events are missing."""


def read(lines: Iterator[str], cq: int | None = None) -> Log:
    """Returns the log of the completion queue `cq` and of the submission queue with the same identifier.

    Raises `LogError`, also if the log has several completion queues and `cq` is not given.
    """
    found, last, queues = list[tuple[int, str, list[int]]](), 0, set[int]()
    for number, line in numbered(lines):
        matched = _LINE.fullmatch(line)
        if matched is None:
            if _LOST.search(line):
                raise LogError(number, "events are missing here, so what follows is no log: record with larger buffers")
            if re.match(r"\d+\s", line):
                raise LogError(number, "not TIMESTAMP PROBE and numbers")
            continue
        time, probe, args = int(matched[1]), matched[2].replace("-", "_").replace("__", "_"), matched[3].split()
        if time < last:
            raise LogError(number, f"{time} is before {last}: sort the lines by their timestamps")
        last = time
        if probe not in _TAKES:
            continue
        takes = _TAKES[probe][1]
        if len(args) < takes:
            raise LogError(number, f"{probe} has {takes} arguments or more, not {len(args)}")
        values = [int(arg) for arg in args[:takes]]
        if probe == "nvme_doorbell":
            values = [values[1], values[3], values[2]]
        if values[0] & 0xFFFF:
            found.append((number, probe, values))
            if probe == "nvme_cqe":
                queues.add(values[0])
    if cq is None:
        if len(queues) != 1:
            if not queues:
                raise LogError(1, "no line of it is a probe that tells of a CQE")
            raise LogError(
                1, f"completions of the queues {', '.join(map(str, sorted(queues)))}: say which with --queue"
            )
        cq = next(iter(queues))
    events = [seen for number, probe, values in found if values[0] == cq for seen in _seen(number, probe, values)]
    return Log(Header("propolis-2026", "linux", None, 1, always=_ALWAYS), events)


def _seen(number: int, probe: str, values: list[int]) -> Iterator[Seen]:
    if probe == "nvme_doorbell":
        if values[2]:
            yield Seen(number, "ring_cq", None, None, {"cq.shadow": values[1]})
        else:
            yield Seen(number, "ring_sq", 0, None, {"sq0.shadow": values[1]})
        return
    event, _, before, after = _TAKES[probe]
    if before:
        yield Seen(number, LOOK, saw={before: values[-1]})
    saw: dict[str, Value] = {after: values[1]} if after else {}
    yield Seen(number, event, 0 if event.endswith("_sq") else None, None, saw)
