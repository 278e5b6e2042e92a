"""Logs: a run of the model is accepted as what it is, whatever is left out; one that is not a run is rejected."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from budgets import examples, spread
from commands import uncork
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pages.logs.changes import probes
from propolis_driver import Driver
from qemu_trace import log as printed
from qemu_trace import traced
from repository import DATA, ROOT, STORED
from uncork import logs
from uncork.core.trace import replay
from uncork.engines.python import Plain, predicate, successors
from uncork.logs import dtrace, lines, propolis, qemu, write
from uncork.trace.runs import walk
from uncork.validate import command as tracing
from uncork.validate import follow as validating
from uncork.validate.end import End, end
from uncork.validate.follow import Followed
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.instance import Instance, from_name
from uncork_nvme.museum import BUGS
from uncork_nvme.observe import EVENTS, FAMILIES, LOOK

HANGS = STORED / "propolis-2025-linux-tail-n1-sq3-cq3-uncorked.itf.json"
SHAPES = ((1, 2, 2), (1, 3, 3), (1, 4, 3), (2, 2, 2))


def follow(instance: Instance, log: logs.Log, *, aimed: bool = False) -> Followed:
    return validating.follow(instance, log, aimed=aimed, most=20_000)


def recorded(instance: Instance, steps: int, seed: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in write.log(instance, walk(instance, steps, seed))]


def as_log(told: list[dict[str, Any]]) -> logs.Log:
    return lines.read(json.dumps(each) for each in told)


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    device = draw(st.sampled_from(sorted(DEVICES)))
    guest = draw(st.sampled_from(["linux", "spdk", "lazy"]))
    return Instance(device, guest, DEVICES[device].policy, *draw(st.sampled_from(SHAPES)))


# -- round trips -------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@settings(max_examples=examples(60), deadline=None)
@given(instances(), st.integers(0, 999), st.sets(st.sampled_from(FAMILIES)), st.integers(0, 999))
def test_a_run_is_accepted_whatever_is_left_out(instance: Instance, seed: int, dropped: set[str], drops: int) -> None:
    """Events of some families, most values, and a header that promises only what was kept."""
    head, *told = recorded(instance, 60, seed)
    chance = random.Random(drops)
    head["always"] = [family for family in head["always"] if family not in dropped]
    for event in told:
        for name in [n for n in event if "." in n and chance.random() < 0.7]:
            del event[name]
    found = follow(instance, as_log([head, *(event for event in told if event["event"] not in dropped)]))
    assume(found.crowd is None)
    assert found.failed is None
    replay(instance.system, found.follower.run())


@pytest.mark.slow
@settings(max_examples=examples(60), deadline=None)
@given(instances(), st.integers(0, 999), st.data())
def test_a_value_that_cannot_be_is_rejected_where_it_stands(instance: Instance, seed: int, data: st.DataObject) -> None:
    """With every event logged there is one state after each: another value of anything is none of the model's."""
    told = recorded(instance, 60, seed)
    at = data.draw(st.integers(1, len(told) - 1))
    name = data.draw(st.sampled_from([n for n in told[at] if "." in n]))
    value = told[at][name]
    sizes = {q.name: q.size for q in instance.machine.sqs} | {"cq": instance.cq_size}
    size = sizes[name.partition(".")[0]]
    told[at][name] = (not value) if isinstance(value, bool) else data.draw(st.integers(0, size - 1))
    assume(told[at][name] != value)
    found = follow(instance, as_log(told))
    assert found.failed is not None
    assert found.accepted == at - 1
    allowed = validating.allowed(found)
    assert allowed.together or told[at][name] not in allowed.values.get(name, ())


@pytest.mark.parametrize(
    ("guest", "device"), spread(product(["linux", "spdk"], ["propolis-2026", "qemu", "arm-recheck"]), 2)
)
def test_what_is_taken_at_once_loses_no_run(guest: str, device: str) -> None:
    """The verdict is that of all orders, on logs that are runs and on logs that are not."""
    instance, verdicts = Instance(device, guest, DEVICES[device].policy, 1, 4, 3), set()
    for seed in range(12):
        chance = random.Random(seed)
        families = sorted({action.family for action in instance.system.actions})
        log = without(recorded(instance, 150, seed), {"consume", *chance.sample(families, 5)}, seed % 2)
        reduced, full = follow(instance, log), in_all_orders(instance, log)
        assert full.crowd is None
        assert (reduced.accepted, reduced.fits) == (full.accepted, full.fits)
        verdicts.add(full.fits)
    assert verdicts == {True, False}


