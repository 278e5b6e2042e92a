"""The commands that print runs: `uncork trace`, `simulate` and `record`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import click
from uncork_nvme.instance import Instance, InstanceError, from_name
from uncork_nvme.observe import families
from uncork_properties.catalogue import ROWS, named, properties

from uncork.command import complete
from uncork.command.options import Command, budget, budgeted, listed, progress
from uncork.core.causes.cause import cause
from uncork.core.frozen import frozen
from uncork.core.property import Property
from uncork.core.trace import Trace, replay
from uncork.core.verdict import Open, Proved, Refuted
from uncork.decide import many
from uncork.decide.exits import Exit
from uncork.decide.one import Checked, Row
from uncork.logs.write import log, schedule
from uncork.logs.write import steps as of_run
from uncork.render import itf, mermaid
from uncork.trace.other import other_of
from uncork.trace.runs import random_run, stored, walk


@click.command(cls=Command)
@click.argument("what", metavar="FILE|INSTANCE", shell_complete=complete.instances_or_files)
@click.option(
    "--property", "row", type=click.Choice(list(ROWS)), help="Default: the one whose steps uncork check counts."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "itf", "json", "mermaid", "schedule"]),
    default="text",
    show_default=True,
)
@click.option("--all", "whole", is_flag=True, help="Print every variable that changes, and why no other step helps.")
@click.option(
    "--beside",
    "other",
    metavar="DESIGN",
    shell_complete=complete.designs,
    help="Follow the run on another design: an instance, device/guest/policy, a policy, or choice=value.",
)
@click.option("--db", type=click.Path(dir_okay=False), help="Take it from this file of uncork sweep, unsearched.")
@budgeted
def trace(
    what: str,
    row: str | None,
    format_: str,
    whole: bool,
    other: str | None,
    db: str | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Print the shortest counterexample of an instance, or a stored one; both are replayed first.

    The text form has the cause, the rings at the end, and a line a step; --all has every variable. With --beside the
    steps that differ stand under one another, and those with which the other design goes on.
    """
    if other is not None and format_ not in ("text", "json"):
        raise click.UsageError(f"--beside prints text or json, not {format_}: leave out --format, or --beside")
    show = _Form(format_, whole, other)
    if os.path.isfile(what):
        of = stored(what)
        names = ", ".join(prop.name for prop in of.refutes)
        if not names:
            raise InstanceError(
                f"{what} is a run that refutes nothing: uncork explore {of.instance.name} --from {what}"
            )
        found = next((prop for prop in of.refutes if row in (None, prop.row)), None)
        if found is None:
            raise InstanceError(f"{what} refutes {names}, not {row}")
        show.run(of.instance, found, of.run, shortest=of.shortest)
        return Exit.AS_EXPECTED
    if what.endswith((".json", ".itf")):
        raise InstanceError(f"there is no file {what}")
    instance = from_name(what)
    if other is not None:
        other_of(instance, other)  # raises before the search
    if db is not None:
        return _kept(db, instance, row, show)
    with progress() as watch:
        limit = budget(max_states, max_memory, max_seconds, 1)
        rows = [row] if row else list(ROWS)
        checked, found_row = many.counterexample(instance, rows, limit, watch)
    if found_row and isinstance(found_row.verdict, Refuted):
        prop = named(properties(instance.machine, instance.system), found_row.name)
        show.run(instance, prop, found_row.verdict.trace, shortest=found_row.verdict.shortest)
        return Exit.AS_EXPECTED
    return _no_trace(checked, checked.rows)


def _kept(db: str, instance: Instance, row: str | None, show: _Form) -> int:
    from uncork.sweep.store import kept  # sqlite3

    found = kept(db, instance, row)
    if isinstance(found, str):
        click.echo(found)
        return Exit.OPEN if " open" in found else Exit.AS_EXPECTED
    verdict, run = found
    prop = named(properties(instance.machine, instance.system), verdict.name)
    replay(instance.system, run, prop)
    show.run(instance, prop, run, shortest=verdict.shortest)
    return Exit.AS_EXPECTED


