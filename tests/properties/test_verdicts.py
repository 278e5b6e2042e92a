"""The verdicts of the machine: those that anyone can check by reasoning, and those recorded."""

from __future__ import annotations

import pytest
from budgets import spread
from plainly import both
from uncork.core.verdict import Proved, Refuted
from uncork.decide import many
from uncork_nvme.instance import Instance, from_name
from uncork_nvme.policies import POLICIES
from uncork_properties import expected, matrix
from uncork_properties.catalogue import ROWS, covers
from uncork_properties.expected import cell

KNOWN = {
    # Propolis PR #1026: EventIdx at the tail is never passed by a guest that drains the CQ.
    "propolis-2025/linux/tail/n1-sq3-cq3": {"safety": "proved", "uncorked": "refuted", "drains": "refuted"},
    # The fix; but a CQ of two entries never holds more than one, and then EventIdx is left alone.
    "propolis-2026/linux/tail-lag/n1-sq3-cq3": dict.fromkeys(ROWS, "proved"),
    "propolis-2026/linux/tail-lag/n1-sq2-cq2": {"safety": "proved", "uncorked": "refuted"},
    # Every move rings: nothing is lost with one SQ. With two, a remit wakes nobody, unless it kicks.
    "mmio/linux/tail/n1-sq4-cq4": dict.fromkeys(ROWS, "proved"),
    "mmio/linux/tail/n2-sq2-cq2": {"uncorked": "refuted", "drains": "refuted"},
    "mmio/linux/tail/n2-sq2-cq2/kick_on_remit=yes": {"uncorked": "proved", "drains": "proved"},
    # Arm, fence, look again, and kick wherever a permit comes back.
    "arm-recheck/linux/arm-on-cork/n1-sq3-cq3": dict.fromkeys(ROWS, "proved"),
    "arm-recheck/linux/arm-on-cork/n2-sq2-cq2": {"uncorked": "proved", "drains": "proved", "progress": "refuted"},
    # A slot that is not reusable before the CQ head is published: equal sizes cannot cork.
    "propolis-2025/linux/tail/n1-sq4-cq4/early_free=no": dict.fromkeys(ROWS, "proved"),
    "propolis-2025/linux/tail/n1-sq4-cq3/early_free=no": {"uncorked": "refuted"},
    # Completions from elsewhere: without a look after each, a notification is all there is.
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/backend=detached": {"uncorked": "refuted"},
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/backend=detached-repoll": {"uncorked": "proved"},
    # Several workers, and kicks of no more than there is room for.
    "arm-recheck/linux/arm-on-cork/n1-sq3-cq3/workers=2": dict.fromkeys(ROWS, "proved"),
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/workers=2": dict.fromkeys(ROWS, "proved"),
    # First come, first served, with the permit in hand: no SQ starves another.
    "hand-over/linux/tail-1/n2-sq2-cq2": dict.fromkeys(ROWS, "proved"),
    "hand-over/linux/tail-1/n2-sq2-cq2/kick_size=all": {"uncorked": "proved", "progress": "refuted"},
    # Fairness is owed to a kick, not to its choice of whom to wake: one SQ can be left out every time.
    "mmio/linux/tail/n2-sq2-cq2/kick_on_remit=yes,kick_size=room": {"uncorked": "refuted", "drains": "proved"},
}


def verdicts(instance: Instance) -> dict[str, str]:
    (checked,) = many.check([instance])
    return {row.property: row.verdict.word for row in checked.rows}


@pytest.mark.parametrize("name", KNOWN)
def test_a_verdict_that_reasoning_gives_is_found(name: str) -> None:
    assert KNOWN[name].items() <= verdicts(from_name(name)).items()