def without(told: list[dict[str, Any]], dropped: set[str], wrong: int) -> logs.Log:
    """A log less some families of events, and what tells when a CQE was taken; and with so many wrong values."""
    head, *events = told
    kept = [event for event in events if event["event"] not in dropped]
    for event in kept:
        for name in [name for name in event if name.endswith(validating.TELLS_ORDER)]:
            del event[name]
    for event in kept[len(kept) // 2 :][:wrong]:
        event["cq.shadow"] = (event["cq.shadow"] + 1) % 3
    return as_log([{**head, "always": [family for family in head["always"] if family not in dropped]}, *kept])


def in_all_orders(instance: Instance, log: logs.Log, soon: frozenset[str] = frozenset()) -> Followed:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validating, "at_once", lambda machine, system, **seen: soon)
        return validating.follow(instance, log, aimed=False, most=50_000)


def test_taking_steps_at_once_loses_no_run_of_identical_workers() -> None:
    """Which of them wakes up, and when, is not logged."""
    instance, verdicts = from_name("propolis-2026/linux/tail-lag/n1-sq4-cq3/workers=2"), set()
    for seed in range(12):
        told = recorded(instance, 150, seed)
        for event in told:
            event.pop("worker", None)
        log = without(told, {"consume", "wake", "reserve", "remit"}, seed % 2)
        reduced, full = follow(instance, log), in_all_orders(instance, log)
        assert full.crowd is None
        assert (reduced.accepted, reduced.fits) == (full.accepted, full.fits)
        verdicts.add(full.fits)
    assert verdicts == {True, False}


@pytest.mark.slow
def test_taking_more_steps_at_once_would_lose_runs() -> None:
    """A guest that leaves its loop as soon as it may takes one CQE each time."""
    instance, lost = from_name("propolis-2026/linux/tail-lag/n1-sq3-cq3"), 0
    for seed in range(10):
        log = without(recorded(instance, 300, seed), {"consume", "leave_loop"}, 0)
        assert in_all_orders(instance, log).fits
        lost += not in_all_orders(instance, log, frozenset({"leave_loop"})).fits
    assert lost


@pytest.mark.slow
def test_every_family_of_steps_is_an_event() -> None:
    names = {f"{device}/linux/{each.policy}/n2-sq2-cq2" for device, each in DEVICES.items()}
    chosen = [from_name(name) for name in names] + [
        from_name("propolis-2026/linux/tail-lag/n2-sq2-cq2/memory=tso"),
        from_name("propolis-2026/linux/tail-lag/n2-sq2-cq2/events=create+delete+config+reset+restart+pause"),
        from_name("propolis-2026/linux/tail-lag/n2-sq2-cq2/event_look=before"),
    ]
    chosen += [shown.variant.at(*shape) for bug in BUGS if (shown := bug.shown) for shape in shown.shapes]
    found = {action.family for instance in chosen for action in instance.system.actions}
    assert found <= {*FAMILIES}
    assert {*FAMILIES} - found == {"cork_leave"}  # of a policy of one's own that sometimes leaves EventIdx at a cork
    assert {family for families, _ in EVENTS.values() for family in families} <= found
    assert LOOK not in {*EVENTS, *FAMILIES}


