"""Logs of QEMU and of Propolis's probes are read in every form that is printed, and nothing lost is hidden."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

import pytest
from pages.logs.changes import probes
from qemu_trace import ARGUMENTS, BOTH, FORMS, NEW, Traced, as_7_2, log, traced
from repository import ROOT
from uncork.logs import Log, LogError, dtrace, qemu
from uncork.validate import follow as validating
from uncork_nvme.instance import from_name

QEMU = from_name("qemu/linux/head/n1-sq4-cq4")
PROPOLIS = from_name("propolis-2026/linux/tail-lag/n1-sq4-cq4")
PAGE = (ROOT / "docs" / "validate.md").read_text()


def said(log: Log) -> list[tuple[object, ...]]:
    """The events of a log, without their lines."""
    return [(seen.event, seen.sq, tuple(seen.saw.items())) for seen in log.events]


def trace(seed: int = 0) -> list[Traced]:
    return list(traced(QEMU, 300, seed, 3))


# -- QEMU --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("version", [list, as_7_2], ids=["10.0", "7.2"])
def test_every_form_of_qemus_trace_says_the_same(
    form: Callable[[Traced], str], version: Callable[[Iterable[Traced]], Iterable[Traced]]
) -> None:
    events = list(version(trace()))
    read = qemu.read(map(form, events))
    assert said(read) == said(qemu.read(map(log, events)))
    assert (read.header.sq_size, read.header.cq_size) == (4, 4)
    assert ("write_cq" in read.header.always) == (version is list)
    assert len(read.events) > len(events)


@pytest.mark.parametrize("version", [list, as_7_2], ids=["10.0", "7.2"])
def test_what_a_version_traces_is_a_run_and_changed_it_is_none(
    version: Callable[[Iterable[Traced]], Iterable[Traced]],
) -> None:
    events = list(version(trace()))

    def fits(events: Iterable[Traced]) -> bool:
        return validating.follow(QEMU, qemu.read(map(log, events)), aimed=False, most=20_000).fits

    assert fits(events)
    at = max(place for place, event in enumerate(events) if event.name.endswith(("sq_eventidx", "eventidx_sq")))
    queue, value = events[at].values
    assert isinstance(value, int)
    assert not fits([*events[:at], Traced(events[at].name, (queue, (value + 1) % 4)), *events[at + 1 :]])


LOST = (
    "Dropped_Event 12.000 pid=4242 num_events_dropped=0x3",
    "CPU:1 [LOST 17 EVENTS]",
    "CPU:1 [LOST EVENTS]",
    "CPU:1 [17 EVENTS DROPPED]",
    "CPU:1 [EVENTS DROPPED]",
    "# entries-in-buffer/entries-written: 140080/250280   #P:4",
    "Lost 12 events",
)


@pytest.mark.parametrize("lost", LOST)
def test_a_trace_with_events_missing_is_no_log(lost: str) -> None:
    """Unless they are missing before the queue is created: then nothing is missing of the queue."""
    told = [log(event) for event in trace()]
    with pytest.raises(LogError, match="events are missing here") as raised:
        qemu.read(iter([*told[:9], lost, *told[9:]]))
    assert raised.value.line == 10
    assert said(qemu.read(iter([lost, *told]))) == said(qemu.read(iter(told)))
    whole = "# entries-in-buffer/entries-written: 250280/250280   #P:4"
    assert said(qemu.read(iter([*told, whole]))) == said(qemu.read(iter(told)))


def test_the_probes_that_the_page_has_bpftrace_print_are_read_as_qemus_own_trace() -> None:
    """Each clause names the arguments by their place in the definition of its trace event."""
    clauses = re.findall(r'usdt:\S+:qemu:(\w+) *\{ *printf\("(.*?)\\n", nsecs((?:, arg\d)*)\) *\}', PAGE)
    assert {name for name, _, _ in clauses} == {*NEW, *BOTH}

    def printed(event: Traced) -> str:
        text, args = next((text, args) for name, text, args in clauses if name == event.name)
        values = [event.values[int(number)] for number in re.findall(r"arg(\d)", args)]
        return text.replace("%llu", "%d") % (1234567890, *values)

    events = trace()
    assert {event.name for event in events} == {*NEW, *BOTH} <= {*ARGUMENTS}
    assert said(qemu.read(map(printed, events))) == said(qemu.read(map(log, events)))


# -- Propolis ----------------------------------------------------------------------------------------------------------
PROBES = {
    "nvme_cqe": ("devcq_id", "idx", "phase"),
    "nvme_sq_dbbuf_read": ("devsq_id", "val", "tail"),
    "nvme_sq_dbbuf_write": ("devsq_id", "head"),
    "nvme_sq_dbbuf_write_shadow": ("devsq_id", "head"),
    "nvme_cq_dbbuf_read": ("devcq_id", "val", "tail"),
    "nvme_cq_dbbuf_write": ("devcq_id", "head"),
    "nvme_cq_dbbuf_write_shadow": ("devcq_id", "head"),
    "nvme_doorbell": ("off", "devq_id", "is_cq", "val"),
    "nvme_doorbell_admin_cq": ("val",),
    "nvme_doorbell_admin_sq": ("val",),
    "nvme_admin_cmd": ("opcode", "prp1", "prp2"),
    "nvme_block_notify": ("devsq_id", "block_devqid", "occupied_hint"),
}
"""The probes of Propolis's hw/nvme/queue.rs and mod.rs at 372a5744, with the names of their arguments."""


