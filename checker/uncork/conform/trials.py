"""The trials of `uncork conform qemu`, with their right results: agreement, controls, overlaid policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from uncork_nvme.catalogue import find_device
from uncork_nvme.choices import YES, Choice, Choices
from uncork_nvme.instance import Instance
from uncork_nvme.shape import Shape

from uncork.conform.controls import CONTROLS, MOST, MOST_OVERLAID, MOST_WRONG, OVERLAYS, WRONG, against
from uncork.conform.guest import Alone, Independent
from uncork.conform.harness.player import Played
from uncork.conform.harness.runs import Tried, shrink, until_one_fails
from uncork.conform.harness.trials import Examined, Line
from uncork.conform.rig.harness import Driven
from uncork.conform.rig.probing import Probed
from uncork.decide import many
from uncork.decide.exits import Exit
from uncork.decide.one import Checked
from uncork.engines import Tick, Watch

GUESTS = ("linux", "lazy", "spdk")
SHAPES = (
    *(Shape(1, 2, 2), Shape(1, 3, 3), Shape(1, 4, 3), Shape(1, 4, 4)),
    *(Shape(2, 2, 2), Shape(2, 2, 3), Shape(2, 3, 3), Shape(3, 2, 2)),
)
LIVE = ("uncorked", "drains")
"""The properties of a policy under which no run gets stuck."""


def instances(
    choices: Mapping[str, Choice],
    policy: str = "",
    *,
    guests: Sequence[str] = GUESTS,
    shapes: Sequence[Shape] = SHAPES,
    device: str = "qemu",
) -> list[Instance]:
    """Returns the models of every guest at all sizes, with some choices changed. Neighbours differ in their guest.

    The policy is the device's own if none is given.
    """
    policy = policy or find_device(device).policy
    return [Instance(device, guest, policy, *shape, dict(choices)) for shape in shapes for guest in guests]


def variant(probed: Probed) -> dict[str, Choice]:
    """Returns how a probed QEMU differs from today's: before 9529aa6b, the doorbell of a full CQ also kicks SQs."""
    return {"kick_on_doorbell": YES} if probed.kicks_sqs else {}


def probed(found: Probed, device: str = "qemu") -> Iterator[Line]:
    """Returns what the device wrote at queue creation and doorbell buffer configuration, beside the model's choices."""
    chosen = Choices().replace(find_device(device).choices).items()
    for name, what, value in (
        ("on_create", "written as a queue is created", found.on_create),
        ("on_config", "written as the doorbell buffer is configured", found.on_config),
    ):
        code = Exit.AS_EXPECTED if value == chosen[name] else Exit.DISAGREE
        yield Line("device", name, what, 1, 0, value, code, aside=True)
    kicks = "yes: a QEMU without 9529aa6b" if found.kicks_sqs else "no: a QEMU with 9529aa6b"
    yield Line("device", "kicks SQs", "the doorbell of a full CQ has its SQs looked at", 1, 0, kicks, aside=True)


def agreement(
    found: Examined,
    harness: Driven,
    among: Sequence[Instance],
    overlay: str | None,
    schedules: int,
    seed: int,
    watch: Watch,
) -> None:
    """Makes random runs of some instances in turn, until one fails, and adds the results by guest and sizes."""
    tried = until_one_fails(among, partial(Independent, harness, overlay=overlay), schedules, seed, watch)
    found.knows(tried[0].player)
    found.lines += _settings(tried)
    for each in tried:
        if each.failed:
            watch(Tick(0, 1, "shrinking the schedule that fails"))
            found.fails(each.player, shrink(each.player, each.failed))