# -- logs of other programs, made of runs of the model -----------------------------------------------------------------
def calls(instance: Instance, steps: int, seed: int) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], bool]]:
    """A random run in which no one else steps inside a call of the device; and whether a call ends with each step."""
    drawn, system, machine = random.Random(seed), instance.system, instance.machine
    (q,) = machine.sqs
    names = [v.name for v in system.variables]
    after, state = successors(system), tuple(system.initial.values())
    looking = predicate(system, machine.looking(q) | (q.workers[0].at == "reserve"))
    posting = predicate(system, q.workers[0].at.among("post read", "post arm"))
    ringing = predicate(
        system, q.submitter.among("notify tail", "notify") | machine.cq.consumer.among("notify head", "kick")
    )
    guest = {action.family for action in system.actions if action.actor.startswith(("submitter", "consumer"))}
    handler = {"notify_tail", "notify", "notify_head", "reject_head", "kick"}
    begun = False
    for _ in range(steps):
        possible = [(a, t) for a, t in after(state) if t is not None]
        family = {a: system.actions[a].family for a, _ in possible}
        if ringing(state):
            possible = [(a, t) for a, t in possible if family[a] in handler]
        elif posting(state) or (looking(state) and begun):
            possible = [(a, t) for a, t in possible if family[a] not in guest | handler]
        action, target = drawn.choice(possible)
        outside = guest | handler | {"wake", "post_read", "post_credit", "post_arm", "post_leave"}
        begun = looking(target) and family[action] not in outside
        was, now = dict(zip(names, state, strict=True)), dict(zip(names, target, strict=True))
        state = target
        yield system.actions[action].family, was, now, not (ringing(state) or posting(state) or begun)


SHARP = "propolis-2026/linux/tail-lag/n1-sq4-cq4/submit_batch=1"


# The variant, its shape, its workers (0: completions come from elsewhere), whether others step inside a call, the
# guest's command slots (0: as many as entries), and what becomes of an SQ that finds room as it looks again.
DRIVEN = (
    ("head", (1, 4, 4), 1, False, 0, ""),
    ("head", (1, 4, 3), 3, True, 2, ""),
    ("prefix", (2, 3, 3), 2, True, 0, ""),
    ("acor", (2, 4, 4), 0, True, 0, ""),
    ("b", (2, 2, 2), 1, True, 0, "arm-recheck-corked"),
    ("b", (2, 2, 2), 1, True, 0, "arm-recheck-uncorked"),
    ("b3", (2, 3, 2), 1, True, 0, "arm-recheck-corked"),
    ("cob", (2, 2, 2), 2, True, 0, "arm-recheck-corked"),
    ("tail_rocb3", (2, 2, 3), 1, True, 0, "arm-recheck-corked"),
    ("tail_r", (3, 2, 2), 1, True, 0, ""),
    ("oa", (1, 8, 5), 2, False, 3, ""),
)


def driven(variant: str, shape: tuple[int, int, int], workers: int, fine: bool, tags: int, cork: str) -> Driver:
    return Driver(variant, shape, workers, fine=fine, seed=1, tags=tags, cork=cork)


def of_header(log: logs.Log) -> Instance:
    return tracing._instance(log, logs.Header())


LONG = ("acor", "b3", "cob", "tail_r")
"""Variants whose runs take seconds to follow."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "driver",
    [
        pytest.param(row, id="-".join(map(str, row)), marks=[pytest.mark.deep] if row[0] in LONG else [])
        for row in DRIVEN
    ],
)
def test_a_driven_run_is_accepted_as_what_its_header_says(driver: tuple[Any, ...]) -> None:
    drives = driven(*driver)
    log = propolis.read(drives.lines(700))
    instance = of_header(log)
    assert instance.choices == drives.instance.choices
    assert instance.policy == drives.instance.policy
    found = follow(instance, log)
    assert found.fits
    ended, true = end(found), end_from(found, drives.state)
    assert (ended.known, ended.stuck, ended.may) == (true.known, true.stuck, true.may)


def end_from(found: Followed, state: Plain) -> End:
    """How the run ends, from the state that it is really in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found.follower, "_now", {state: None})
        patch.setattr(found.follower, "_last", None)
        return end(found)


@pytest.mark.slow
def test_driven_runs_that_wedge_end_stuck_and_others_do_not() -> None:
    """Small queues and Propolis's own policies: the guest goes on until it is out of command slots."""
    told = set()
    for variant, shape, workers in (("head", (1, 2, 2), 1), ("head", (2, 2, 3), 1), ("prefix", (1, 3, 3), 2)):
        for seed in range(2):
            drives = Driver(variant, shape, workers, fine=bool(seed % 2), seed=seed)
            log = propolis.read(drives.lines(300))
            found = follow(of_header(log), log)
            assert found.fits
            ended = end(found)
            assert ended.stuck == end_from(found, drives.state).stuck
            told.add(ended.stuck)
    assert told == {True, False}


