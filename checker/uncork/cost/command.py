"""The command that computes exact costs of policies: `uncork cost`."""

from __future__ import annotations

import json

import click

from uncork.command import complete
from uncork.command.instances import chosen
from uncork.command.options import JSON, Command, budget, budgeted, filtered, writable, write
from uncork.command.selection import Filters
from uncork.cost import exact
from uncork.decide.exits import Exit
from uncork.engines import Progress, Tick
from uncork.render.terminal.progress import progress


@click.command(cls=Command)
@click.argument("instances", nargs=-1, shell_complete=complete.instances)
@filtered
@click.option(
    "--trace",
    type=click.Choice(["least", "greatest", "wait"]),
    help="Show the run with the least or greatest CQ doorbells per completion, or the longest wait.",
)
@JSON
@budgeted
def cost(
    instances: tuple[str, ...],
    filters: Filters,
    trace: str | None,
    json_: str | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Compute exact costs of instances: doorbells per completion, and how long a corked SQ waits.

    Name INSTANCES, or filter them as for uncork check.

    Every cost is the least or greatest over all fair runs. A run that attains it is replayed and counted again.
    """
    asked = chosen(instances, filters)
    writable([json_], [file for each in asked for file in each.files])
    from uncork.cost import show  # rich
    from uncork.engines.explicit.cost import Unfinished  # imports numpy and llvmlite: slow
    from uncork.render.terminal.text import Page
    from uncork.render.terminal.trace import show_run

    limit, found, code = budget(max_states, max_memory, max_seconds, 1), [], Exit.AS_EXPECTED
    try:
        with progress() as watch:
            for number, instance in enumerate(asked):

                def report(at: Progress | None, number: int = number, name: str = instance.name) -> None:
                    watch(Tick(number, len(asked), name, at))

                report(None)
                try:
                    found.append(exact.costs(instance, limit, report))
                except Unfinished as why:
                    click.echo(f"{instance.name}: open: {why}", err=True)
                    code = Exit.OPEN
    except KeyboardInterrupt:
        click.echo(f"interrupted: {len(asked) - len(found)} of {len(asked)} instances have no costs", err=True)
        code = Exit.INTERRUPTED
    if json_ is not None:
        write(json_, json.dumps([show.as_json(each) for each in found], indent=1) + "\n")
    if json_ != "-" and found:
        to = Page()
        to.show(show.table(found))
        to.say()
        to.say(show.LEGEND)
        for each in found if trace else ():
            to.say()
            run = show.RUNS[trace or ""](each)
            if run is None:
                to.say(f"{each.instance.name}: no run has a {trace} to show")
            else:
                show_run(to, f"{each.instance.name}: {trace}", each.instance.system, run)
    return code
