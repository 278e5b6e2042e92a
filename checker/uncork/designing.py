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
from uncork_nvme.instance import InstanceError, find_policy, from_name, look_up
from uncork_properties import matrix
from uncork_properties.catalogue import ROWS

from uncork.gate import Exit
from uncork.options import NAMES, NUMBERS, budget, budgeted, write

if TYPE_CHECKING:
    from uncork.repair import Space

_KNOWN = sorted({shape[0] for shape in matrix.SHAPES})


def _space(device: str, guest: list[str], sqs: list[int], policy: list[str] | None) -> Space:
    from uncork import repair

    look_up(DEVICES, device, "device")
    for name in guest:
        look_up(GUESTS, name, "guest")
    for name in policy or ():
        find_policy(name)
    for number in sqs:
        if number not in _KNOWN:
            raise InstanceError(f"the default matrix has {', '.join(map(str, _KNOWN))} SQs, not {number}")
    space = repair.Space(device, tuple(guest), repair.shapes(sqs))
    return replace(space, policies=tuple(policy)) if policy else space


_GUESTS = click.option("--guest", type=NAMES, default="linux", show_default=True, help="Guests, all to be live with.")
_PROPERTIES = click.option(
    "--property",
    "property_",
    type=NAMES,
    default="uncorked,drains",
    show_default=True,
    help="What has to hold besides safety.",
)
_SQS = click.option(
    "--sqs", type=NUMBERS, default="1,2", show_default=True, help="Numbers of SQs; 3 takes seconds an instance."
)
_POLICIES = click.option("--policy", type=NAMES, help="EventIdx policies or formulas to try. Default: some thirty.")
_JSON = click.option(
    "--json", "json_", type=click.Path(dir_okay=False, allow_dash=True), help="Write it as JSON; - is standard output."
)


