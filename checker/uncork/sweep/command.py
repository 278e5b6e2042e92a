"""The command that decides many instances and keeps the verdicts: `uncork sweep`."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from uncork_properties.catalogue import ROWS

from uncork.command import idle, selection
from uncork.command.options import Command, budget, budgeted, filtered, listed, progress, writable, write
from uncork.command.selection import Filters
from uncork.decide.exits import Exit
from uncork.decide.gate import worst
from uncork.engines import Budget

if TYPE_CHECKING:
    from uncork.sweep.workers import Cluster


@click.command(cls=Command)
@filtered
@click.option(
    "--db",
    required=True,
    type=click.Path(dir_okay=False),
    help="SQLite file that keeps the verdicts; created if missing. Verdicts in it are not searched again.",
)
@listed("--property", "property_", help=f"Properties, of {', '.join(ROWS)}.")
@click.option(
    "--engine",
    type=click.Choice(["explicit", "bmc", "induction", "all"]),
    default="explicit",
    show_default=True,
    help="As for uncork check.",
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes on this machine. Default: one per core.")
@click.option("--cluster", metavar="ADDRESS", help="Search on this Dask scheduler's workers (tcp://host:8786).")
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Further tries of an instance whose worker dies (killed, or out of memory).",
)
@click.option("--recheck", is_flag=True, help="Search again what another engine or version decided; compare.")
@click.option(
    "--json",
    "json_",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write the verdicts as JSON; - is standard output.",
)
@budgeted
def sweep(
    filters: Filters,
    db: str,
    property_: list[str] | None,
    engine: str,
    jobs: int | None,
    cluster: str | None,
    retries: int,
    recheck: bool,
    json_: str | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Decide many instances, on all cores or on a cluster, and keep the verdicts in a file.

    Filters are those of uncork check; several values of several filters are all combined. Every verdict is kept as
    soon as it is found: the same command resumes an interrupted sweep, and retries instances that were open under a
    smaller budget. Verdicts are not compared with expected ones.
    """
    if jobs and cluster:
        raise click.UsageError("--jobs is for this machine: leave it out with --cluster, which has its own workers")
    from uncork.render.terminal.text import Page  # rich
    from uncork.sweep import show
    from uncork.sweep.plan import Asked, Sweep  # imports numpy and starts processes: slow
    from uncork.sweep.store import Store
    from uncork.sweep.workers import Cluster, local

    rows = tuple(selection.rows(property_ or ()))
    instances, left_out = selection.fitting(selection.select(filters))
    writable([db, json_], [file for each in instances for file in each.files])
    for reason in [*(f"left out: {each}" for each in left_out), *idle.told(filters, instances)]:
        click.echo(reason, err=True)
    jobs, interrupted = jobs or os.cpu_count() or 1, False
    with Store(db) as store, Cluster(cluster) if cluster else nullcontext() as there, progress() as watch:
        limit = _limit(max_states, max_memory, max_seconds, jobs, there)
        this = Sweep(store, instances, Asked(rows, limit, engine, recheck))
        try:
            if this.tasks:
                this.go(lambda tasks: there.run(tasks, retries, watch) if there else local(tasks, jobs, retries, watch))
        except KeyboardInterrupt:
            interrupted = True
        known, contradictions = this.known(), this.contradictions()
    if json_ is not None:
        told = [line for each in known for line in show.as_json(each, rows)]
        write(json_, json.dumps(told, indent=1) + "\n")
    if json_ != "-":
        show.summary(Page(), known, rows, this)
    errors, codes = Page(stderr=True), [Exit.AS_EXPECTED]
    for name, sentence in contradictions:
        errors.say(f"{name}: contradiction: {sentence}", whole=True)
        codes.append(Exit.DISAGREE)
    for name, sentence in [] if interrupted else show.opened(known):
        errors.say(f"{name}: {sentence}", whole=True)
        codes.append(Exit.OPEN)
    if interrupted:
        left = len(this.tasks) - this.searched
        errors.say(f"interrupted: {left} of {len(this.tasks)} searches are left; the same command resumes them")
        return Exit.INTERRUPTED
    return worst(codes)


def _limit(
    states: int | None, mebibytes: int | None, seconds: float | None, jobs: int, cluster: Cluster | None
) -> Budget:
    """Returns the budget of an instance. Memory: an equal share of this machine, or half of the smallest worker."""
    given = budget(states, mebibytes, seconds, 1)
    if mebibytes is not None:
        return given
    if cluster is not None:
        return replace(given, memory=cluster.memory and cluster.memory // 2)
    return replace(given, memory=given.memory and given.memory // jobs)
