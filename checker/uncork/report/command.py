"""The command that writes verdicts and counterexamples as one HTML page: `uncork report`."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click
from uncork_nvme.instance import Instance, InstanceError
from uncork_nvme.museum import BUGS

from uncork.command import complete, idle, selection
from uncork.command.options import Command, budget, budgeted, filtered, progress, writable, write
from uncork.command.selection import Filters
from uncork.decide import many
from uncork.decide.exits import Exit
from uncork.museum.check import check
from uncork.trace.runs import Stored, stored


@click.command(cls=Command)
@click.argument("what", metavar="[INSTANCE|FILE]...", nargs=-1, shell_complete=complete.instances_or_files)
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
    what: tuple[str, ...],
    filters: Filters,
    museum: bool | None,
    output: str,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Check as `uncork check` does, and write verdicts and counterexamples to one HTML file, to step through.

    Name an instance, or the file of a stored counterexample (TRACE.itf.json), for a page of that run alone.

    The file needs no network. It includes the museum of bugs and recorded costs. Every counterexample is replayed
    before it is written. The exit code is 0 whatever the verdicts: `uncork check` is the gate.
    """
    from uncork.report import data  # imports numba and rich: slow

    kept = [each for each in what if os.path.isfile(each)]
    if missing := next((each for each in what if each.endswith((".json", ".itf")) and each not in kept), None):
        raise InstanceError(f"there is no file {missing}")
    runs = [_refuting(each) for each in kept]
    instances, left_out = _asked([each for each in what if each not in kept], filters, files=bool(kept))
    writable(
        [output], [*kept, *(file for each in (*instances, *(run.instance for run in runs)) for file in each.files)]
    )
    for reason in [*(f"not checked: {each}" for each in left_out), *idle.told(filters, instances)]:
        click.echo(reason, err=True)
    bugs = BUGS if museum or (museum is None and filters == Filters() and not what) else ()
    limits = budget(max_states, max_memory, max_seconds, len(instances))
    with progress() as watch:
        searched = many.check(instances, budget=limits, watch=watch) if instances else ()
        found = [*searched, *map(data.of_file, runs)]
        exhibits = list(check(bugs, limits, watch)) if bugs else []
    made = data.write(found, exhibits)
    write(output, made.html)
    if output != "-":
        size = len(made.html.encode()) / 1000
        counted = f"{made.runs} run{'s' * (made.runs != 1)}, each replayed"
        click.echo(f"{output}: {data.counts(found)}; {counted}; {size:,.0f} kB", err=True)
    return Exit.AS_EXPECTED


def _refuting(path: str) -> Stored:
    """Loads a stored counterexample. Raises `InstanceError` if its run refutes nothing."""
    run = stored(path)
    if not run.refutes:
        raise InstanceError(f"{path} is a run that refutes nothing: uncork explore {run.instance.name} --from {path}")
    return run


def _asked(names: Sequence[str], filters: Filters, *, files: bool) -> tuple[list[Instance], list[str]]:
    """Returns the instances to check: all of the matrix if nothing is named, none if only files are."""
    if names or (files and filters == Filters()):
        return selection.named(names, filters) if names else ([], [])
    return selection.fitting(selection.select(filters))
