"""The trials of `uncork conform` on a real device, with their right results: agreement, controls, overlaid policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from uncork_nvme.catalogue import find_device
from uncork_nvme.choices import Choice, Choices

from uncork.conform.campaign import Campaign, Setting, SettingResult
from uncork.conform.controls import CONTROLS, MOST, MOST_OVERLAID, MOST_WRONG, OVERLAID, OVERLAYS, WRONG, against
from uncork.conform.rig.controller import Controller
from uncork.conform.rig.probing import Probed
from uncork.conform.schedules import Run
from uncork.decide import many
from uncork.decide.one import Checked
from uncork.engines import Tick, Watch

LIVE = ("uncorked", "drains")
"""The properties of a policy under which no run gets stuck."""


@dataclass(frozen=True)
class Line:
    """One trial: its subject, the schedules and moves it took, the result, and whether the result is right.

    `part` is `device`, `setting`, `control`, `guest` or `overlay`.
    """

    part: str
    name: str
    about: str
    schedules: int
    moves: int
    result: str
    right: bool


def probed(found: Probed, device: str = "qemu") -> Iterator[Line]:
    """Returns what the device wrote at queue creation and doorbell buffer configuration, beside the model's choices."""
    chosen = Choices().replace(find_device(device).choices)
    for name, what, value in (
        ("on_create", "written as a queue is created", found.on_create),
        ("on_config", "written as the doorbell buffer is configured", found.on_config),
    ):
        yield Line("device", name, what, 1, 0, value, value == chosen.items()[name])
    kicks = "yes: a QEMU without 9529aa6b" if found.kicks_sqs else "no: a QEMU with 9529aa6b"
    yield Line("device", "kicks SQs", "the doorbell of a full CQ has its SQs looked at", 1, 0, kicks, True)


def settings(found: Sequence[SettingResult]) -> Iterator[Line]:
    """Returns the results of schedules by guest and sizes."""
    for each in found:
        looked = each.checks
        silent = looked.get("elide_sq", 0) + looked.get("elide_cq", 0)
        rung = looked.get("ring_sq", 0) + looked.get("ring_cq", 0)
        result = "agrees" if each.failed is None else "differs" if each.failed.mismatch else "stuck"
        yield Line(
            *("setting", each.setting.guest, str(each.setting.shape), each.schedules, each.moves),
            f"{result}; {rung} doorbells rung, {silent} left out",
            each.failed is None,
        )


def controls(controller: Controller, base: dict[str, Choice], among: Sequence[Setting], watch: Watch) -> Iterator[Line]:
    """Runs changed models and guests that break a rule, until each has failed as it should."""
    for control in CONTROLS:
        campaign = Campaign(controller, against(control, base), policy=control.policy)
        found = campaign.until_one_fails(among, MOST, 1, watch, f"control: {control.name}")
        failed = _failed(found)
        if failed is None:
            result, right = f"not told apart: {control.unseen or 'not seen'}", bool(control.unseen)
        else:
            least = campaign.shrink(*failed)
            result, right = f"disagrees: {_differs(least)} after {len(least.moves)} moves", not control.unseen
        yield Line("control", control.name, control.doc, *_totals(found), result, right)
    for wrong in WRONG:
        campaign = Campaign(controller, base, slips=wrong.slips, follows=False)
        found = campaign.until_one_fails(among, MOST_WRONG, 1, watch, f"guest: {wrong.name}")
        failed = _failed(found)
        result = "never stuck"
        if failed is not None:
            least = campaign.shrink(*failed)
            result = f"stuck after {len(least.moves)} moves"
        yield Line("guest", wrong.name, wrong.doc, *_totals(found), result, failed is not None)


def overlays(controller: Controller, base: dict[str, Choice], watch: Watch) -> Iterator[Line]:
    """Runs policies laid over QEMU's own: the model's verdict on each, and whether the real queues get stuck."""
    for policy in OVERLAYS:
        watch(Tick(0, 1, f"overlay: {policy}, the model's verdict"))
        instances = [setting.instance(base, policy) for setting in OVERLAID]
        verdicts = [_verdict(checked) for checked in many.check(instances, LIVE)]
        for setting, verdict in zip(OVERLAID, verdicts, strict=True):
            campaign = Campaign(controller, base, overlay=policy)
            name = f"overlay: {policy}, {setting.guest}, {setting.shape}"
            found = campaign.until_one_fails([setting], MOST_OVERLAID, 1, watch, name)
            result, failed = "never stuck", _failed(found)
            if failed is not None:
                least = campaign.shrink(*failed)
                result = "differs" if least.mismatch else f"stuck after {len(least.moves)} moves"
            right = (verdict, result[:5]) in (("proved", "never"), ("refuted", "stuck"))
            model = campaign.models[setting]
            if model.open:
                result += f", {model.open} of {model.looks} times by a choice"
            about = f"{setting.guest}, {setting.shape}"
            yield Line("overlay", policy, about, *_totals(found), f"{verdict}; {result}", right)


def _verdict(checked: Checked) -> str:
    """Returns refuted if some run gets stuck, proved if no run does."""
    words = {row.verdict.word for row in checked.rows}
    return next(each for each in ("refuted", "open", "proved") if each in words)


def _failed(found: Sequence[SettingResult]) -> tuple[Setting, Run] | None:
    return next(((each.setting, each.failed) for each in found if each.failed), None)


def _totals(found: Sequence[SettingResult]) -> tuple[int, int]:
    return sum(each.schedules for each in found), sum(each.moves for each in found)


def _differs(run: Run) -> str:
    return ", ".join(run.mismatch.differs) if run.mismatch else "stuck"
