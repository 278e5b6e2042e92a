"""How a log may end: every state of rest is found, and what is said of the end holds."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from io import StringIO

import pytest
from qemu_trace import log as printed
from qemu_trace import traced
from repository import STORED
from rich.console import Console
from uncork import logs
from uncork.core.trace import replay
from uncork.engines.python import Plain, predicate, successors
from uncork.engines.rest import Resting
from uncork.engines.stubborn import Stubborn
from uncork.logs import lines, qemu, write
from uncork.render.terminal.text import Page
from uncork.trace.runs import stored, walk
from uncork.validate import follow as validating
from uncork.validate.end import End, Wakes, end
from uncork.validate.follow import Followed
from uncork.validate.show import accepted, ending
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.instance import Instance, from_name
from uncork_nvme.observe import at_once, unserved

HANGS = STORED / "propolis-2025-linux-tail-n1-sq3-cq3-uncorked.itf.json"


def follow(instance: Instance, log: logs.Log) -> Followed:
    return validating.follow(instance, log, aimed=validating.has_many(instance), most=50_000)


# -- states of rest ----------------------------------------------------------------------------------------------------
def rests(instance: Instance, states: list[Plain], *, reduced: bool) -> set[Plain]:
    fair = [action.name for action in instance.system.actions if action.fair]
    resting = Resting(instance.system, fair, at_once(instance.machine, instance.system))
    return set(resting._explore([resting._packing.pack(state) for state in states], 100_000, reduced=reduced).ends)


def states(instance: Instance, number: int) -> list[Plain]:
    """States of a random run."""
    run = [tuple(now.values()) for _, _, now in walk(instance, 300, 1)]
    return random.Random(0).sample(run, number)


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_stubborn_sets_find_every_state_of_rest(device: str) -> None:
    instance = Instance(device, "linux", DEVICES[device].policy, 1, 3, 3)
    some = states(instance, 2)
    assert rests(instance, some, reduced=True) == rests(instance, some, reduced=False)


def test_sets_that_are_not_stubborn_miss_some(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = from_name("propolis-2025/linux/tail/n2-sq2-cq2")
    some = states(instance, 6)
    every = rests(instance, some, reduced=False)
    assert rests(instance, some, reduced=True) == every
    monkeypatch.setattr(Stubborn, "dependent", property(lambda self: [frozenset[int]() for _ in self.groups]))
    assert rests(instance, some, reduced=True) < every


# -- what is said of an end --------------------------------------------------------------------------------------------
def test_what_is_said_of_a_hang_that_is_none_yet_and_of_one_that_is() -> None:
    of = stored(str(HANGS))
    told = list(write.log(of.instance, write.steps(of.run)))
    last = end(follow(of.instance, lines.read(iter(told))))
    assert (last.stuck, last.completes, last.more, last.under_way) == (True, False, 0, (1, 1))
    assert last.wakes == (Wakes("SQ0", 1, (1,), never=True),)
    assert ending(last) == (
        "1 entry is not completed. Its end is STUCK: SQ0 is corked with 1 entry. No submission to SQ0 ends that; it "
        "can take 1 entry."
    )
    before = end(follow(of.instance, lines.read(iter(told[:15]))))
    assert before.known and before.completes and not before.stuck


STUCK = (
    *("arm-recheck-linux-never-n2-sq2-cq3", "propolis-2025-linux-head-n2-sq2-cq2"),
    *("propolis-2025-linux-never-n2-sq2-cq2", "arm-recheck-linux-never-n1-sq3-cq3"),
)
"""Stored hangs; of some a submission to an SQ ends the wait, of some it may, and of some none does."""


def test_a_submission_that_is_said_to_end_a_wait_ends_it_in_every_continuation() -> None:
    """And one that is said to end it in none does so in none: by all steps, without a reduction."""
    said = set[str]()
    for name in STUCK:
        of = stored(str(STORED / f"{name}-uncorked.itf.json"))
        found = follow(of.instance, lines.read(write.log(of.instance, write.steps(of.run))))
        last = end(found)
        assert last.may and last.run is not None
        state = tuple(last.run().states[-1].values())
        replay(of.instance.system, last.run())
        waits = [predicate(of.instance.system, unserved(q)) for q in of.instance.machine.sqs]
        for wake in last.wakes:
            for number in wake.tried:
                submit = next(a for a in of.instance.system.actions if a.name == f"submit({wake.label}, {number})")
                ((_, after),) = successors(of.instance.system, [submit.name])(state)
                assert after is not None
                ends = [any(wait(each) for wait in waits) for each in rests(of.instance, [after], reduced=False)]
                helps = wake.helps and number == wake.tried[-1]
                assert not any(ends) if helps else any(ends)
                assert all(ends) or not wake.never
                said.add("helps" if helps else "never" if wake.never else "may")
    assert said == {"helps", "never", "may"}


def test_the_end_of_large_queues_is_known_with_commands_under_way() -> None:
    """With a few of them all continuations are followed; with more, what was not is said, if no proof covers them."""
    instance = from_name("qemu/linux/head/n1-sq1024-cq1024/submit_batch=1")
    log = qemu.read(map(printed, traced(instance, 300, 0, 3)))
    for most in (100_000, 100):
        last = end(follow(instance, log), most=most)
        assert last.known and last.completes and not last.may
        assert last.under_way[1] > 1
    unproved = from_name("qemu/linux/head/n1-sq1024-cq1024/submit_batch=1,pool=1024")
    some = end(follow(unproved, log), most=100)
    assert not some.known and some.completes and not some.may


@pytest.mark.parametrize(
    ("name", "proved"),
    [
        ("propolis-2026/linux/tail-lag/n1-sq64-cq64", True),
        ("propolis-2026/linux/tail/n1-sq64-cq64", False),
        ("propolis-2026/linux/tail-lag/n1-sq64-cq2", False),
        ("propolis-2026/linux/tail-lag/n2-sq64-cq64", False),
        ("propolis-2026/linux/tail-lag/n1-sq64-cq64/kick_on_doorbell=no", False),
    ],
)
def test_a_proof_tells_the_end_where_too_many_states_follow(name: str, proved: bool) -> None:
    told = [{"event": "submit", "sq": 0, "sq0.shadow": 9}, {"event": "look", "sq0.tail": 0}]
    head = {"log": "uncork 1", "always": ["submit", "ring_sq", "fetch"]}
    of = from_name(name)
    of = replace(of, overrides={**of.overrides, "submit_batch": 9})
    found = follow(of, lines.read(json.dumps(each) for each in (head, *told)))
    assert found.fits
    last = end(found, most=5)
    assert last.known == proved
    assert not (proved and last.may)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (End(True, False, True, (0, 0)), "Its end is not stuck: what was submitted is completed."),
        (
            End(True, False, True, (2, 3)),
            "2 to 3 entries are not completed. Its end is not stuck: every continuation completes what was submitted, "
            "with no more from the guest.",
        ),
        (
            End(True, True, True, (1, 1), ("SQ0 sleeps with 1 entry",), (Wakes("SQ0", 3, (1, 2), helps=True),), more=2),
            "1 entry is not completed. Its end may be stuck (2 steps after the last event): SQ0 sleeps with 1 entry. "
            "Other continuations complete what was submitted. A submission of 2 entries to SQ0 ends that, and one of "
            "1 may not.",
        ),
        (
            End(False, True, False, (9, 9), ("SQ0 is corked with 2 entries",), (Wakes("SQ0", 0, ()),)),
            "9 entries are not completed. Its end may be stuck: SQ0 is corked with 2 entries. Whether every "
            "continuation ends so is not known: too many may follow. The guest has no free command slot, so it cannot "
            "submit.",
        ),
        (
            End(False, False, True, (9, 9)),
            "9 entries are not completed. Its end is not stuck in every continuation: some complete what was "
            "submitted. Whether others do not is not known: too many may follow.",
        ),
    ],
)
def test_an_end_is_told_in_words(found: End, said: str) -> None:
    assert ending(found) == said


# -- how it is printed -------------------------------------------------------------------------------------------------
def printed_of(found: Followed) -> list[str]:
    to = StringIO()
    accepted(Page(to=Console(file=to, width=80)), found, end(found))
    return to.getvalue().splitlines()


def test_states_that_look_alike_are_printed_once_a_line_a_ring() -> None:
    instance = from_name("propolis-2026/linux/tail-lag/n2-sq20-cq20")
    told = [{"event": "submit", "sq": 0, "sq0.shadow": 15}, {"event": "look", "sq0.tail": 0}]
    head = {"log": "uncork 1", "always": ["submit", "ring_sq", "fetch"]}
    said = printed_of(follow(instance, lines.read(json.dumps(each) for each in (head, *told))))
    assert max(map(len, said)) <= 80
    shown = [line for line in said if line.startswith(("  - cq.", "    sq"))]
    assert len(shown) == 3 and "    sq0.shadow 15, sq0.eventidx 0, sq0.head 0, sq0.tail 0, sq0.in_flight 0" in shown
    assert said[1].endswith(" states, all alike:")