@pytest.mark.parametrize(
    ("driver", "other"),
    [
        (DRIVEN[0], "propolis-2025/linux/tail"),
        (DRIVEN[0], "propolis-2026/linux/head"),
        (DRIVEN[0], "propolis-2026/linux/tail-1"),
        (DRIVEN[0], "arm-recheck/linux/arm-on-cork"),
        (DRIVEN[1], "propolis-2026/linux/tail-lag//workers=2"),
        (DRIVEN[3], "propolis-2026/linux/tail-1"),
        (DRIVEN[3], "propolis-2026/linux/tail-lag//backend=detached"),
        (DRIVEN[4], "propolis-2026/linux/tail-lag"),
        (DRIVEN[4], "propolis-2026/linux/tail-lag//cork=arm-recheck"),
        (
            DRIVEN[4],
            "propolis-2026/linux/if corking head else leave if occupied<=1 else tail-1//cork=arm-recheck-uncorked",
        ),
        (
            DRIVEN[5],
            "propolis-2026/linux/if corking head else leave if occupied<=1 else tail-1//cork=arm-recheck-corked",
        ),
        (
            DRIVEN[6],
            "propolis-2026/linux/if corking head else leave if occupied<=1 else tail-1//cork=arm-recheck-corked",
        ),
    ],
)
def test_a_driven_run_is_rejected_as_any_other_variant(driver: tuple[Any, ...], other: str) -> None:
    drives = driven(*driver)
    log = propolis.read(drives.lines(1500))
    sqs, sq_size, cq_size = driver[1]
    base, _, overrides = other.partition("//")
    assert follow(of_header(log), log).fits
    found = follow(from_name(f"{base}/n{sqs}-sq{sq_size}-cq{cq_size}" + (f"/{overrides}" if overrides else "")), log)
    assert found.failed is not None


@pytest.mark.parametrize("seed", range(3))
def test_a_notification_of_a_running_worker_is_spent_as_the_log_shows(seed: int) -> None:
    log = propolis.read(Driver("head", (1, 3, 3), 1, fine=False, seed=seed).lines(600))
    instance = of_header(log)
    assert follow(instance, log).fits
    kept = from_name(f"{instance.name},notify=kept")
    assert follow(kept, log).failed is not None


def test_a_notification_waits_for_a_look_that_has_not_locked_the_sq() -> None:
    waited = 0
    for seed in range(14, 18):
        log = propolis.read(Driver("prefix", (1, 3, 3), 2, fine=True, seed=seed).lines(400))
        lines = [seen.line for seen in log.events]
        waited += lines != sorted(lines)
        assert follow(of_header(log), log).fits
    assert waited


@pytest.mark.parametrize(
    ("variant", "device", "policy", "choices"),
    [
        ("head", "propolis-2026", "tail-lag", {}),
        ("prefix", "propolis-2025", "tail", {}),
        ("a", "propolis-2026", "tail-1", {}),
        ("tail_b", "propolis-2025", "if corking head else tail", {"cork": "arm-recheck"}),
        ("tail_b3", "propolis-2025", "if corked head else tail", {"cork": "arm-recheck"}),
        ("b3a", "propolis-2026", "if corked head else tail-1", {"cork": "arm-recheck"}),
        ("ab", "propolis-2026", "if corking head else tail-1", {"cork": "arm-recheck"}),
        ("ro", "propolis-2026", "tail-lag", {"kick_on_remit": "yes", "post_order": "arm-then-read"}),
        ("tail_c", "propolis-2025", "tail", {"kick_on_post": "yes", "kick_on_reserve": "yes"}),
    ],
)
def test_letters_of_a_variant_add_up(variant: str, device: str, policy: str, choices: dict[str, str]) -> None:
    assert propolis.variant_of(variant) == (device, policy, choices)


@pytest.mark.parametrize("variant", ["", "x", "aa", "bb3", "tail_", "head_a", "b33", "A"])
def test_a_variant_that_is_none_is_not_known(variant: str) -> None:
    assert propolis.variant_of(variant) is None


