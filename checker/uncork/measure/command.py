"""The command that simulates instances at real sizes: `uncork measure`."""

from __future__ import annotations

import json
from itertools import product

import click
from uncork_nvme.instance import look_up
from uncork_properties.load import LOADS, SPREAD

from uncork.command import complete
from uncork.command.instances import chosen
from uncork.command.options import JSON, Command, filtered, listed, whole, writable, write
from uncork.command.plots import drawable
from uncork.command.selection import Filters
from uncork.decide.exits import Exit
from uncork.engines import Tick
from uncork.render.terminal.progress import progress


@click.command(cls=Command)
@click.argument("instances", nargs=-1, shell_complete=complete.instances)
@filtered
@listed(
    "--load",
    "loads",
    default="full",
    show_default=True,
    shell_complete=complete.loads,
    help=f"Loads, of {', '.join(LOADS)}.",
)
@click.option(
    "--time",
    "milliseconds",
    type=click.FloatRange(min=1, max=1e6),
    default=100,
    show_default=True,
    help="Milliseconds per run.",
)
@click.option(
    "--runs", type=click.IntRange(min=2, max=1000), default=5, show_default=True, help="Runs per instance and load."
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Seed of all runs.")
@click.option(
    "--spread",
    type=click.FloatRange(min=0, max=10),
    default=SPREAD,
    show_default=True,
    help="Standard deviation of step times, as a multiple of the mean: 0 is constant, 1 exponential.",
)
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw it to this file (.svg, .png, .pdf).")
@JSON
def measure(
    instances: tuple[str, ...],
    filters: Filters,
    loads: list[str],
    milliseconds: float,
    runs: int,
    seed: int,
    spread: float,
    plot: str | None,
    json_: str | None,
) -> int:
    """Simulate instances under a load, at sizes too large to search: doorbells, time corked, time to resume.

    Name INSTANCES, or filter them as for uncork check. The simulation takes the steps of the model, each with a random
    duration. For a guest that submits one entry at a time, set submit_batch=1:
    hand-over/linux/tail-1/n1-sq1024-cq1024/submit_batch=1.
    """
    asked = chosen(instances, filters)
    for name in loads:
        look_up(LOADS, name, "load")
    if 0 < spread < 0.01:
        raise click.UsageError(f"--spread is 0, or 0.01 and more, not {spread:g}")
    drawable(plot)
    writable([json_, plot], [file for each in asked for file in each.files])
    from uncork.engines.events.simulate import OutOfRange  # numba: a second
    from uncork.measure import show, simulate
    from uncork.render.terminal.text import Page  # rich

    found, code = [], Exit.AS_EXPECTED
    try:
        with progress() as watch:
            for number, (instance, name) in enumerate(product(asked, loads)):
                watch(Tick(number, len(asked) * len(loads), f"{instance.name}, {name}"))
                under, time = LOADS[name], milliseconds * 1e3
                found.append(simulate.measure(instance, under, time=time, runs=runs, seed=seed, spread=spread))
    except OutOfRange as why:
        click.echo(f"{why}; uncork check shows how", err=True)
        code = Exit.SAFETY
    except KeyboardInterrupt:
        click.echo(f"interrupted: {len(found)} of {len(asked) * len(loads)} were simulated", err=True)
        code = Exit.INTERRUPTED
    if json_ is not None:
        write(json_, json.dumps([show.as_json(each) for each in found], indent=1) + "\n")
    if plot is not None and found:
        with whole(plot) as file:
            show.plot(file, found)
    if json_ != "-" and found:
        to = Page()
        to.show(show.table(found))
        if len(found) > 1:
            to.say()
            to.show(show.chart(found))
        to.say()
        to.say(show.LEGEND.format(runs))
        for name in dict.fromkeys(loads):
            to.say(f"{name}: {LOADS[name].doc}")
        if stuck := sum(bool(each.stuck) for each in found):
            to.say(f"{stuck} got stuck: no step is enabled any more. See uncork check and uncork trace")
    return Exit.LIVENESS if not code and any(each.stuck for each in found) else code
