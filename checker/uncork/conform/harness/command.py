"""The command that drives a harness of the user's own beside a model: `uncork conform exec`."""

from __future__ import annotations

import os
import shlex

import click
from uncork_nvme.catalogue import find_device
from uncork_nvme.choices import parse_all
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name, shape

from uncork.command.options import Command, filtered, listed, writable
from uncork.command.selection import Filters
from uncork.conform.harness.player import Player
from uncork.conform.harness.report import Report, reported, stored
from uncork.conform.harness.threads import comparable
from uncork.conform.harness.trials import Examined, Plan, again, examine
from uncork.conform.rig.harness import PATIENCE, SCHEMA, Harness, HarnessError
from uncork.decide.exits import Exit
from uncork.engines.follow import TooManyStates
from uncork.render.terminal.progress import progress

_DEFAULTS = Filters(guests=("linux",), sqs=(1,), sq_sizes=(2,), cq_sizes=(2,))


class Exec(Command):
    """A command with the words of another command behind `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Takes what stands behind the first `--` for the harness."""
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[__name__] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Returns the words of the usage line."""
        return [*super().collect_usage_pieces(ctx), "-- HARNESS [ARGS]..."]


@click.command("exec", cls=Exec)
@click.argument("what", metavar="[INSTANCE|FILE]", required=False)
@filtered
@click.option(
    "--random", "random_", type=click.IntRange(min=0), default=200, show_default=True, help="Random runs at each size."
)
@listed("--beyond", help="Sizes of random runs, as in n2-sq3-cq3. Default: one entry more, and one SQ more.")
@click.option(
    "--max-states",
    type=click.IntRange(min=1),
    default=50_000,
    show_default=True,
    help="Tour an instance with at most this many states.",
)
@click.option("--at-rest", is_flag=True, help="Step no thread: see the device at rest only.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.01), default=PATIENCE, show_default=True, help="Seconds for an answer."
)
@reported("harness-failed.json")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the protocol, and do nothing else.")
def exec_(
    what: str | None,
    filters: Filters,
    random_: int,
    seed: int,
    beyond: list[str] | None,
    max_states: int,
    at_rest: bool,
    timeout: float,
    save: str,
    json_: str | None,
    schema: bool,
) -> int:
    """Drive HARNESS, a program around a device of your own, beside its model, and compare step by step.

    The harness is led through every transition of the model that it can be made to take, through every counterexample
    of the model, and through random runs at larger sizes. It speaks JSON Lines; docs/harness.md says how to write one.
    A run that fails is shrunk, printed beside what the model allows, and written to FILE, to be run again by its name.

    Without sizes, an instance is n1-sq2-cq2 with the guest linux and the device's own policy.
    """
    if schema:
        click.echo(SCHEMA.read_text(encoding="utf-8"), nl=False)
        return Exit.AS_EXPECTED
    command = click.get_current_context().meta[__name__]
    if not command:
        raise click.UsageError("no harness: write it behind --, as in: uncork conform exec INSTANCE -- ./my-harness")
    kept = stored(what) if what and os.path.isfile(what) else None
    writable([None if kept else save, json_], [what])
    if kept and (filters != Filters() or at_rest):
        raise click.UsageError("a stored run has its own model: leave out the options that name one")
    if kept and kept.overlay:
        raise InstanceError(f"{what} lays a policy over QEMU's: run it again with uncork conform {what}")
    instances = [kept.instance] if kept else _instances(what, filters)
    for instance in instances:
        comparable(instance)
    shapes = None if beyond is None else [shape(each) for each in beyond]
    plan = Plan(instances, shapes, random_, seed, max_states, steps=kept.stepped if kept else not at_rest)
    report = Report(shlex.join(command), json_, None if kept else save, plan.steps)
    try:
        with Harness(command, timeout) as harness, progress() as watch:
            found = (
                again(Player(harness, kept.instance, steps=kept.stepped), kept)
                if kept
                else examine(harness, plan, watch)
            )
    except HarnessError as why:
        click.echo(f"{why.word}: {why}", err=True)
        report.writes(Examined(), why)
        return Exit.HARNESS
    except TooManyStates as why:
        click.echo(f"open: {why}", err=True)
        return Exit.OPEN
    return report.tell(found)


# -- options -----------------------------------------------------------------------------------------------------------
def _instances(what: str | None, filters: Filters) -> list[Instance]:
    """Returns the instances that are named, with the default guest, policy and sizes where they are left out."""
    if what is not None:
        if filters != Filters():
            raise click.UsageError("name an instance, or filter with --device NAME, and not both")
        if what.endswith(".json"):
            raise InstanceError(f"there is no file {what}")
        return [from_name(what)]
    if not filters.devices:
        raise click.UsageError("no model: name an instance, or a device with --device")
    chosen = parse_all(filters.overrides)
    for name in filters.policies:
        find_policy(name)
    return [
        Instance(device, guest, policy, sqs, sq_size, cq_size, chosen)
        for device in filters.devices
        for guest in filters.guests or _DEFAULTS.guests
        for policy in filters.policies or (find_device(device).policy,)
        for sqs in filters.sqs or _DEFAULTS.sqs
        for sq_size in filters.sq_sizes or _DEFAULTS.sq_sizes
        for cq_size in filters.cq_sizes or _DEFAULTS.cq_sizes
    ]
