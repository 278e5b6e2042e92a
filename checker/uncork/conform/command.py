"""The command that compares a real device with its model: `uncork conform`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import Any

import click
from uncork_nvme.choices import parse_all
from uncork_nvme.instance import Instance, InstanceError, find_policy
from uncork_nvme.instance import shape as shape_of
from uncork_nvme.parts.guest import Driver

from uncork.command.options import Command, listed, writable
from uncork.conform import trials
from uncork.conform.guest import Independent
from uncork.conform.harness.command import exec_
from uncork.conform.harness.report import Report, reported, stored
from uncork.conform.harness.storing import Stored
from uncork.conform.harness.trials import Examined, again
from uncork.conform.rig.probing import probe
from uncork.conform.rig.qemu_harness import QemuHarness
from uncork.conform.rig.qtest import Failed, Missing, Qemu
from uncork.decide.exits import Exit
from uncork.engines.follow import TooManyStates
from uncork.render.terminal.progress import progress

_PLAYED = {"doorbell_buffer": "on", "used_by": "both", "byte_order": "same", "event_look": "after", "cq_head": "told"}
_PLAYED |= {"events": "none", "memory": "sc"}
"""The choices of which the driver plays one value."""
_MOST_SQS, _MOST_SQ, _MOST_CQ = 8, 64, 256
"""The most SQs, and the most entries that fit a page: every queue of the driver is one page."""


class _Conform(Command):
    """`uncork conform`, with `exec` as a command of its own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Returns the context of `exec` if that is the first word."""
        if args[:1] == ["exec"]:
            return exec_.make_context(f"{info_name} exec", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_Conform)
@click.argument("what", metavar="qemu|FILE|exec ...")
@click.option("--schedules", type=click.IntRange(min=1), default=480, show_default=True, help="Schedules in total.")
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
@reported("conform-failed.json")
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

    `uncork conform exec` drives a device of your own; see uncork conform exec --help.
    """
    kept = None if what == "qemu" else _stored(what)
    of_search = ("schedules", "seed", "device", "guest", "shape", "policy", "overrides", "overlay", "controls")
    if kept and (ignored := _given(of_search)):
        raise click.UsageError(f"a stored schedule has its own: leave out --{', --'.join(ignored)}")
    writable([None if kept else save, json_], [what])
    choices = parse_all(overrides)
    for name in (policy, overlay):
        find_policy(name) if name else None
    if device != "qemu" and (overlay or controls):
        raise InstanceError("--overlay and --controls change QEMU's own model: leave out --device")
    if overlay and (policy or "post_order" in choices):
        raise InstanceError("--overlay needs QEMU's own policy: leave out --policy and --set post_order")
    sizes = [shape_of(name) for name in shape or ()] or trials.SHAPES
    of = partial(trials.instances, policy=policy, guests=guest or trials.GUESTS, shapes=sizes, device=device)
    for instance in of(choices):
        _comparable(instance)
    report = Report("", json_, None if kept else save, stepped=False)
    try:
        with Qemu(program) as qemu, progress() as watch:
            harness = QemuHarness(qemu)
            if kept:
                found = again(Independent(harness, kept.instance, overlay=kept.overlay), kept)
            else:
                probed = probe(harness.controller)
                base = trials.variant(probed) if device == "qemu" else {}
                found = Examined(harness.name, lines=[*trials.probed(probed, device)])
                trials.agreement(found, harness, of({**base, **choices}), overlay, schedules, seed, watch)
                if controls and not found.failed:
                    found.lines += trials.controls(harness, base, watch)
                    found.lines += trials.overlays(harness, base, watch)
    except Missing as why:
        click.echo(f"skipped: {why}", err=True)
        return Exit.OPEN
    except (Failed, TooManyStates) as why:
        click.echo(f"open: {why}", err=True)
        return Exit.OPEN
    return report.tell(found)


# -- options -----------------------------------------------------------------------------------------------------------
def _given(names: Iterable[str]) -> list[str]:
    """Returns which of these options stand on the command line."""
    context = click.get_current_context()
    spelt = {"overrides": "set"}
    source = click.core.ParameterSource.COMMANDLINE
    return [spelt.get(name, name) for name in names if context.get_parameter_source(name) is source]


def _stored(path: str) -> Stored:
    if not os.path.isfile(path):
        raise InstanceError(f"{path!r} is neither qemu nor a file: name qemu, or a file that uncork conform stored")
    found = stored(path)
    instance = found.instance
    own = instance.device == "qemu" and instance.policy == "head" and "post_order" not in instance.overrides
    if found.overlay and not own:
        over = f"{instance.device} with {instance.policy}"
        raise InstanceError(f"{path} lays {found.overlay} over {over}: overlays need qemu with its own policy, head")
    _comparable(instance)
    return found


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