@pytest.mark.slow
def test_options_say_what_a_variant_means_and_what_the_driver_does_stays() -> None:
    head, *told = (json.loads(line) for line in Driver("ao", (1, 3, 3), 2, fine=True, seed=0).lines(100))
    log = "\n".join(json.dumps(each) for each in ({**head, "variant": "mine"}, *told))
    asked = ["validate", "-", "--format", "propolis"]
    unknown = uncork(*asked, stdin=log)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "the variant 'mine' is not known: say what it is with --device, --policy and --set" in unknown.stderr
    meant = ["--device", "propolis-2026", "--policy", "tail-1", "--set", "post_order=arm-then-read"]
    known = uncork(*asked, *meant, stdin=log)
    name = "propolis-2026/linux/tail-1/n1-sq3-cq3/post_order=arm-then-read,submit_batch=1,workers=2"
    assert known.returncode == 0 and f"{name}: accepted" in known.stdout.replace("\n", ""), known.stderr
    named = log.replace('"mine"', '"ao"')
    assert uncork(*asked, "--no-nearest", "--device", "propolis-2026", stdin=named).returncode == 23
    assert uncork(*asked, stdin=named).returncode == 0


def test_a_guest_that_frees_its_slots_later_is_one_that_need_not_have_waited() -> None:
    told = [json.loads(line) for line in Driver("head", (1, 4, 4), 1, fine=True, seed=3, tags=1).lines(300)]
    told[0]["cfg"]["guest_frees_tag"] = "at_publish"
    for line in told[1:]:
        line["guest"]["free_tags"] = [0]
    log = propolis.read(json.dumps(line) for line in told)
    assert follow(of_header(log), log).fits


def changed(told: list[str], what: str, drawn: random.Random, size: int) -> list[str]:
    """The lines with another value at the end of one that has `what` in it, as far into the log as there is one."""
    at = [n for n, line in enumerate(told) if what in line][-1]
    parts = told[at].split()
    which = 3 if parts[1].startswith("nvme_") else -1
    parts[which] = str((int(parts[which]) + drawn.randrange(1, size)) % size)
    return [*told[:at], " ".join(parts), *told[at + 1 :]]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("probe", ["nvme_cq_dbbuf_write", "nvme_sq_dbbuf_write"])
def test_probes_show_what_propolis_writes(seed: int, probe: str) -> None:
    told = list(probes(from_name(SHARP), 400, seed))
    assert follow(from_name(SHARP), dtrace.read(iter(told))).fits
    other = changed(told, probe, random.Random(seed), 4)
    assert follow(from_name(SHARP), dtrace.read(iter(other))).failed is not None


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "event"), spread(product(range(4), ["update_cq_eventidx", "update_sq_eventidx"]), 3))
def test_a_large_run_of_qemu_is_followed(seed: int, event: str) -> None:
    """Queues of 1,024 entries, of which the guest's own steps are not logged."""
    instance = from_name("qemu/linux/head/n1-sq1024-cq1024")
    told = [printed(event) for event in traced(from_name(f"{instance.name}/submit_batch=3"), 1500, seed, 40)]
    log = qemu.read(iter(told))
    assert (log.header.sqs, log.header.sq_size, log.header.cq_size) == (1, 1024, 1024)
    assert follow(instance, log, aimed=True).fits
    other = qemu.read(iter(changed(told, event, random.Random(seed), 1024)))
    rejected = follow(instance, other, aimed=True)
    assert rejected.failed is not None and not rejected.unsure
    assert follow(from_name("qemu-7.1/linux/never/n1-sq1024-cq1024"), log, aimed=True).failed is not None


def test_what_a_real_linux_had_qemu_trace_is_a_run_of_it_and_of_no_other() -> None:
    """The first lines of what `make linux` recorded (QEMU 7.2.22, Linux 6.1.176): a CQ and an SQ of eight entries."""
    log = qemu.read(iter((DATA / "qemu-7.2.22-linux-6.1-depth-8.log").read_text().splitlines()))
    assert (log.header.sqs, log.header.sq_size, log.header.cq_size) == (1, 8, 8)
    assert len(log.events) > 800
    assert follow(from_name("qemu/linux/head/n1-sq8-cq8"), log).fits
    for other in ("qemu/linux/never", "qemu/linux/tail-1", "qemu/linux/head-when-full", "mmio/linux/tail"):
        assert follow(from_name(f"{other}/n1-sq8-cq8"), log).failed is not None, other


