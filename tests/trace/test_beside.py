"""A run of one design followed on another: what the other does is a run of it, and on a live design the wait ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from repository import ROOT
from uncork.core.trace import ReplayError, replay
from uncork.trace.beside import Beside, beside
from uncork.trace.runs import Stored, stored
from uncork_nvme.instance import Instance, from_name
from uncork_properties import expected
from uncork_properties.catalogue import named, properties

HANG = "propolis-2025-linux-tail-n1-sq3-cq3-uncorked"
STARVES = "arm-recheck-linux-head-n2-sq2-cq2-progress"


def kept(name: str) -> Stored:
    return stored(str(ROOT / "counterexamples" / f"{name}.itf.json"))


def followed(run: Stored, other: Instance) -> Beside:
    prop = named(properties(other.machine, other.system), run.refutes[0].name)
    return beside(run.instance.system, run.run, other.system, prop)


def test_the_hang_parts_where_eventidx_differs_and_turns_where_the_guest_rings() -> None:
    found = followed(kept(HANG), from_name("propolis-2025/linux/tail-1/n1-sq3-cq3"))
    assert found.parting and found.turning and found.turning.step and found.turning.other
    assert (found.parting.number, found.parting.kind, found.parting.differs) == (16, "values", ("cq.event",))
    turned = found.turning.number, found.turning.kind, found.turning.step.name, found.turning.other.name
    assert turned == (28, "another", "elide_cq", "need_cq")
    assert [row.other.name for row in found.rows[28:] if row.other][:3] == ["ring_cq", "notify_head", "kick"]
    assert found.why.startswith(
        "At step 16 backend SQ0 takes the same step, after which cq.event is 1, and 0 in the second design. At step 28 "
        "consumer does something else in the second design: CQ EventIdx 1: passed by 0 -> 2, must ring (elide_cq is"
    )


@pytest.mark.parametrize(
    ("run", "other"),
    [
        (HANG, "propolis-2025/linux/tail-1/n1-sq3-cq3"),
        (HANG, "propolis-2026/linux/tail-lag/n1-sq3-cq3"),
        (HANG, "arm-recheck/linux/head/n1-sq3-cq3"),
        (HANG, "mmio/linux/tail/n1-sq3-cq3"),
        (HANG, "openvmm/linux/head-when-full/n1-sq3-cq3"),
        (STARVES, "hand-over/linux/tail-1/n2-sq2-cq2"),
    ],
)
def test_on_a_live_design_the_wait_ends(run: str, other: str) -> None:
    of, instance = kept(run), from_name(other)
    assert expected.word(expected.recorded([instance])[other][1].verdicts) == "live"
    found = followed(of, instance)
    assert found.end == "ended"
    replay(instance.system, found.run)
    numbers = [row.number for row in found.rows if row.number]
    assert numbers == list(range(1, len(of.run.steps) + 1))
    names = [row.step.name for row in found.rows if row.step]
    assert names == list(of.run.steps)
    skewed = replace(found.run, steps=(*found.run.steps[1:], found.run.steps[0]))
    with pytest.raises(ReplayError):
        replay(instance.system, skewed)


@pytest.mark.parametrize(
    ("run", "other", "end"),
    [
        (HANG, "propolis-2025/linux/tail/n1-sq3-cq3", "same"),
        (HANG, "propolis-2025/linux/reserve-slots-size/n1-sq3-cq3", "same"),
        ("propolis-2025-linux-tail-lag-n2-sq2-cq2-uncorked", "propolis-2025/linux/tail-1/n2-sq2-cq2", "stuck"),
    ],
)
def test_a_design_that_hangs_too_is_told_apart(run: str, other: str, end: str) -> None:
    found = followed(kept(run), from_name(other))
    assert found.end == end
    assert (found.parting is None) == (end == "same")
