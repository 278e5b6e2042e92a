"""Reads Propolis's USDT probes, as the dtrace one-liner in docs/validate.md prints them.

A line is `TIMESTAMP PROBE ARG0 ARG1 ARG2 ARG3`. Probes and arguments: oxidecomputer/propolis,
lib/propolis/src/hw/nvme/queue.rs and mod.rs (`mod probes`). A queue's number there is the controller's number
times 65536, plus the queue's identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from uncork.logs import Header, Log, LogError, Seen, numbered

_LINE = re.compile(r"(\d{1,20})\s+(nvme[-_\w]+)((?:\s+\d{1,20})*)")
_ALWAYS = ("ring_sq", "ring_cq", "read_sq", "write_sq", "cqe", "read_cq", "write_cq")
_TAKES = {
    **{"nvme_cqe": 2, "nvme_sq_dbbuf_read": 2, "nvme_sq_dbbuf_write": 2},
    **{"nvme_cq_dbbuf_read": 2, "nvme_cq_dbbuf_write": 2, "nvme_doorbell": 4},
}
"""The probes that are events, with their least number of arguments."""


def read(lines: Iterator[str], cq: int | None = None) -> Log:
    """Returns the log of the completion queue `cq` and of the submission queue with the same identifier.

    Raises `LogError`, also if the log has several completion queues and `cq` is not given.
    """
    found, last, queues = list[tuple[int, str, list[int]]](), 0, set[int]()
    for number, line in numbered(lines):
        matched = _LINE.fullmatch(line)
        if matched is None:
            if re.match(r"\d+\s", line):
                raise LogError(number, "not TIMESTAMP PROBE and numbers")
            continue
        time, probe, args = int(matched[1]), matched[2].replace("-", "_").replace("__", "_"), matched[3].split()
        if time < last:
            raise LogError(number, f"{time} is before {last}: sort the lines by their timestamps")
        last = time
        if probe not in _TAKES:
            continue
        if len(args) < _TAKES[probe]:
            raise LogError(number, f"{probe} has {_TAKES[probe]} arguments or more, not {len(args)}")
        values = [int(arg) for arg in args]
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


def _seen(number: int, probe: str, values: list[int]) -> list[Seen]:
    value = values[1]
    match probe:
        case "nvme_cqe":
            return [Seen(number, "cqe")]
        case "nvme_sq_dbbuf_read":
            return [Seen(number, "read_sq", 0, None, {"sq0.shadow": value})]
        case "nvme_sq_dbbuf_write":
            return [Seen(number, "write_sq", 0, None, {"sq0.eventidx": value})]
        case "nvme_cq_dbbuf_read":
            return [Seen(number, "read_cq", None, None, {"cq.shadow": value})]
        case "nvme_cq_dbbuf_write":
            return [Seen(number, "write_cq", None, None, {"cq.eventidx": value})]
    if values[2]:
        return [Seen(number, "ring_cq", None, None, {"cq.shadow": value})]
    return [Seen(number, "ring_sq", 0, None, {"sq0.shadow": value})]