def _no_trace(checked: Checked, rows: Sequence[Row]) -> int:
    for row in rows:
        match row.verdict:
            case Proved(how):
                click.echo(f"{checked.instance.name}: {row.property} is proved ({how}): there is no counterexample")
            case Open(reason, depth):
                click.echo(f"{checked.instance.name}: {row.property} is open to depth {depth}: {reason}")
    if checked.outcome.stopped:
        return Exit.INTERRUPTED
    return Exit.OPEN if any(isinstance(row.verdict, Open) for row in rows) else Exit.AS_EXPECTED


@frozen
class _Form:
    """How a counterexample is printed: in a format, as text in short or `whole`, and beside another design or not."""

    format_: str
    whole: bool = False
    beside: str | None = None

    def run(self, instance: Instance, prop: Property, run: Trace, *, shortest: bool) -> None:
        """Prints a run that refutes a property."""
        system = instance.system
        why = cause(system, prop, run)
        meta = {"instance": instance.name, "refutes": [prop.name], "shortest": shortest, "cause": why.text}
        if self.beside is not None:
            from uncork.render.terminal.text import Page  # rich
            from uncork.trace.beside import beside
            from uncork.trace.show import as_json, show

            other = other_of(instance, self.beside)
            theirs = named(properties(other.machine, other.system), prop.name)
            found = beside(system, run, other.system, theirs)
            if self.format_ == "json":
                click.echo(json.dumps(as_json(instance, prop, other, found, why), indent=1))
            else:
                show(Page(), instance, prop, run, why, other, found, whole=self.whole)
        elif self.format_ == "text":
            from uncork.render.terminal.text import Page  # rich
            from uncork.render.terminal.trace import show_trace, show_whole

            (show_whole if self.whole else show_trace)(Page(), instance.name, system, prop, run, shortest=shortest)
        elif self.format_ == "itf":
            click.echo(itf.dumps(run, meta), nl=False)
        elif self.format_ == "mermaid":
            click.echo(mermaid.chart(system, prop, run), nl=False)
        elif self.format_ == "schedule":
            for line in schedule(instance, run, f"{prop.name}. {why.text}"):
                click.echo(line, nl=False)
        else:
            plain = {**meta, "steps": run.steps, "states": run.states, "loop": run.loop}
            click.echo(json.dumps(plain, indent=1))


@click.command(cls=Command)
@click.argument("instance", shell_complete=complete.instances)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--steps", type=click.IntRange(1, 1_000_000), default=40, show_default=True)
@click.option("--all", "whole", is_flag=True, help="Print every variable that changes.")
def simulate(instance: str, seed: int, steps: int, whole: bool) -> None:
    """Print a random fair run of an instance: each step is drawn from the enabled ones."""
    from uncork.render.terminal.text import Page  # rich
    from uncork.render.terminal.trace import show_run, show_whole_run

    found = from_name(instance)
    run = random_run(found, steps, seed)
    (show_whole_run if whole else show_run)(Page(), f"{found.name}, seed {seed}", found.system, run)


@click.command(cls=Command)
@click.argument("what", metavar="FILE|INSTANCE", shell_complete=complete.instances_or_files)
@click.option(
    "--steps", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="Of an instance: steps."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of an instance: seed of the random run.")
@listed("--log-only", "only", help="Log only these events, named by family or as in docs/validate.md.")
def record(what: str, steps: int, seed: int, only: list[str] | None) -> None:
    """Print a run of the model as a log that `uncork validate` reads.

    WHAT is an instance, of which a random run is taken, or the file of a stored counterexample.
    """
    if os.path.isfile(what):
        of = stored(what)
        instance, found = of.instance, of_run(of.run)
    else:
        instance = from_name(what)
        found = walk(instance, steps, seed)
    kept = None
    if only is not None:
        try:
            kept = {family for event in only for family in families(event, instance.system)}
        except KeyError as error:
            raise InstanceError(f"there is no event {error}") from None
    for line in log(instance, found, kept):
        click.echo(line, nl=False)
