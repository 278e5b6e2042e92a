"""First come, first served: no SQ starves, at every size, and each part of that is needed."""

from __future__ import annotations

import pytest
from proofs import ANY, ONE, broken, design, hangs, mutant, part
from uncork.core.sorts import SlipError
from uncork.core.verdict import Refuted
from uncork.engines import REDUCTIONS, explicit
from uncork.engines.deductive import judge
from uncork.prove import proof
from uncork_nvme.anysize import AnySize, anywhere
from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import system
from uncork_nvme.policies import policy
from uncork_properties.argument import argument
from uncork_properties.catalogue import properties

LIVE = ["safety", "uncorked", "drains", "progress"]
SERVES = [
    *("hand-over/linux/tail-1", "hand-over/linux/reserve-permits", "hand-over/linux/head-when-full"),
    *("hand-over/linux/reserve-permits/backend=detached", "hand-over/spdk/reserve-slots"),
    *("hand-over/linux/tail-1/post_order=read-then-arm", "hand-over/lazy/head/early_free=no"),
    *("hand-over/linux/tail-1/workers=2", "hand-over/linux/tail-1/workers=2,notify=kept"),
    "hand-over/linux/reserve-permits/workers=2,backend=detached",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "several"),
    [
        pytest.param(name, several, marks=[pytest.mark.deep] if k else [])
        for k, name in enumerate(SERVES) for several in (ONE, ANY)
    ],
)  # fmt: skip
def test_kicks_that_hand_permits_over_starve_no_sq(name: str, several: bool) -> None:
    assert part(name, several).proved == LIVE


@pytest.mark.deep
@pytest.mark.parametrize(
    "name", ["hand-over/linux/head", "hand-over/linux/head/backend=detached", "hand-over/linux/head/workers=2"]
)
def test_so_they_do_with_any_position_from_the_head_to_before_the_tail(name: str) -> None:
    of = design(name)
    machine = AnySize(of.at(1, 2, 2).assembled, policy(anywhere), several=True, counted=proof.counted(of))
    made = system("anywhere", machine)
    found = judge(argument(machine, made))
    assert not found.failures
    assert {"uncorked SQ0", "drains SQ0", "progress SQ0"} <= {
        p.name for p in properties(machine, made) if found.proves(p)
    }


WAKE = "consecution: wake-up on its way of {}, after {}"
TWINS = [
    ("the kick at a remit", "hand-over/linux/tail-1/kick_on_remit=no", WAKE.format("SQ1", "remit(SQ0)")),
    ("the kick at a post", "hand-over/linux/tail-1/kick_on_post=no", WAKE.format("SQ1", "post_arm(SQ0)")),
    ("the kick at a reserve", "hand-over/linux/tail-1/kick_on_reserve=no",
     "rank not raised: progress SQ0, after refresh(SQ1)"),
    ("the kick at a doorbell", "hand-over/linux/tail-1/kick_on_doorbell=no", WAKE.format("SQ0", "need_cq")),
    ("arm before read", "hand-over/linux/tail-1/backend=detached,post_order=read-then-arm",
     WAKE.format("SQ1", "post_arm(SQ0)")),
]  # fmt: skip


@pytest.mark.deep
@pytest.mark.parametrize(("what", "name", "obligation"), TWINS)
def test_a_part_taken_out_breaks_what_stands_for_it(what: str, name: str, obligation: str) -> None:
    """And the design really starves or hangs, at two SQs of two entries on a CQ of two or three."""
    found = part(name, ANY)
    assert obligation in broken(found) | {failure.obligation.name for failure in found.judgement.failures}
    assert not {"uncorked", "progress"} & set(found.proved)
    for shape in [(2, 2, 2), (2, 2, 3)]:
        instance = design(name).at(*shape)
        wanted = [p for p in properties(instance.machine, instance.system) if p.row == "progress"]
        outcome = explicit.check(instance.system, wanted, reductions=REDUCTIONS)
        if any(isinstance(verdict, Refuted) for _, verdict in outcome.verdicts):
            return
    pytest.fail("it is live at the sizes that were looked at")


