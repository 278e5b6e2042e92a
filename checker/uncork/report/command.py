"""The command that writes verdicts and counterexamples as one HTML page: `uncork report`."""

from __future__ import annotations

import click
from uncork_nvme.museum import BUGS

from uncork.command import idle, selection
from uncork.command.options import Command, budget, budgeted, filtered, progress, writable, write
from uncork.command.selection import Filters
from uncork.decide import many
from uncork.decide.exits import Exit
from uncork.museum.check import check


@click.command(cls=Command)
@filtered
@click.option(
    "--museum/--no-museum", "museum", default=None, help="Include the museum of bugs. Default: if no filter is given."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="uncork.html",
    show_default=True,
    help="The file to write; - is standard output.",
)
@budgeted
def report(
    filters: Filters,
    museum: bool | None,
    output: str,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Check as `uncork check` does, and write verdicts and counterexamples to one HTML file, to step through.

    The file needs no network. It includes the museum of bugs and recorded costs. Every counterexample is replayed
    before it is written. The exit code is 0 whatever the verdicts: `uncork check` is the gate.
    """
    from uncork.report import data  # imports numba and rich: slow

    instances, left_out = selection.fitting(selection.select(filters))
    writable([output], [file for each in instances for file in each.files])
    for reason in [*(f"not checked: {each}" for each in left_out), *idle.told(filters, instances)]:
        click.echo(reason, err=True)
    bugs = BUGS if museum or (museum is None and filters == Filters()) else ()
    limits = budget(max_states, max_memory, max_seconds, len(instances))
    with progress() as watch:
        found = list(many.check(instances, budget=limits, watch=watch))
        exhibits = list(check(bugs, limits, watch)) if bugs else []
    made = data.write(found, exhibits)
    write(output, made.html)
    if output != "-":
        size = len(made.html.encode()) / 1000
        runs = f"{made.runs} run{'s' * (made.runs != 1)}, each replayed"
        click.echo(f"{output}: {data.counts(found)}; {runs}; {size:,.0f} kB", err=True)
    return Exit.AS_EXPECTED