def _settings(tried: Sequence[Tried]) -> Iterator[Line]:
    for each in tried:
        assert isinstance(each.player, Independent)
        looked, instance = each.player.checks, each.player.instance
        silent, rung = looked["elide_sq"] + looked["elide_cq"], looked["ring_sq"] + looked["ring_cq"]
        result, code = "agrees", Exit.AS_EXPECTED
        if each.failed:
            result, code = each.failed.failed, Exit.LIVENESS if each.failed.stuck else Exit.DISAGREE
        result = f"{result}; {rung} doorbells rung, {silent} left out"
        yield Line("setting", instance.guest, str(instance.shape), each.runs, each.moves, result, code)


def controls(harness: Driven, base: Mapping[str, Choice], watch: Watch) -> Iterator[Line]:
    """Runs changed models and guests that break a rule, until each has failed as it should."""
    for control in CONTROLS:
        among = instances(against(control, base), control.policy)
        what = f"control: {control.name}"
        found = until_one_fails(among, partial(Independent, harness), MOST, 1, watch, what)
        result, wrong = f"not told apart: {control.unseen or 'not seen'}", not control.unseen
        if least := _least(found):
            differs = ", ".join(least.mismatch.differs) if least.mismatch else least.failed
            result, wrong = f"disagrees: {differs} after {len(least.moves)} moves", bool(control.unseen)
        yield _aside("control", control.name, control.doc, found, result, Exit.VACUOUS if wrong else Exit.AS_EXPECTED)
    for slip in WRONG:
        player = partial(Alone, harness, slips=slip.slips)
        found = until_one_fails(instances(base), player, MOST_WRONG, 1, watch, f"guest: {slip.name}")
        least = _least(found)
        result = f"stuck after {len(least.moves)} moves" if least else "never stuck"
        yield _aside("guest", slip.name, slip.doc, found, result, Exit.AS_EXPECTED if least else Exit.VACUOUS)


def overlays(harness: Driven, base: Mapping[str, Choice], watch: Watch) -> Iterator[Line]:
    """Runs policies laid over QEMU's own: the model's verdict on each, and whether the real queues get stuck.

    At every small size, with a guest that has the strict rule, and one with the closed rule.
    """
    shapes = [shape for shape in SHAPES if shape.sqs * shape.sq_size < 5]
    own = sorted(instances(base, guests=("linux", "spdk"), shapes=shapes), key=lambda each: each.guest)
    for policy in OVERLAYS:
        watch(Tick(0, 1, f"overlay: {policy}, the model's verdict"))
        verdicts = map(_verdict, many.check([replace(each, policy=policy) for each in own], LIVE))
        for instance, verdict in zip(own, verdicts, strict=True):
            laid, about = partial(Independent, harness, overlay=policy), f"{instance.guest}, {instance.shape}"
            found = until_one_fails([instance], laid, MOST_OVERLAID, 1, watch, f"overlay: {policy}, {about}")
            result = "never stuck"
            if least := _least(found):
                result = f"stuck after {len(least.moves)} moves" if least.stuck else least.failed
            right = (verdict, result[:5]) in (("proved", "never"), ("refuted", "stuck"))
            (player,) = (each.player for each in found)
            assert isinstance(player, Independent)
            if player.open:
                result += f", {player.open} of {player.looks} times by a choice"
            code = Exit.AS_EXPECTED if right else Exit.DISAGREE
            yield _aside("overlay", policy, about, found, f"{verdict}; {result}", code)


def _verdict(checked: Checked) -> str:
    """Returns refuted if some run gets stuck, proved if no run does."""
    words = {row.verdict.word for row in checked.rows}
    return next(each for each in ("refuted", "open", "proved") if each in words)


def _least(found: Sequence[Tried]) -> Played | None:
    """Returns the run that failed with as few moves as fail; None if none did."""
    return next((shrink(each.player, each.failed) for each in found if each.failed), None)


def _aside(part: str, name: str, about: str, found: Sequence[Tried], result: str, code: Exit) -> Line:
    runs, moves = sum(each.runs for each in found), sum(each.moves for each in found)
    return Line(part, name, about, runs, moves, result, code, aside=True)
