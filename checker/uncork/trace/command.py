"""The commands that print what there is, or was found: `uncork list`, `show`, `trace`, `simulate` and `export`.

What only some of them need is imported by the one that does: a command is to start at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from uncork_nvme.instance import Instance, InstanceError, from_name
from uncork_properties.catalogue import ROWS, covers, properties

from uncork.command.options import Command, budget, budgeted, progress
from uncork.core.sorts import did_you_mean
from uncork.decide.exits import Exit

if TYPE_CHECKING:
    from uncork.core.property import Property
    from uncork.core.trace import Trace
    from uncork.decide.many import Checked, Row

_SMALL = 100_000
"""States of a reduced graph below which all states are soon told apart."""


# -- list and show -----------------------------------------------------------------------------------------------------
@click.command("list", cls=Command)
@click.argument("kind", required=False, type=click.Choice(["policies", "devices", "guests", "properties", "instances"]))
def list_(kind: str | None) -> None:
    """List what there is.

    Policies, devices, guests, properties, instances of the default matrix (all but the last by default).
    """
    from uncork.describe.show import listing

    listing(kind)


@click.command(cls=Command)
@click.argument("name", required=False)
def show(name: str | None) -> None:
    """Explain a policy, device, guest, property, choice, step or instance: what it is, its source, its steps.

    Without NAME: every choice that --set can override, with its values.
    """
    from uncork.describe.show import explain

    explain(name)


# -- trace and simulate ------------------------------------------------------------------------------------------------
@click.command(cls=Command)
@click.argument("what", metavar="FILE|INSTANCE")
@click.option("--property", "row", type=click.Choice(list(ROWS)), help="Default: the first that is refuted.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "itf", "json", "mermaid", "schedule"]),
    default="text",
    show_default=True,
)
@click.option("--db", type=click.Path(dir_okay=False), help="Take it from the file of a sweep, without a search.")
@budgeted
def trace(
    what: str,
    row: str | None,
    format_: str,
    db: str | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Print the shortest counterexample of an instance, or a stored one; both are replayed first."""
    if os.path.isfile(what):
        from uncork.validate import command as tracing

        of = tracing.stored(what)
        names = ", ".join(prop.name for prop in of.refutes)
        if not names:
            raise InstanceError(
                f"{what} is a run that refutes nothing: uncork explore {of.instance.name} --from {what}"
            )
        found = next((prop for prop in of.refutes if row in (None, prop.row)), None)
        if found is None:
            raise InstanceError(f"{what} refutes {names}, not {row}")
        _print_trace(of.instance, found, of.run, format_, shortest=of.shortest)
        return Exit.AS_EXPECTED
    if what.endswith((".json", ".itf")):
        raise InstanceError(f"there is no file {what}")
    from uncork.core.verdict import Refuted
    from uncork.decide import many

    instance = from_name(what)
    if db is not None:
        return _kept(db, instance, row, format_)
    with progress() as watch:
        limit = budget(max_states, max_memory, max_seconds, 1)
        rows = [row] if row else list(ROWS)
        checked = next(iter(many.check([instance], rows, limit, watch)))
        loops = [r.verdict for r in checked.rows if isinstance(r.verdict, Refuted) and not r.verdict.shortest]
        if loops and checked.outcome.states < _SMALL:
            # Only where all states are told apart can a loop be known to be a shortest one.
            checked = next(iter(many.check([instance], rows, limit, watch, reductions=frozenset())))
    for each in checked.rows:
        if isinstance(each.verdict, Refuted):
            prop = next(p for p in properties(instance.machine, instance.system) if p.name == each.name)
            _print_trace(instance, prop, each.verdict.trace, format_, shortest=each.verdict.shortest)
            return Exit.AS_EXPECTED
    return _no_trace(checked, checked.rows)


def _kept(db: str, instance: Instance, row: str | None, format_: str) -> int:
    from uncork.core.trace import replay
    from uncork.sweep import command as sweeping

    found = sweeping.kept(db, instance, row)
    if isinstance(found, str):
        click.echo(found)
        return Exit.OPEN if " open" in found else Exit.AS_EXPECTED
    verdict, run = found
    prop = _property(properties(instance.machine, instance.system), verdict.name)
    replay(instance.system, run, prop)
    _print_trace(instance, prop, run, format_, shortest=verdict.shortest)
    return Exit.AS_EXPECTED


