"""The commands that search for designs: `uncork repair` and `frontier`."""

from __future__ import annotations

import json
from dataclasses import replace

import click
from uncork_nvme.catalogue import find_device, find_guest
from uncork_nvme.instance import InstanceError, find_policy, look_up
from uncork_nvme.names import files
from uncork_properties import matrix
from uncork_properties.catalogue import ROWS

from uncork.command import complete
from uncork.command.options import JSON, NUMBERS, Command, budget, budgeted, listed, whole, writable, write
from uncork.command.plots import drawable
from uncork.decide.exits import Exit
from uncork.design.price import Unpriced
from uncork.design.space import Space, shapes
from uncork.render.terminal.progress import progress

_KNOWN = sorted({shape.sqs for shape in matrix.SHAPES})


def _space(device: str, guest: list[str], sqs: list[int], policy: list[str] | None) -> Space:
    find_device(device)
    for name in guest:
        find_guest(name)
    for name in policy or ():
        find_policy(name)
    for number in sqs:
        if number not in _KNOWN:
            raise InstanceError(f"the default matrix has {', '.join(map(str, _KNOWN))} SQs, not {number}")
    space = Space(device, tuple(guest), shapes(sqs))
    return replace(space, policies=tuple(policy)) if policy else space


_GUESTS = listed(
    "--guest",
    default="linux",
    show_default=True,
    shell_complete=complete.several_guests,
    help="Guests; designs have to be live with all.",
)
_PROPERTIES = listed(
    "--property",
    "property_",
    default="uncorked,drains",
    show_default=True,
    shell_complete=complete.rows,
    help="Properties that have to hold besides safety.",
)
_SQS = listed(
    "--sqs", of=NUMBERS, default="1,2", show_default=True, help="Numbers of SQs; 3 takes seconds per instance."
)
_POLICIES = listed(
    "--policy",
    shell_complete=complete.several_policies,
    help="EventIdx policies or formulas to try. Default: about thirty.",
)


@click.command(cls=Command)
@click.argument("device", shell_complete=complete.devices)
@_GUESTS
@_PROPERTIES
@_SQS
@_POLICIES
@click.option("--prove/--no-prove", default=True, help="Try to prove live designs for all sizes. Default: yes.")
@JSON
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

    A design has to be live at every size of the default matrix with these numbers of SQs, with every guest given.
    """
    space = _space(device, guest, sqs, policy)
    for name in property_:
        look_up(ROWS, name, "property")
    writable([json_], files([device, *guest, *(policy or ())]))
    from uncork.design import show  # rich
    from uncork.design.decider import Decider  # imports z3 and starts processes: slow
    from uncork.design.finalists import finalists
    from uncork.design.search import search
    from uncork.render.terminal.text import Page

    decider = Decider(property_, budget(max_states, max_memory, max_seconds, 1))
    with progress() as watch:
        found = search(space, decider, watch)
        finals = finalists(found, decider, watch, prove=prove and not found.interrupted, priced=not found.interrupted)
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
@click.option(
    "--device",
    default="propolis-2026",
    show_default=True,
    shell_complete=complete.devices,
    help="The device to vary by switches.",
)
@_GUESTS
@_SQS
@_POLICIES
@click.option("--plot", type=click.Path(dir_okay=False), help="Draw the frontier to this file (.svg, .png, .pdf).")
@JSON
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

    Every combination of the device's switches and EventIdx policies is decided, minimal or not.
    """
    space = _space(device, guest, sqs, policy)
    drawable(plot)
    writable([json_, plot], files([device, *guest, *(policy or ())]))
    from uncork.design import show_front  # rich
    from uncork.design.decider import Decider  # z3, as above
    from uncork.design.front import front
    from uncork.render.terminal.text import Page

    decider = Decider(budget=budget(max_states, max_memory, max_seconds, 1))
    with progress() as watch:
        made = front(space, decider, watch)
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