MUTANTS = [
    ("an SQ that looks again goes to the end of the line", "room.kicks", "ite(q.corked, q.before, m.waiting)",
     "m.waiting", ONE, "consecution: place of SQ0, after cork(SQ0)"),
    ("a kick that hands a permit to everybody", "anysize", "q.corked & (q.before < self.handed) for q",
     "q.corked for q", ANY, "consecution: rest.held in range, after kick"),
    ("room that a doorbell freed is taken past the line", "room.kicks", ' & (m.cq.consumer != "kick")', "",
     ANY, "rank not raised: progress SQ0, after reserve(SQ1)"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [pytest.param(m, id=m[0], marks=[pytest.mark.deep] if m[4] else []) for m in MUTANTS]
)
def test_a_mutant_of_the_line_breaks_the_proof(change: tuple[str, str, str, str, bool, str]) -> None:
    _, module, old, new, several, obligation = change
    found, against = mutant(module, old, new, "hand-over/linux/tail-1", several)
    assert "progress SQ0" in against
    assert obligation in {failure.obligation.name for failure in [*found.broken, *found.failures]}


@pytest.mark.parametrize("other", ["workers=2,memory=tso", "doorbell_buffer=off"])
def test_a_line_of_which_the_lemmas_do_not_speak_is_refused(other: str) -> None:
    with pytest.raises(SlipError, match=r"kick_size=hand-over.* proved with"):
        part(f"hand-over/linux/tail-1/{other}", ANY)


# -- without a kick at a post ------------------------------------------------------------------------------------------
CHEAP = "propolis-2026/linux/head-when-full/kick_on_reserve=yes,kick_on_remit=yes"
ARMS_OFTEN = [
    "propolis-2026/linux/tail-1/kick_on_reserve=yes,kick_on_remit=yes",
    "propolis-2026/linux/leave if permits>=1 else head/kick_on_reserve=yes,kick_on_remit=yes",
]


@pytest.mark.deep
def test_a_device_that_arms_only_when_the_cq_is_full_needs_no_kick_at_a_post() -> None:
    assert {"uncorked", "drains"} <= set(part(CHEAP, ANY).proved)


@pytest.mark.deep
@pytest.mark.parametrize("name", ARMS_OFTEN)
def test_a_device_that_arms_more_often_needs_it(name: str) -> None:
    """Another SQ's post moves EventIdx away from the guest. It hangs: a search finds that, or a run is recorded."""
    found = part(name, ANY)
    assert "uncorked" not in found.proved and "drains" in found.proved
    failures = {failure.obligation.name for failure in found.judgement.failures}
    assert "rank not raised: uncorked SQ0, after post_arm(SQ1)" in failures
    assert hangs(name) or proof.known_to_fail(design(name), ANY, ["uncorked"])


@pytest.mark.deep
@pytest.mark.parametrize("policy", ["tail-1", "reserve-permits", "leave if permits>=1 else head"])
def test_with_it_the_order_of_a_post_does_not_matter_if_the_worker_looks_again(policy: str) -> None:
    kicks = ",".join(f"kick_on_{site}=yes" for site in ("post", "reserve", "remit"))
    assert {"uncorked", "drains"} <= set(part(f"propolis-2026/linux/{policy}/{kicks}", ANY).proved)
    assert "uncorked" not in part(f"propolis-2026/linux/{policy}/{kicks},backend=detached", ANY).proved


# -- SQs that come and go ----------------------------------------------------------------------------------------------
COME_AND_GO = "arm-recheck/linux/{}/cork=park,events=delete+create"


@pytest.mark.deep
@pytest.mark.parametrize("policy", ["reserve-slots", "reserve-permits", "tail-1", "head-when-full"])
def test_sqs_may_be_deleted_and_created_again_any_finite_number_of_times(policy: str) -> None:
    assert part(COME_AND_GO.format(policy), ANY).proved == ["safety", "uncorked", "drains"]


@pytest.mark.deep
@pytest.mark.parametrize(
    ("without", "step"), [("kick_on_release=no", "release(SQ0)"), ("post_order=read-then-arm", "post_arm(SQ0)")]
)
def test_then_a_released_permit_has_to_kick_and_the_order_of_a_post_matters(without: str, step: str) -> None:
    """The SQ whose worker was about to look, and would have found the room, is deleted before."""
    name = f"{COME_AND_GO.format('tail-1')},{without}"
    assert WAKE.format("SQ1", step) in broken(part(name, ANY))
    assert hangs(name)


IN_LINE = "hand-over/linux/{}/events=delete+create"


@pytest.mark.deep
@pytest.mark.parametrize("policy", ["reserve-permits", "tail-1", "head-when-full"])
def test_in_line_sqs_may_come_and_go_and_none_starves(policy: str) -> None:
    """And it is so at a small size, where the explicit engine decides it."""
    assert part(IN_LINE.format(policy), ANY).proved == LIVE
    assert part(f"{IN_LINE.format(policy)},workers=2", ANY).proved == LIVE
    assert not any(hangs(IN_LINE.format(policy), row=row) for row in LIVE)


@pytest.mark.deep
@pytest.mark.parametrize("without", ["kick_on_release=no", "post_order=read-then-arm,backend=detached"])
def test_in_line_too_a_released_permit_has_to_kick_and_the_order_of_a_post_matters(without: str) -> None:
    name = f"{IN_LINE.format('tail-1')},{without}"
    assert not {"uncorked", "progress"} & set(part(name, ANY).proved)
    assert hangs(name)


GAPS = [
    ("an SQ that is deleted leaves a gap in the line", "*(r.moves_up(moves) for r, moves in behind)", ""),
    ("a permit that was handed over is lost with its SQ", "return ~q.granted", "return boolean(True)"),
    ("an SQ that is deleted moves everybody up", " & (r.before > q.before)", ""),
]


@pytest.mark.deep
@pytest.mark.parametrize(("what", "old", "new"), GAPS)
def test_a_mutant_of_what_a_deletion_does_to_the_line_breaks_the_proof(what: str, old: str, new: str) -> None:
    _, against = mutant("room.kicks", old, new, IN_LINE.format("tail-1"), ANY)
    assert {"progress SQ0", "uncorked SQ0"} <= set(against)


def test_in_line_other_events_are_refused() -> None:
    with pytest.raises(ChoiceError, match="not with pause"):
        _ = design("hand-over/linux/tail-1/events=delete+pause").at(2, 2, 2).machine


@pytest.mark.parametrize(
    ("name", "several", "says"),
    [
        (COME_AND_GO.format("tail-1"), ONE, "--sqs any"),
        (f"{COME_AND_GO.format('tail-1')},on_delete=abandon", ANY, "on_delete=abandon"),
        (f"{COME_AND_GO.format('tail-1')},words=keep", ANY, "words=keep"),
        ("arm-recheck/linux/tail-1/events=delete", ANY, "events=delete"),
    ],
)
def test_events_of_which_the_lemmas_do_not_speak_are_refused(name: str, several: bool, says: str) -> None:
    with pytest.raises(SlipError, match=says):
        part(name, several)