def _no_trace(checked: Checked, rows: Sequence[Row]) -> int:
    from uncork.core.verdict import Open, Proved

    for row in rows:
        match row.verdict:
            case Proved(how):
                click.echo(f"{checked.instance.name}: {row.property} is proved ({how}): there is no counterexample")
            case Open(reason, depth):
                click.echo(f"{checked.instance.name}: {row.property} is open to depth {depth}: {reason}")
    if checked.outcome.stopped:
        return Exit.INTERRUPTED
    return Exit.OPEN if any(isinstance(row.verdict, Open) for row in rows) else Exit.AS_EXPECTED


def _print_trace(instance: Instance, prop: Property, run: Trace, format_: str, *, shortest: bool) -> None:
    from uncork.render import itf, mermaid
    from uncork.render.terminal import text

    system = instance.system
    meta = {"instance": instance.name, "refutes": [prop.name], "shortest": shortest}
    if format_ == "text":
        text.show_trace(text.console(), instance.name, system, prop, run, shortest=shortest)
    elif format_ == "itf":
        click.echo(itf.dumps(run, meta), nl=False)
    elif format_ == "mermaid":
        click.echo(mermaid.chart(system, prop, run), nl=False)
    elif format_ == "schedule":
        from uncork.logs.write import schedule

        for line in schedule(instance, run, prop.name):
            click.echo(line, nl=False)
    else:
        import json

        plain = {**meta, "steps": run.steps, "states": run.states, "loop": run.loop}
        click.echo(json.dumps(plain, indent=1))


@click.command(cls=Command)
@click.argument("instance")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--steps", type=click.IntRange(1, 1_000_000), default=40, show_default=True)
def simulate(instance: str, seed: int, steps: int) -> None:
    """Print a random fair run of an instance: each step is drawn from all that may happen."""
    from uncork.render.terminal import text
    from uncork.validate import command as tracing

    found = from_name(instance)
    run = tracing.random_run(found, steps, seed)
    text.show_run(text.console(), f"{found.name}, seed {seed}", found.system, run)


# -- export ------------------------------------------------------------------------------------------------------------
@click.command(cls=Command)
@click.argument("format_", metavar="FORMAT", type=click.Choice(["tla", "promela", "dot", "json"]))
@click.argument("instance")
@click.option("--property", "property_", help="promela: the property to state, by its full name or the first of a row.")
@click.option("--config", is_flag=True, help="tla: print the configuration (.cfg) and not the module.")
def export(format_: str, instance: str, property_: str | None, config: bool) -> None:
    """Print an instance in another tool's language.

    FORMAT is tla (for TLC), promela (for SPIN: without --property, to explore), dot (for Graphviz: what a small
    instance reaches) or json (all there is, with expressions as trees). What could not be said is told on standard
    error; what would be wrong is refused.
    """
    if property_ is not None and format_ != "promela":
        raise click.UsageError("--property is for promela: tla and json have every property, and dot has none")
    if config and format_ != "tla":
        raise click.UsageError("--config is for tla")
    found = from_name(instance)
    system = found.system
    stated = properties(found.machine, system)
    if format_ == "promela":
        from uncork.export import promela

        text, notes = promela.program(system, None if property_ is None else _property(stated, property_))
        for note in notes:
            click.echo(note, err=True)
    elif format_ == "dot":
        from uncork.export import dot

        text = dot.graph(system)
    elif format_ == "json":
        from uncork.export import data

        text = data.dumps(system, stated, covers(found.machine, system))
    else:
        from uncork.export import tla

        text = tla.module(system, stated, covers(found.machine, system))[config]
    click.echo(text, nl=False)


def _property(stated: Sequence[Property], name: str) -> Property:
    for prop in stated:
        if name in (prop.name, prop.row):
            return prop
    raise InstanceError(f"there is no property {name!r}{did_you_mean(name, [*ROWS, *(p.name for p in stated)])}")