@click.command()
@click.argument("instances", nargs=-1, required=True)
@click.option(
    "--trace",
    type=click.Choice(["least", "greatest", "wait"]),
    help="Show the run: of the least or greatest CQ doorbells per completion, or of the longest wait.",
)
@_JSON
@budgeted
def cost(
    instances: tuple[str, ...],
    trace: str | None,
    json_: str | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Compute what INSTANCES cost, exactly: doorbells per completion, and what a corked SQ waits for.

    The least and the greatest over all fair runs, each with a run that has it, which is replayed and counted anew.
    """
    chosen = [from_name(name) for name in instances]
    from uncork import cost_report, costing
    from uncork.engines.explicit.cost import Unfinished
    from uncork.render.progress import progress
    from uncork.render.text import Page, console, show_run

    limit, found, code = budget(max_states, max_memory, max_seconds, 1), [], Exit.AS_EXPECTED
    try:
        with progress() as show:
            for number, instance in enumerate(chosen):
                watch = partial(show, number, len(chosen), instance.name)
                watch(None)
                try:
                    found.append(costing.costs(instance, limit, watch))
                except Unfinished as why:
                    click.echo(f"{instance.name}: open: {why}", err=True)
                    code = Exit.OPEN
    except KeyboardInterrupt:
        click.echo(f"interrupted: {len(chosen) - len(found)} of {len(chosen)} instances have no costs", err=True)
        code = Exit.INTERRUPTED
    if json_:
        write(json_, json.dumps([cost_report.as_json(each) for each in found], indent=1) + "\n")
    if json_ != "-" and found:
        to = Page()
        to.show(cost_report.table(found))
        to.say(cost_report.LEGEND)
        for each in found if trace else ():
            run = cost_report.RUNS[trace or ""](each)
            if run is None:
                to.say(f"{each.instance.name}: no run has a {trace} to show")
            else:
                show_run(console(), f"{each.instance.name}: {trace}", each.instance.system, run)
    return code


@click.command()
@click.argument("instances", nargs=-1, required=True)
@click.option("--load", "loads", type=NAMES, default="full", show_default=True, help="See: uncork measure --help.")
@click.option(
    "--time", "milliseconds", type=click.FloatRange(min=1, max=1e6), default=100, show_default=True, help="ms a run."
)
@click.option("--runs", type=click.IntRange(min=2, max=1000), default=5, show_default=True, help="Runs of each.")
@click.option("--seed", type=click.IntRange(min=0, max=2**31), default=1, show_default=True, help="Of the first run.")
@_JSON
def measure(
    instances: tuple[str, ...], loads: list[str], milliseconds: float, runs: int, seed: int, json_: str | None
) -> int:
    """Simulate INSTANCES under a load, at sizes that no search reaches: doorbells, time corked, time to resume.

    It is the machine itself that is simulated, step by step, with a time for each step. A guest that submits one entry
    at a time is meant by submit_batch=1, as in hand-over/linux/tail-1/n1-sq1024-cq1024/submit_batch=1. Loads: full,
    polled, coalesced, open.
    """
    from uncork_properties.load import LOADS

    from uncork import measuring
    from uncork.engines.events.simulate import Stray
    from uncork.render.progress import progress
    from uncork.render.text import Page

    chosen = [from_name(name) for name in instances]
    for name in loads:
        look_up(LOADS, name, "load")
    found, code = [], Exit.AS_EXPECTED
    try:
        with progress() as show:
            for number, (instance, name) in enumerate(product(chosen, loads)):
                show(number, len(chosen) * len(loads), f"{instance.name}, {name}", None)
                under, time = LOADS[name], milliseconds * 1e3
                each = measuring.measure(instance, under, time=time, runs=runs, seed=seed)
                found.append(each)
    except Stray as why:
        click.echo(f"{why}; uncork check shows how", err=True)
        code = Exit.SAFETY
    except KeyboardInterrupt:
        click.echo(f"interrupted: {len(found)} of {len(chosen) * len(loads)} were simulated", err=True)
        code = Exit.INTERRUPTED
    if json_:
        write(json_, json.dumps([measuring.as_json(each) for each in found], indent=1) + "\n")
    if json_ != "-" and found:
        to = Page()
        to.show(measuring.table(found))
        to.say(measuring.LEGEND.format(runs))
        for name in dict.fromkeys(loads):
            to.say(f"{name}: {LOADS[name].doc}")
    return code


@click.command()
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
    from uncork import repair as searching
    from uncork import repair_report
    from uncork.pricing import Unpriced
    from uncork.render.progress import progress
    from uncork.render.text import Page

    decider = searching.Decider(property_, budget(max_states, max_memory, max_seconds, 1))
    with progress() as watch:
        found = searching.search(space, decider, watch)
        finals = repair_report.finalists(
            found, decider, watch, prove=prove and not found.interrupted, priced=not found.interrupted
        )
    if json_:
        write(json_, json.dumps(repair_report.as_json(found, finals), indent=1) + "\n")
    if json_ != "-":
        repair_report.show(Page(), found, finals)
    if found.interrupted:
        return Exit.INTERRUPTED
    if found.open or any(isinstance(each.price, Unpriced) for each in finals):
        return Exit.OPEN
    return Exit.AS_EXPECTED if found.live else Exit.LIVENESS


@click.command()
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
    from importlib.util import find_spec

    from uncork import frontier as fronts
    from uncork import frontier_report
    from uncork import repair as searching
    from uncork.render.progress import progress
    from uncork.render.text import Page

    if plot and find_spec("matplotlib") is None:
        raise InstanceError("--plot needs matplotlib: pip install 'uncork[plot]'")
    decider = searching.Decider(budget=budget(max_states, max_memory, max_seconds, 1))
    with progress() as watch:
        made = fronts.front(space, decider, watch)
    if json_:
        write(json_, json.dumps(frontier_report.as_json(made), indent=1) + "\n")
    if plot and (left := frontier_report.plot(Path(plot), made.points)):
        click.echo(f"{left} prices without a bound are not drawn", err=True)
    if json_ != "-":
        frontier_report.show(Page(), made)
    if made.found.interrupted:
        return Exit.INTERRUPTED
    return Exit.OPEN if made.found.open or made.open else Exit.AS_EXPECTED