def test_the_one_liner_of_the_page_prints_every_probe_that_is_read() -> None:
    command = next(line for line in PAGE.splitlines() if line.strip().startswith("dtrace "))
    chosen = re.findall(r"propolis\$target:::([\w?*]+)", command)
    printed = {name for name in PROBES if any(fnmatchcase(name, each) for each in chosen)}
    assert printed >= {*dtrace._TAKES}
    shown = len(re.findall(r"arg\d", command))
    for name, (_, takes, _, _) in dtrace._TAKES.items():
        assert takes <= len(PROBES[name]) <= shown


def test_probes_that_only_follow_admin_queues_are_no_events_and_registers_no_values() -> None:
    told = list(probes(PROPOLIS, 300, 0))
    more = [
        *("1 nvme_cq_dbbuf_write_shadow 196608 3 -1 -9223372036854775808", "2 nvme_doorbell_admin_sq 5 -7 0 0"),
        *(f"{line} -18446744073709551" for line in told),
    ]
    assert said(dtrace.read(iter(more))) == said(dtrace.read(iter(told)))


def test_a_log_of_probes_with_drops_is_none() -> None:
    told = list(probes(PROPOLIS, 300, 0))
    with pytest.raises(LogError, match="events are missing here"):
        dtrace.read(iter([*told, "dtrace: 12 drops on CPU 3"]))


@pytest.mark.parametrize(("probe", "argument"), [("nvme_cqe", 1), ("nvme_sq_dbbuf_read", 2), ("nvme_cq_dbbuf_read", 2)])
def test_what_a_probe_says_of_the_device_itself_is_compared(probe: str, argument: int) -> None:
    """The slot of a CQE, and the heads as they were before the read."""
    told = list(probes(PROPOLIS, 300, 1))
    assert validating.follow(PROPOLIS, dtrace.read(iter(told)), aimed=False, most=20_000).fits
    at = [place for place, line in enumerate(told) if f" {probe} " in line][3]
    words = told[at].split()
    words[2 + argument] = str((int(words[2 + argument]) + 1) % 4)
    found = validating.follow(PROPOLIS, dtrace.read(iter([*told[:at], " ".join(words), *told[at + 1 :]])),
                              aimed=False, most=20_000)  # fmt: skip
    assert found.failed is not None and found.failed.line == at + 1
