"""The command that drives a harness of the user's own beside a model: `uncork conform exec`."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from uncork_nvme.catalogue import find_device
from uncork_nvme.choices import parse_all
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name, shape

from uncork.command.options import OUTPUT, Command, filtered, listed, told, writable, write
from uncork.command.selection import Filters
from uncork.conform.harness.player import Player
from uncork.conform.harness.runs import replay
from uncork.conform.harness.storing import Stored, as_json, loads
from uncork.conform.harness.threads import comparable
from uncork.conform.harness.trials import Examined, Failure, Plan, examine
from uncork.conform.rig.harness import PATIENCE, SCHEMA, Harness, HarnessError
from uncork.core.numbers import counted
from uncork.decide.exits import Exit
from uncork.decide.gate import worst
from uncork.engines.follow import TooManyStates
from uncork.render.terminal.progress import progress

if TYPE_CHECKING:
    from uncork.render.terminal.text import Page

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
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of the first random run.")
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
@click.option(
    "--save",
    type=click.Path(dir_okay=False),
    default="harness-failed.json",
    show_default=True,
    help="File for a run that fails, after shrinking.",
)
@click.option("--json", "json_", type=OUTPUT, help="Write the results as JSON; - is standard output.")
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
    stored = _stored(what) if what and os.path.isfile(what) else None
    writable([None if stored else save, json_], [what])
    if stored and (filters != Filters() or at_rest):
        raise click.UsageError("a stored run has its own model: leave out the options that name one")
    instances = [stored.instance] if stored else _instances(what, filters)
    for instance in instances:
        comparable(instance)
    shapes = None if beyond is None else [shape(each) for each in beyond]
    plan = Plan(instances, shapes, random_, seed, max_states, steps=stored.steps if stored else not at_rest)

    from uncork.render.terminal.text import Page  # rich

    to, again = Page(stderr=json_ == "-"), _Again(command, json_, None if stored else save)
    try:
        with Harness(command, timeout) as harness, progress() as watch:
            found = _replayed(harness, stored) if stored else examine(harness, plan, watch)
    except HarnessError as why:
        click.echo(f"{why.word}: {why}", err=True)
        again.writes(Examined(), why)
        return Exit.HARNESS
    except TooManyStates as why:
        click.echo(f"open: {why}", err=True)
        return Exit.OPEN
    return again.tell(to, found, plan)


def _replayed(harness: Harness, stored: Stored) -> Examined:
    """Plays a stored run."""
    player = Player(harness, stored.instance, steps=stored.steps)
    made = replay(player, stored.moves)
    found = Examined(player.hello.name, player.roles.stepped, len(player.hello.events))
    if made.failed:
        found.failed = Failure(stored.instance, made, 1, len(made.moves))
    return found


@dataclass(frozen=True)
class _Again:
    """What becomes of the results: printed, and written to files."""

    command: Sequence[str]
    json: str | None
    save: str | None

    def tell(self, to: Page, found: Examined, plan: Plan) -> int:
        """Prints the results, after the harness has ended, and writes the files. Returns the exit code."""
        from uncork.conform.harness.show import WORDS, about, failure, lines

        to.fold(about(found))
        for line in lines(found):
            to.fold(line)
        codes, failed = [line.code for line in found.lines], found.failed
        if failed:
            run = failed.run
            did = WORDS[run.broken.word] if run.broken else "does what the model does not"
            to.say(f"{failed.instance.name}: the harness {did}", "bold", whole=True)
            for line in failure(failed):
                to.say(line, whole=True)
            if self.save:
                data = as_json(run, failed.instance, found.name, steps=plan.steps)
                write(self.save, json.dumps(data, indent=1) + "\n")
                to.say(f"Written to {self.save}. To run it again:", whole=True)
                to.say(f"  uncork conform exec {self.save} -- {shlex.join(self.command)}", whole=True)
            codes.append(Exit.HARNESS if run.broken else Exit.DISAGREE)
        elif Exit.VACUOUS in codes:
            to.say("No transition was seen taken: nothing was compared. Name the events that it tells in hello.")
        else:
            made = f"{counted(found.runs, 'run')}, {counted(found.moves, 'move')}"
            to.say(f"{made}: the model allows all that was seen.")
        self.writes(found, failed.run.broken if failed else None)
        return worst(codes)

    def writes(self, found: Examined, broken: HarnessError | None) -> None:
        """Writes the results as JSON, if that was asked for."""
        if self.json is None:
            return
        lines = [
            {"part": line.part, "instance": line.instance.name, "runs": line.runs, "moves": line.moves}
            | {"result": line.result, **line.figures}
            for line in found.lines
        ]
        failed = found.failed
        data = {
            "harness": found.name,
            "stepped": list(found.stepped),
            "trials": lines,
            "failed": failed and {"kind": failed.run.failed, "runs": failed.runs, "moves": failed.run.moves},
            "broken": broken and {"word": broken.word, "message": str(broken)},
        }
        write(self.json, json.dumps(data, indent=1) + "\n")


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


def _stored(path: str) -> Stored:
    try:
        with told(path):
            return loads(Path(path).read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise InstanceError(f"{path} is not a run that uncork conform exec stored: {error}") from None
