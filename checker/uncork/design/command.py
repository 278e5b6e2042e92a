"""The commands that weigh designs, `uncork cost` and `measure`, and that search for them, `repair` and `frontier`."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click
from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.instance import Instance, InstanceError, find_policy, look_up
from uncork_properties import matrix
from uncork_properties.catalogue import ROWS
from uncork_properties.load import LOADS, SPREAD

from uncork.command.options import (
    NUMBERS,
    Command,
    budget,
    budgeted,
    filtered,
    listed,
    own_file,
    whole,
    writable,
    write,
)
from uncork.decide.gate import Exit

if TYPE_CHECKING:
    from uncork.command.selection import Filters
    from uncork.design.search import Space

_KNOWN = sorted({shape[0] for shape in matrix.SHAPES})


def _chosen(names: tuple[str, ...], filters: Filters) -> list[Instance]:
    from uncork.command import idle, selection

    chosen, left_out = selection.named(names, filters)
    for reason in [*(f"left out: {each}" for each in left_out), *idle.told(filters, chosen)]:
        click.echo(reason, err=True)
    return chosen


_DRAWN = (".svg", ".png", ".pdf")


def _drawable(plot: str | None) -> None:
    from importlib.util import find_spec

    if plot is None:
        return
    if find_spec("matplotlib") is None:
        raise InstanceError("--plot needs matplotlib: pip install matplotlib")
    if Path(plot).suffix not in _DRAWN:
        raise click.UsageError(f"--plot {plot!r}: name a file that ends in {', '.join(_DRAWN)}")


def _space(device: str, guest: list[str], sqs: list[int], policy: list[str] | None) -> Space:
    from uncork.design import search

    look_up(DEVICES, device, "device")
    for name in guest:
        look_up(GUESTS, name, "guest")
    for name in policy or ():
        find_policy(name)
    for number in sqs:
        if number not in _KNOWN:
            raise InstanceError(f"the default matrix has {', '.join(map(str, _KNOWN))} SQs, not {number}")
    space = search.Space(device, tuple(guest), search.shapes(sqs))
    return replace(space, policies=tuple(policy)) if policy else space


_GUESTS = listed("--guest", default="linux", show_default=True, help="Guests, all to be live with.")
_PROPERTIES = listed(
    "--property",
    "property_",
    default="uncorked,drains",
    show_default=True,
    help="What has to hold besides safety.",
)
_SQS = listed(
    "--sqs", of=NUMBERS, default="1,2", show_default=True, help="Numbers of SQs; 3 takes seconds an instance."
)
_POLICIES = listed("--policy", help="EventIdx policies or formulas to try. Default: some thirty.")
_JSON = click.option(
    "--json", "json_", type=click.Path(dir_okay=False, allow_dash=True), help="Write it as JSON; - is standard output."
)


@click.command(cls=Command)
@click.argument("instances", nargs=-1)
@filtered
@click.option(
    "--trace",
    type=click.Choice(["least", "greatest", "wait"]),
    help="Show the run: of the least or greatest CQ doorbells per completion, or of the longest wait.",
)
@_JSON
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
    """Compute what instances cost, exactly: doorbells per completion, and what a corked SQ waits for.

    INSTANCES are named, or filtered as for uncork check.

    The least and the greatest over all fair runs, each with a run that has it, which is replayed and counted anew.
    """
    chosen = _chosen(instances, filters)
    writable([json_], [own_file(each.policy) for each in chosen])
    from uncork.cost import exact, show
    from uncork.engines.explicit.cost import Unfinished
    from uncork.render.terminal.progress import progress
    from uncork.render.terminal.text import Page, console, show_run

    limit, found, code = budget(max_states, max_memory, max_seconds, 1), [], Exit.AS_EXPECTED
    try:
        with progress() as tell:
            for number, instance in enumerate(chosen):
                watch = partial(tell, number, len(chosen), instance.name)
                watch(None)
                try:
                    found.append(exact.costs(instance, limit, watch))
                except Unfinished as why:
                    click.echo(f"{instance.name}: open: {why}", err=True)
                    code = Exit.OPEN
    except KeyboardInterrupt:
        click.echo(f"interrupted: {len(chosen) - len(found)} of {len(chosen)} instances have no costs", err=True)
        code = Exit.INTERRUPTED
    if json_ is not None:
        write(json_, json.dumps([show.as_json(each) for each in found], indent=1) + "\n")
    if json_ != "-" and found:
        to = Page()
        to.show(show.table(found))
        to.say(show.LEGEND)
        for each in found if trace else ():
            run = show.RUNS[trace or ""](each)
            if run is None:
                to.say(f"{each.instance.name}: no run has a {trace} to show")
            else:
                show_run(console(), f"{each.instance.name}: {trace}", each.instance.system, run)
    return code


@click.command(cls=Command)
@click.argument("instances", nargs=-1)
@filtered
@listed("--load", "loads", default="full", show_default=True, help=f"Of {', '.join(LOADS)}.")
@click.option(
    "--time", "milliseconds", type=click.FloatRange(min=1, max=1e6), default=100, show_default=True, help="ms a run."
)
@click.option("--runs", type=click.IntRange(min=2, max=1000), default=5, show_default=True, help="Runs of each.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of all runs.")
@click.option(
    "--spread",
    type=click.FloatRange(min=0, max=10),
    default=SPREAD,
    show_default=True,
    help="Standard deviation of the time of a step, in means: 0 is constant, 1 exponential.",
)
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw it to this file (.svg, .png, .pdf).")
@_JSON
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
    """Simulate instances under a load, at sizes that no search reaches: doorbells, time corked, time to resume.

    INSTANCES are named, or filtered as for uncork check. It is the machine itself that is simulated, step by step, with
    a time for each step. A guest that submits one entry at a time is meant by submit_batch=1, as in
    hand-over/linux/tail-1/n1-sq1024-cq1024/submit_batch=1.
    """
    chosen = _chosen(instances, filters)
    for name in loads:
        look_up(LOADS, name, "load")
    if 0 < spread < 0.01:
        raise click.UsageError(f"--spread is 0, or 0.01 and more, not {spread:g}")
    _drawable(plot)
    writable([json_, plot], [own_file(each.policy) for each in chosen])
    from uncork.engines.events.simulate import Stray
    from uncork.measure import show as report
    from uncork.measure import simulate
    from uncork.render.terminal.progress import progress
    from uncork.render.terminal.text import Page

    found, code = [], Exit.AS_EXPECTED
    try:
        with progress() as tell:
            for number, (instance, name) in enumerate(product(chosen, loads)):
                tell(number, len(chosen) * len(loads), f"{instance.name}, {name}", None)
                under, time = LOADS[name], milliseconds * 1e3
                found.append(simulate.measure(instance, under, time=time, runs=runs, seed=seed, spread=spread))
    except Stray as why:
        click.echo(f"{why}; uncork check shows how", err=True)
        code = Exit.SAFETY
    except KeyboardInterrupt:
        click.echo(f"interrupted: {len(found)} of {len(chosen) * len(loads)} were simulated", err=True)
        code = Exit.INTERRUPTED
    if json_ is not None:
        write(json_, json.dumps([report.as_json(each) for each in found], indent=1) + "\n")
    if plot is not None and found:
        with whole(plot) as file:
            report.plot(file, found)
    if json_ != "-" and found:
        to = Page()
        to.show(report.table(found))
        if len(found) > 1:
            to.say()
            to.show(report.chart(found))
        to.say(report.LEGEND.format(runs))
        for name in dict.fromkeys(loads):
            to.say(f"{name}: {LOADS[name].doc}")
        if stuck := sum(bool(each.stuck) for each in found):
            to.say(f"{stuck} got stuck: nothing moves there any more; uncork check tells whether and shows how")
    return Exit.LIVENESS if not code and any(each.stuck for each in found) else code


@click.command(cls=Command)
@click.argument("device")
@_GUESTS
@_PROPERTIES
@_SQS
@_POLICIES
@click.option("--prove/--no-prove", default=True, help="Try to prove what is found for all sizes. Default: yes.")
@_JSON
@budgeted
def repair(
    device: str,
    guest: list[str],
    property_: list[str],
    sqs: list[int],
    policy: list[str] | None,
    prove: bool,
    json_: str | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Find every minimal set of changes that makes DEVICE live, and show why each change is needed.

    Live: at all shapes of the default matrix with these numbers of SQs, with every guest named.
    """
    space = _space(device, guest, sqs, policy)
    for name in property_:
        look_up(ROWS, name, "property")
    writable([json_], [own_file(each) for each in policy or ()])
    from uncork.design import search as searching
    from uncork.design import show
    from uncork.design.price import Unpriced
    from uncork.render.terminal.progress import progress
    from uncork.render.terminal.text import Page

    decider = searching.Decider(property_, budget(max_states, max_memory, max_seconds, 1))
    with progress() as watch:
        found = searching.search(space, decider, watch)
        finals = show.finalists(
            found, decider, watch, prove=prove and not found.interrupted, priced=not found.interrupted
        )
    if json_ is not None:
        write(json_, json.dumps(show.as_json(found, finals), indent=1) + "\n")
    if json_ != "-":
        show.show(Page(), found, finals)
    if found.interrupted:
        return Exit.INTERRUPTED
    if found.open or any(isinstance(each.price, Unpriced) for each in finals):
        return Exit.OPEN
    return Exit.AS_EXPECTED if found.live else Exit.LIVENESS


