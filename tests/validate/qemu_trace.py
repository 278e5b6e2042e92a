"""Runs of the model as QEMU traces them: the trace events of its hw/nvme/trace-events, in each form that QEMU has."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from uncork.engines.python import successors
from uncork_nvme.instance import Instance

Value: TypeAlias = int | str

OLD = {
    "pci_nvme_shadow_doorbell_sq": "sqid %u new_shadow_doorbell %u",
    "pci_nvme_shadow_doorbell_cq": "cqid %u new_shadow_doorbell %u",
    "pci_nvme_eventidx_sq": "sqid %u new_eventidx %u",
}
"""What only 7.1 and 7.2 have. (They define eventidx_cq, and nothing calls it.)"""
NEW = {
    "pci_nvme_update_sq_tail": "sqid %u new_tail %u",
    "pci_nvme_update_cq_head": "cqid %u new_head %u",
    "pci_nvme_update_sq_eventidx": "sqid %u new_eventidx %u",
    "pci_nvme_update_cq_eventidx": "cqid %u new_eventidx %u",
}
"""What only 8.0 and later have."""
BOTH = {
    "pci_nvme_create_sq": "create submission queue, addr=0x%x, sqid=%u, cqid=%u, qsize=%u, qflags=%u",
    "pci_nvme_create_cq": "create completion queue, addr=0x%x, cqid=%u, vector=%u, qsize=%u, qflags=%u, ien=%d",
    "pci_nvme_mmio_doorbell_sq": "sqid %u new_tail %u",
    "pci_nvme_mmio_doorbell_cq": "cqid %u new_head %u",
    "pci_nvme_io_cmd": "cid %u nsid 0x%x sqid %u opc 0x%x opname '%s'",
    "pci_nvme_enqueue_req_completion": "cid %u cqid %u dw0 0x%x dw1 0x%x status 0x%x",
}
ARGUMENTS = {
    "pci_nvme_create_sq": ("addr", "sqid", "cqid", "qsize", "qflags"),
    "pci_nvme_create_cq": ("addr", "cqid", "vector", "size", "qflags", "ien"),
    "pci_nvme_io_cmd": ("cid", "nsid", "sqid", "opcode", "opname"),
    "pci_nvme_enqueue_req_completion": ("cid", "cqid", "dw0", "dw1", "status"),
    **{name: tuple(text.split()[::2]) for name, text in (OLD | NEW | BOTH).items() if text.count("%") == 2},
}
"""The arguments of each trace event, in order, as scripts/simpletrace.py names them."""
_SINCE_8 = {
    "pci_nvme_shadow_doorbell_sq": "pci_nvme_update_sq_tail",
    "pci_nvme_shadow_doorbell_cq": "pci_nvme_update_cq_head",
    "pci_nvme_eventidx_sq": "pci_nvme_update_sq_eventidx",
}


@dataclass(frozen=True)
class Traced:
    """A trace event that was fired, with its arguments."""

    name: str
    values: tuple[Value, ...]


def traced(instance: Instance, steps: int, seed: int, most: int) -> Iterator[Traced]:
    """A run as QEMU 10.0 traces it. A doorbell and a post are handled in one go. At most `most` commands run."""
    drawn, system = random.Random(seed), instance.system
    names = [v.name for v in system.variables]
    after, state = successors(system), tuple(system.initial.values())
    running, cid, due = list[int](), 0, ""
    yield Traced("pci_nvme_create_cq", (0x1000, 2, 1, instance.cq_size - 1, 1, 1))
    yield Traced("pci_nvme_create_sq", (0x2000, 2, 2, instance.sq_size - 1, 1))
    for _ in range(steps):
        was = dict(zip(names, state, strict=True))
        held = {"ring_cq"} if was["cq.locked"] else set()
        held |= {"ring_sq"} if was["sq0.locked"] else set()
        held |= {"submit"} if was["sq0.outstanding"] >= most else set()
        possible = [(system.actions[a].family, t) for a, t in after(state) if t is not None]
        possible = [(f, t) for f, t in possible if (f == due if due else f not in held)]
        family, state = drawn.choice(possible)
        now = dict(zip(names, state, strict=True))
        due = {"ring_sq": "notify_tail", "notify_tail": "notify", "ring_cq": "notify_head"}.get(family, "")
        if family in ("post_read", "post_credit"):
            due = "post_queued" if (now["cq.tail"] + 1) % instance.cq_size != now["cq.head"] else "block"
        if family == "fetch":
            running.append(cid := cid + 1)
        done = running.pop(drawn.randrange(len(running))) if family == "complete" else 0
        head = Traced("pci_nvme_update_cq_head", (2, now["cq.head"]))
        said = {
            "ring_sq": Traced("pci_nvme_mmio_doorbell_sq", (2, now["sq0.shadow"])),
            "ring_cq": Traced("pci_nvme_mmio_doorbell_cq", (2, now["cq.shadow"])),
            **dict.fromkeys(("wake", "reread_sq"), Traced("pci_nvme_update_sq_tail", (2, now["sq0.tail"]))),
            "post_read": head,
            "post_credit": head,
            "fetch": Traced("pci_nvme_io_cmd", (cid, 1, 2, 2, "NVME_NVM_CMD_READ")),
            "arm_sq": Traced("pci_nvme_update_sq_eventidx", (2, now["sq0.event"])),
            "complete": Traced("pci_nvme_enqueue_req_completion", (done, 2, 0, 0, 0)),
            "post_arm": Traced("pci_nvme_update_cq_eventidx", (2, now["cq.event"])),
        }.get(family)
        if said:
            yield said


def as_7_2(events: Iterable[Traced]) -> Iterator[Traced]:
    """The same as QEMU 7.2 traces it, which does not trace CQ EventIdx."""
    old = {new: name for name, new in _SINCE_8.items()}
    for event in events:
        if event.name != "pci_nvme_update_cq_eventidx":
            yield Traced(old.get(event.name, event.name), event.values)


def log(event: Traced) -> str:
    """What the `log` backend prints."""
    return f"{event.name} {(OLD | NEW | BOTH)[event.name] % event.values}"


def stamped(event: Traced) -> str:
    """What the `log` backend prints with `-msg timestamp=on`."""
    return f"4242@1700000000.123456:{log(event)}"


def ftrace(event: Traced) -> str:
    """What ftrace's `trace` file shows of the `ftrace` backend."""
    return f" qemu-system-x86-4242    [001] .....  1234.567890: tracing_mark_write: {log(event)}"


def simple(event: Traced) -> str:
    """What scripts/simpletrace.py prints of the `simple` backend's file."""
    pairs = zip(ARGUMENTS[event.name], event.values, strict=True)
    shown = (f"{name}={value.encode()!r}" if isinstance(value, str) else f"{name}=0x{value:x}" for name, value in pairs)
    return " ".join((event.name, "0.512", "pid=4242", *shown))


FORMS: dict[str, Callable[[Traced], str]] = {"log": log, "stamped": stamped, "ftrace": ftrace, "simple": simple}
