"""The command that decides many instances, and keeps what it finds: `uncork sweep`."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from uncork_properties.catalogue import ROWS

from uncork.command import idle, selection
from uncork.command.options import Command, budget, budgeted, filtered, listed, own_file, progress, writable, write
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
    help="Where verdicts are kept: an SQLite file, made if it is not there. What it knows is not searched again.",
)
@listed("--property", "property_", help=f"Of {', '.join(ROWS)}.")
@click.option(
    "--engine",
    type=click.Choice(["explicit", "bmc", "induction", "all"]),
    default="explicit",
    show_default=True,
    help="As for uncork check.",
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes here. Default: a core each.")
@click.option("--cluster", metavar="ADDRESS", help="A Dask scheduler (tcp://host:8786), whose workers do it instead.")
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Further tries of an instance whose worker dies: killed, or out of memory.",
)
@click.option("--recheck", is_flag=True, help="Search again what another engine or version decided, and compare.")
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
    """Decide many instances, on all cores or on a cluster, and keep what is found in a file.

    Filters are those of uncork check, and several values of each make products. Each instance is kept as it ends: the
    same command goes on where the last one was cut off, and tries again what was open under a smaller budget. Nothing
    is compared with what is expected.
    """
    if jobs and cluster:
        raise click.UsageError("--jobs is for this machine: how many workers a cluster has is its own")
    from uncork.render.terminal.text import Page  # rich
    from uncork.sweep import show
    from uncork.sweep.plan import Asked, Sweep  # numpy and other processes: four times what comes before
    from uncork.sweep.store import Store
    from uncork.sweep.workers import Cluster, local

    rows = tuple(selection.rows(property_ or ()))
    instances, left_out = selection.fitting(selection.select(filters))
    writable([db, json_], [own_file(each.policy) for each in instances])
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
        errors.say(
            f"interrupted: {left} of {len(this.tasks)} searches are left, and the same command goes on with them"
        )
        return Exit.INTERRUPTED
    return worst(codes)


def _limit(
    states: int | None, mebibytes: int | None, seconds: float | None, jobs: int, cluster: Cluster | None
) -> Budget:
    """The budget of each instance; of memory, its share of this machine's, or half of the smallest worker's."""
    given = budget(states, mebibytes, seconds, 1)
    if mebibytes is not None:
        return given
    if cluster is not None:
        return replace(given, memory=cluster.memory and cluster.memory // 2)
    return replace(given, memory=given.memory and given.memory // jobs)