REASONED = [
    "propolis-2025/linux/tail/n1-sq2-cq2",
    "propolis-2026/linux/tail-lag/n1-sq2-cq2",
    "propolis-2026/spdk/tail-1/n1-sq2-cq2",
    "propolis-2026/lazy/head/n1-sq2-cq2/early_free=no,backend=detached",
    "mmio/linux/tail/n1-sq3-cq3",
    "mmio/linux/tail/n1-sq2-cq3/backend=detached-repoll,workers=2",
    "arm-recheck/linux/arm-on-cork/n1-sq2-cq2",
    "arm-recheck/linux/never/n1-sq2-cq2/kick_size=room",
    "arm-recheck/lazy/reserve-permits/n1-sq2-cq2/cork=park",
    "arm-recheck/linux/arm-on-cork/n1-sq2-cq2/memory=tso",
    "propolis-2026/spdk/tail-lag/n1-sq2-cq2/memory=tso,guest_fence=no",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", spread(REASONED, 2))
def test_two_engines_that_share_no_code_agree_on_the_matrix(name: str) -> None:
    for prop, one, other in both(from_name(name)):
        if isinstance(one, Refuted) and isinstance(other, Refuted):
            assert one.trace.stem == other.trace.stem, prop.name


def test_the_matrix_is_recorded_whole() -> None:
    recorded = expected.default()
    assert list(recorded) == [instance.name for instance in matrix.instances()], "run make expectations"
    for _, each in recorded.values():
        assert set(each.verdicts) == set(ROWS)
        assert each.states and each.depth


def test_every_built_in_policy_has_recorded_verdicts() -> None:
    lacking = POLICIES.keys() - {instance.policy for instance, _ in expected.recorded().values()}
    assert not lacking, "name it in matrix.POLICIES or make it a device's policy, then run make expectations"


def test_a_refuted_property_without_a_word_of_its_own_fails() -> None:
    cells = dict.fromkeys(ROWS, "proved")
    assert expected.word({**cells, "other": "proved"}) == "live"
    assert expected.word({**cells, "other": "refuted 3+1"}) == "fails 4"
    assert expected.word({**cells, "other": "refuted 3+1", "drains": "refuted 9+0"}) == "HANGS 9"
    assert expected.word({**cells, "other": "open"}) == "open"


def test_the_matrix_can_prove_and_refute_each_liveness() -> None:
    for row in set(ROWS) - {"safety"}:
        words = {each.verdicts[row].split(" ")[0] for _, each in expected.default().values()}
        assert words == {"proved", "refuted"}


def test_a_proof_is_not_empty() -> None:
    """Only a guest that rings when EventIdx is just reached leaves a cover: with two entries it never elides."""
    lacking = {(i.guest, i.sq_size, each.unreached) for i, each in expected.default().values() if each.unreached}
    assert lacking == {("spdk", 2, frozenset({"elides a doorbell"}))}


@pytest.mark.slow
@pytest.mark.parametrize("one_in", [31, pytest.param(1, marks=pytest.mark.deep)])
def test_the_matrix_has_the_same_verdicts_without_reductions(one_in: int) -> None:
    """Verdicts, ways in and stuck runs are those recorded with reductions; but for sizes that take too long without."""
    known = [
        (name, of) for name, of in expected.default().items() if (of[0].sqs, of[0].cq_size) not in ((2, 3), (3, 2))
    ]
    recorded = dict(known[::one_in])
    for checked in many.check([instance for instance, _ in recorded.values()], reductions=frozenset()):
        name, cells = checked.instance.name, recorded[checked.instance.name][1].verdicts
        for row in checked.rows:
            found = cell(row.verdict.word, *row.verdict.steps)
            assert found.split("+")[0] == cells[row.property].split("+")[0], (name, row.property)
            if isinstance(row.verdict, Refuted) and row.verdict.trace.stuck:
                assert found == cells[row.property], (name, row.property)


def test_the_deep_matrix_is_recorded_whole() -> None:
    recorded = expected.default("deep.csv")
    assert list(recorded) == [instance.name for instance in matrix.deep()], "run make expectations-deep"
    assert all(set(each.verdicts) == set(ROWS) for _, each in recorded.values()), "run make expectations-deep"


@pytest.mark.slow
def test_two_checks_of_an_instance_give_the_same_traces() -> None:
    name = "propolis-2026/linux/head/n2-sq2-cq2/early_free=no"
    first, second = (many.check([from_name(name)]) for _ in range(2))
    assert [each.rows for each in first] == [each.rows for each in second]


def test_proved_says_how() -> None:
    (checked,) = many.check([from_name("propolis-2026/linux/tail-lag/n1-sq3-cq3")], reductions=frozenset())
    assert {row.verdict for row in checked.rows} == {Proved("all 77,250 reachable states")}


@pytest.mark.parametrize(("name", "kicks"), [("propolis-2026/linux/tail-lag", True), ("nvme-mdev/linux/half", False)])
def test_a_device_that_kicks_nobody_has_no_cover_for_an_sq_that_is_uncorked(name: str, kicks: bool) -> None:
    """Its SQs stay on record, and look again by themselves: that none is taken off says nothing of a proof."""
    instance = from_name(f"{name}/n1-sq2-cq2")
    named = [cover.name for cover in covers(instance.machine, instance.system)]
    assert "corks an SQ" in named
    assert ("uncorks an SQ" in named) is kicks