@click.command(cls=Command)
@click.option("--device", default="propolis-2026", show_default=True, help="A device, whose other choices are kept.")
@_GUESTS
@_SQS
@_POLICIES
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw it to this file (.svg, .png, .pdf).")
@_JSON
@budgeted
def frontier(
    device: str,
    guest: list[str],
    sqs: list[int],
    policy: list[str] | None,
    plot: str | None,
    json_: str | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Show the live designs that no other beats: CQ doorbells per completion against the worst wait.

    All designs that DEVICE may become by its switches and EventIdx are searched, minimal or not.
    """
    space = _space(device, guest, sqs, policy)
    _drawable(plot)
    writable([json_, plot], [own_file(each) for each in policy or ()])
    from uncork.design import front as fronts
    from uncork.design import search as searching
    from uncork.design import show_front
    from uncork.render.terminal.progress import progress
    from uncork.render.terminal.text import Page

    decider = searching.Decider(budget=budget(max_states, max_memory, max_seconds, 1))
    with progress() as watch:
        made = fronts.front(space, decider, watch)
    if json_ is not None:
        write(json_, json.dumps(show_front.as_json(made), indent=1) + "\n")
    if plot is not None:
        with whole(plot) as file:
            left = show_front.plot(file, made.points)
        if left:
            click.echo(f"{left} prices without a bound are not drawn", err=True)
    if json_ != "-":
        show_front.show(Page(), made)
    if made.found.interrupted:
        return Exit.INTERRUPTED
    return Exit.OPEN if made.found.open or made.open else Exit.AS_EXPECTED