def test_a_queue_is_what_it_was_last_created_as() -> None:
    """Firmware uses a queue before the driver creates it anew; and one of several queues has to be chosen."""
    instance = from_name("qemu/linux/head/n1-sq4-cq4/submit_batch=1")
    first, then = ([printed(event) for event in traced(instance, 200, seed, 3)] for seed in (1, 2))
    log = qemu.read(iter([*first, *then]))
    assert follow(instance, log).fits
    assert len(log.events) == len(qemu.read(iter(then)).events)
    both = [*then, *(line.replace("qid 2", "qid 5").replace("qid=2", "qid=5") for line in first)]
    with pytest.raises(logs.LogError, match="queues 2, 5: say which"):
        qemu.read(iter(both))
    assert follow(instance, qemu.read(iter(both), 5)).fits


def test_where_all_moves_of_the_guest_are_logged_a_large_log_is_rejected_for_good() -> None:
    drives = Driver("head", (1, 64, 64), 2, fine=True, seed=0)
    log = propolis.read(drives.lines(1500))
    assert follow(of_header(log), log, aimed=True).fits
    found = follow(from_name("propolis-2025/linux/tail/n1-sq64-cq64/workers=2"), log, aimed=True)
    assert found.failed is not None
    assert not found.aimed


# -- the end -----------------------------------------------------------------------------------------------------------
def test_a_run_that_hangs_ends_stuck_and_one_that_does_not_yet_is_not() -> None:
    told = [json.loads(line) for line in uncork("record", str(HANGS)).stdout.splitlines()]
    instance = from_name("propolis-2025/linux/tail/n1-sq3-cq3")

    def end_of(told: list[dict[str, Any]]) -> End:
        return end(follow(instance, as_log(told)))

    last = end_of(told)
    assert (last.stuck, last.may, last.more) == (True, True, 0)
    assert last.waits == ("SQ0 is corked with 1 entry",)
    assert last.run is not None
    replay(instance.system, run := last.run())
    assert run.stuck
    before = end_of(told[:15])
    assert before.known
    assert not before.stuck


# -- the commands ------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_what_is_said_of_a_run_and_of_none(tmp_path: Path) -> None:
    name = "propolis-2025/linux/tail/n1-sq3-cq3"
    log, trace = tmp_path / "log.jsonl", tmp_path / "run.itf.json"
    log.write_text(uncork("record", str(HANGS)).stdout)
    done = uncork("validate", str(log), "--trace", str(trace))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{name}: accepted, 28 events" in done.stdout
    assert "Its end is STUCK: SQ0 is corked with 1 entry" in done.stdout
    again = uncork("trace", str(trace))
    assert (again.returncode, again.stderr) == (0, "")
    assert "corked" in again.stdout
    other = uncork("validate", str(log), "--device", "qemu")
    assert other.returncode == 23
    assert "line" in other.stdout
    assert "What may happen there" in other.stdout
    assert "Devices that it is a run of: propolis-2025 (tail)" in " ".join(other.stdout.split())


@pytest.mark.slow
def test_the_documentation_shows_what_is_printed(tmp_path: Path) -> None:
    told = (ROOT / "docs" / "validate.md").read_text()
    kept = next(line for line in told.splitlines() if "--log-only" in line).split()[4]
    log = tmp_path / "hang.jsonl"
    log.write_text(uncork("record", str(HANGS), "--log-only", kept).stdout)
    for options in [], ["--device", "propolis-2026"]:
        said = uncork("validate", str(log), *options).stdout
        assert f"```text\n{said}```" in told


