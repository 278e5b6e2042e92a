"""The command that compares a real device with its model: `uncork conform`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from uncork_nvme.choices import Choice, parse_all
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name
from uncork_nvme.parts.guest import Driver

from uncork.command.options import Command, listed, told, writable, write
from uncork.conform import trials
from uncork.conform.campaign import GUESTS, SHAPES, Campaign, Setting, settings, variant
from uncork.conform.rig.controller import Controller
from uncork.conform.rig.probing import probe
from uncork.conform.rig.qtest import Failed, Missing, Qemu
from uncork.conform.schedules import Run
from uncork.conform.storing import Stored, as_json, loads
from uncork.conform.trials import Line
from uncork.decide.exits import Exit
from uncork.decide.gate import worst
from uncork.engines import Tick, Watch
from uncork.engines.follow import TooManyStates
from uncork.render.terminal.progress import progress

if TYPE_CHECKING:
    from uncork.render.terminal.text import Page

_PLAYED = {"doorbell_buffer": "on", "used_by": "both", "byte_order": "same", "event_look": "after", "cq_head": "told"}
_PLAYED |= {"events": "none", "memory": "sc"}
"""The choices of which the driver plays one value."""
_MOST_SQS, _MOST_SQ, _MOST_CQ = 8, 64, 256
"""The most SQs, and the most entries that fit a page: every queue of the driver is one page."""


@dataclass(frozen=True)
class _Plan:
    """The options of a comparison."""

    schedules: int
    seed: int
    settings: Sequence[Setting]
    device: str
    overrides: dict[str, Choice]
    policy: str
    overlay: str | None
    controls: bool


@click.command(cls=Command)
@click.argument("what", metavar="qemu|FILE")
@click.option("--schedules", type=click.IntRange(min=1), default=480, show_default=True, help="Schedules in total.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Seed of the first schedule; +1 for each next.",
)
@click.option("--device", default="qemu", show_default=True, help="The model; your own as path/to/file.py:name.")
@listed("--guest", help="Guests. Default: linux,lazy,spdk.")
@listed("--shape", help="Sizes, as in n2-sq3-cq3. Default: eight small ones.")
@click.option("--policy", default="", help="Policy of the model, in place of its own: a wrong one should disagree.")
@click.option(
    "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Change a choice of the model. Repeatable."
)
@click.option("--overlay", metavar="POLICY", help="Show the guest this policy's CQ EventIdx in place of QEMU's.")
@click.option("--controls", is_flag=True, help="Also run wrong models and guests, which have to fail.")
@click.option("--program", help="The QEMU to run. Default: qemu-system-x86_64.")
@click.option(
    "--save",
    type=click.Path(dir_okay=False),
    default="conform-failed.json",
    show_default=True,
    help="File for a schedule that fails, after shrinking.",
)
@click.option(
    "--json",
    "json_",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write the results as JSON; - is standard output.",
)
def conform(
    what: str,
    schedules: int,
    seed: int,
    device: str,
    guest: list[str] | None,
    shape: list[str] | None,
    policy: str,
    overrides: tuple[str, ...],
    overlay: str | None,
    controls: bool,
    program: str | None,
    save: str,
    json_: str | None,
) -> int:
    """Run a real QEMU beside its model, step by step, and compare; or run the schedule in FILE again.

    Random guest moves are made on QEMU's NVMe controller, without a guest operating system, KVM or root. After each
    move, EventIdx and the CQEs have to be as in a state of the model in which the device is idle. At the end no command
    may be stuck. A schedule that fails is shrunk, printed and written to a file. Results are in docs/conform.md.
    """
    stored = None if what == "qemu" else _stored(what)
    of_search = ("schedules", "seed", "device", "guest", "shape", "policy", "overrides", "overlay", "controls")
    if stored and (ignored := _given(of_search)):
        raise click.UsageError(f"a stored schedule has its own: leave out --{', --'.join(ignored)}")
    writable([None if stored else save, json_], [what])
    chosen = _settings(guest, shape, device)
    plan = _Plan(schedules, seed, chosen, device, parse_all(overrides), policy, overlay, controls)
    for name in (policy, overlay):
        find_policy(name) if name else None
    if device != "qemu" and (overlay or controls):
        raise InstanceError("--overlay and --controls change QEMU's own model: leave out --device")
    if overlay and (policy or "post_order" in plan.overrides):
        raise InstanceError("--overlay needs QEMU's own policy: leave out --policy and --set post_order")
    for setting in plan.settings:
        _comparable(setting.instance(plan.overrides, policy))

    from uncork.render.terminal.text import Page  # rich

    to = Page(stderr=json_ == "-")
    try:
        with Qemu(program) as qemu, progress() as watch:
            made = _again(stored, qemu) if stored else _compare(plan, qemu, watch)
    except Missing as why:
        click.echo(f"skipped: {why}", err=True)
        return Exit.OPEN
    except (Failed, TooManyStates) as why:
        click.echo(f"open: {why}", err=True)
        return Exit.OPEN
    return made.tell(to, None if stored else save, json_)


def _given(names: Iterable[str]) -> list[str]:
    """Returns which of these options stand on the command line."""
    context = click.get_current_context()
    spelt = {"overrides": "set"}
    source = click.core.ParameterSource.COMMANDLINE
    return [spelt.get(name, name) for name in names if context.get_parameter_source(name) is source]


@dataclass(frozen=True)
class _Made:
    """The results, printed after QEMU has ended."""

    version: str
    schedules: int
    moves: int
    campaign: Campaign
    lines: Sequence[Line] = ()
    failed: tuple[Setting, Run] | None = None
    skipped: int = 0

    def tell(self, to: Page, save: str | None, json_: str | None) -> int:
        """Prints the results and writes the files. Returns the exit code."""
        from uncork.conform.show import tables  # rich

        for table in tables(self.lines):
            to.show(table)
            to.say()
        codes = [_code(line) for line in self.lines if not line.right]
        if self.skipped:
            to.say(f"{self.skipped} of the stored moves could not be made, and were left out")
        if self.failed:
            codes.append(self._tell_failure(to, *self.failed, save))
        else:
            to.say(
                f"QEMU {self.version}: {self.schedules:,} schedule{'s' if self.schedules != 1 else ''}, "
                f"{self.moves:,} moves; the model agrees after each."
            )
        if json_ is not None:
            rows = [{"qemu": self.version, **vars(line)} for line in self.lines]
            write(json_, json.dumps(rows, indent=1) + "\n")
        return worst(codes)

    def _tell_failure(self, to: Page, setting: Setting, run: Run, save: str | None) -> Exit:
        from uncork.conform.show import told as in_lines  # rich

        instance = setting.instance(self.campaign.choices, self.campaign.policy)
        over = f", with {self.campaign.overlay} laid over it" if self.campaign.overlay else ""
        what = "QEMU does what the model does not" if run.mismatch else "a run gets stuck"
        to.say(f"QEMU {self.version}, {instance.name}{over}: {what}", "bold", whole=True)
        for line in in_lines(run):
            to.say(line, whole=True)
        if save:
            write(save, json.dumps(as_json(run, instance, self.campaign.overlay, self.version), indent=1) + "\n")
            to.say(f"written to {save}; uncork conform {save} runs it again", whole=True)
        return Exit.DISAGREE if run.mismatch else Exit.LIVENESS


def _compare(plan: _Plan, qemu: Qemu, watch: Watch) -> _Made:
    controller = Controller(qemu)
    probed = probe(controller)
    base = variant(probed) if plan.device == "qemu" else {}
    campaign = Campaign(controller, {**base, **plan.overrides}, policy=plan.policy, overlay=plan.overlay)
    found = campaign.until_one_fails(plan.settings, plan.schedules, plan.seed, watch)
    lines = [*trials.probed(probed, plan.device), *trials.settings([each for each in found if each.schedules])]
    failed = next(((each.setting, each.failed) for each in found if each.failed), None)
    if failed:
        watch(Tick(0, 1, "shrinking the schedule that fails"))
        failed = (failed[0], campaign.shrink(*failed))
    elif plan.controls:
        lines += [*trials.controls(controller, base, settings(), watch), *trials.overlays(controller, base, watch)]
    return _Made(qemu.version, plan.schedules, sum(each.moves for each in found), campaign, lines, failed)


def _again(stored: Stored, qemu: Qemu) -> _Made:
    instance = stored.instance
    setting = Setting(instance.guest, instance.shape, instance.device)
    campaign = Campaign(Controller(qemu), dict(instance.overrides), policy=instance.policy, overlay=stored.overlay)
    made = campaign.run(setting, stored.seed, stored.moves)
    failed = (setting, made) if made.mismatch or made.stuck else None
    skipped = len(stored.moves) - made.drawn
    return _Made(qemu.version, 1, len(made.moves), campaign, failed=failed, skipped=0 if made.mismatch else skipped)


def _code(line: Line) -> Exit:
    """Returns the exit code of a trial with a wrong result."""
    if line.part in ("control", "guest"):
        return Exit.VACUOUS
    return Exit.LIVENESS if line.result.startswith("stuck") else Exit.DISAGREE


# -- options -----------------------------------------------------------------------------------------------------------
def _stored(path: str) -> Stored:
    if not os.path.isfile(path):
        raise InstanceError(f"{path!r} is neither qemu nor a file: name qemu, or a file that uncork conform stored")
    try:
        with told(path):
            found = loads(Path(path).read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise InstanceError(f"{path} is not a run that uncork conform stored: {error}") from None
    _comparable(found.instance)
    return found


def _settings(guests: Sequence[str] | None, shapes: Sequence[str] | None, device: str) -> list[Setting]:
    sizes = [from_name(f"qemu/linux/head/{name}").shape for name in shapes or ()]
    return settings(guests or GUESTS, sizes or SHAPES, device)


def _comparable(instance: Instance) -> None:
    """Raises `InstanceError` for a model that the driver cannot play the guest of, or whose queues are too large."""
    choices = instance.choices
    for name, only in _PLAYED.items():
        if choices.items()[name] != only:
            raise InstanceError(f"{instance.name}: a real device can only be compared with {name}={only}")
    if type(guest := instance.assembled.guest) is not Driver:
        raise InstanceError(
            f"{instance.name}: the driver of a real device does not know the steps of {type(guest).__name__}: take a "
            "guest that has Driver, with settings"
        )
    if instance.sqs > _MOST_SQS or instance.sq_size > _MOST_SQ or instance.cq_size > _MOST_CQ:
        most = f"at most {_MOST_SQS} SQs of {_MOST_SQ} entries and a CQ of {_MOST_CQ}"
        raise InstanceError(f"{instance.name}: a real device is compared with {most}")
