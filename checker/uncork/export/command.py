"""The command `uncork export`, which writes an instance in the language of another tool."""

from __future__ import annotations

import click
from uncork_nvme.instance import from_name
from uncork_properties.catalogue import covers, named, properties

from uncork.command import complete
from uncork.command.options import Command
from uncork.export import data, dot, promela, tla


@click.command(cls=Command)
@click.argument("format_", metavar="FORMAT", type=click.Choice(["tla", "promela", "dot", "json"]))
@click.argument("instance", shell_complete=complete.instances)
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
        text, notes = promela.program(system, None if property_ is None else named(stated, property_))
        for note in notes:
            click.echo(note, err=True)
    elif format_ == "dot":
        text = dot.graph(system)
    elif format_ == "json":
        text = data.dumps(system, stated, covers(found.machine, system))
    else:
        text = tla.module(system, stated, covers(found.machine, system))[config]
    click.echo(text, nl=False)