@pytest.mark.slow
def test_a_schedule_is_a_log_and_says_how_it_ends() -> None:
    said = uncork("trace", str(HANGS), "--format", "schedule").stdout
    head, *told, end = (json.loads(line) for line in said.splitlines())
    assert "refutes: uncorked" in head["note"]
    assert (end["end"], end["step"], end["sq0.corked"]) == ("stuck", 28, True)
    assert told[0]["before"]["sq0.shadow"] == 0
    assert told[0]["sq0.shadow"] == 2
    assert uncork("validate", "-", stdin=said).returncode == 0
    told[0]["before"]["sq0.shadow"] = 1
    wrong = "\n".join(json.dumps(each) for each in (head, *told, end))
    assert uncork("validate", "-", "--no-nearest", stdin=wrong).returncode == 23


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "line", "why"),
    [
        ("uncork", "{", "not JSON"),
        ("uncork", "[]", "not an object"),
        ("uncork", "{}", "no 'event'"),
        ("uncork", '{"event": "sumbit"}', "there is no event 'sumbit' (did you mean 'submit'?)"),
        ("uncork", '{"event": "submit", "sq": 7}', "there is no SQ 7"),
        ("uncork", '{"event": "submit", "sq": "0"}', "'sq' has to be a whole number"),
        ("uncork", '{"event": "submit", "cq.shadow": 9}', "cq.shadow is Ring(3), and cannot be 9"),
        ("uncork", '{"event": "submit", "cq.haed": 0}', "there is no value 'cq.haed' (did you mean 'cq.head'?)"),
        ("uncork", '{"event": "submit", "head": 0}', "an event has no 'head'"),
        ("uncork", '{"log": "uncork 1", "devise": "qemu"}', "a header has no 'devise' (did you mean 'device'?)"),
        ("propolis", '{"lvl": "op"}', "not a line of a Propolis run: it has no 'ev'"),
        ("propolis", '{"lvl": "op", "ev": "submit", "args": {}, "depth": "0"}', "depth has to be a whole number"),
        ("propolis", '{"lvl": "mem", "ev": "dev_read_sq_shadow", "args": {"q": 1}, "depth": 1}', "it has no 'val'"),
        ("propolis", '{"lvl": "op_begin", "ev": "submit", "args": {}, "depth": 0}', "'submit' is no call"),
        ("propolis", '{"lvl": "header", "variant": "x", "cfg": {}}', "it has no 'nsq'"),
        ("dtrace", "17 nvme_cqe 1", "nvme_cqe has 2 arguments or more, not 1"),
        ("qemu", "pci_nvme_eventidx_cq cqid 1", "pci_nvme_eventidx_cq without new_eventidx"),
    ],
)
def test_a_bad_line_is_named(form: str, line: str, why: str) -> None:
    done = uncork("validate", "-", "propolis-2025/linux/tail/n1-sq3-cq3", "--format", form, stdin=f"\n{line}\n")
    assert done.returncode == 2
    assert done.stderr.startswith("-:2: ")
    assert why in done.stderr
    assert done.stdout == ""


def test_what_neither_log_nor_options_say_is_asked_for() -> None:
    done = uncork("validate", "-", "--device", "qemu", stdin='{"event": "submit"}\n')
    assert done.returncode == 2
    assert "neither the log nor an option says: --guest" in done.stderr


@pytest.mark.slow
def test_validate_can_be_interrupted(tmp_path: Path) -> None:
    log = tmp_path / "long.jsonl"
    log.write_text('{"event": "submit"}\n' * 400_000)
    command = [sys.executable, "-m", "uncork", "validate", str(log), "propolis-2026/linux/tail-lag/n1-sq3-cq3"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=20)
    assert (running.returncode, out, errors.strip()) == (130, "", "interrupted")


@pytest.mark.slow
def test_what_has_nothing_in_it_is_not_accepted(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text('{"log": "uncork 1", "instance": "propolis-2026/linux/tail/n1-sq3-cq3"}\n')
    done = uncork("validate", str(empty))
    assert done.returncode == 2 and "no event in it" in done.stderr
    real = str(DATA / "qemu-7.2.22-linux-6.1-depth-8.log")
    sized = ["--device", "qemu", "--guest", "linux", "--sqs", "1", "--sq-size", "8", "--cq-size", "8"]
    other = uncork("validate", real, "--format", "qemu", "--queue", "9", *sized)
    assert other.returncode == 2 and "no event in it" in other.stderr


def test_where_too_many_states_fit_what_may_happen_is_said_to_be_unknown(tmp_path: Path) -> None:
    log = tmp_path / "some.jsonl"
    log.write_text('{"event": "look", "cq.tail": 0}\n{"event": "attempt"}\n')
    done = uncork("validate", str(log), "propolis-2026/linux/tail-1/n2-sq3-cq3", "--max-states", "40")
    assert "Traceback" not in done.stderr and done.returncode in (23, 30), done.stderr
    assert "too many" in done.stdout or "states fit" in done.stdout
