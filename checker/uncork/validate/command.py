"""The command that checks the log of a real device against the model: `uncork validate`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TextIO

import click
from uncork_nvme.catalogue import find_device
from uncork_nvme.choices import parse_all
from uncork_nvme.instance import Instance, InstanceError, from_name
from uncork_properties.catalogue import properties

from uncork.command import complete
from uncork.command.options import Command, told, writable, write
from uncork.core.trace import Trace, refutes, replay
from uncork.decide.exits import Exit
from uncork.engines.follow import TooManyStates
from uncork.logs import Header, Log, LogError
from uncork.logs.read import FORMATS, OF_A_QUEUE, read
from uncork.render import itf
from uncork.render.terminal.progress import progress
from uncork.validate import follow

_LINE = 1_000_000


@click.command(cls=Command)
@click.argument("log", type=click.Path(dir_okay=False, exists=True, allow_dash=True))
@click.argument("instance", required=False, shell_complete=complete.instances)
@click.option("--device", help="A device. Default: the log's.")
@click.option("--guest", help="A guest.")
@click.option("--policy", help="An EventIdx policy. Default: the log's, or the device's own.")
@click.option("--sqs", type=click.IntRange(min=1), help="SQs on the CQ.")
@click.option("--sq-size", type=int, help="Entries of each SQ.")
@click.option("--cq-size", type=int, help="Entries of the CQ.")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override a choice. Repeatable.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="uncork",
    show_default=True,
    help="Format of the log (see docs/validate.md).",
)
@click.option("--queue", type=click.IntRange(min=1), help="dtrace, qemu: number of the completion queue in the log.")
@click.option(
    "--moves",
    type=click.Choice(["any", "seen"]),
    help="Guest moves missing from the log: try any number of entries, or only moves to the next value seen in the "
    "log. Default: any, for queues of up to 16 entries.",
)
@click.option("--trace", "trace_", type=click.Path(dir_okay=False, allow_dash=True), help="Write the run as ITF JSON.")
@click.option("--nearest/--no-nearest", default=True, help="If rejected, try the other devices. Default: yes.")
@click.option(
    "--max-states", type=click.IntRange(min=1), default=follow.STATES, help="Give up if more states fit the log."
)
def validate(
    log: str,
    instance: str | None,
    device: str | None,
    guest: str | None,
    policy: str | None,
    sqs: int | None,
    sq_size: int | None,
    cq_size: int | None,
    overrides: tuple[str, ...],
    format_: str,
    queue: int | None,
    moves: str | None,
    trace_: str | None,
    nearest: bool,
    max_states: int,
) -> int:
    """Check that LOG of a real device is a run of the model; steps missing from LOG may happen between its events.

    The model is INSTANCE, or what the options and the log's header name. If LOG is rejected, the output shows the first
    event that does not fit, what the model allows there, and which device of the catalogue fits LOG best.
    """
    from uncork.render.terminal.text import Page  # rich
    from uncork.validate import show

    if queue is not None and format_ not in OF_A_QUEUE:
        raise click.UsageError("--queue is for --format dtrace and qemu")
    given = Header(device, guest, policy, sqs, sq_size, cq_size, parse_all(overrides))
    if instance is not None:
        given = _said_by(instance).under(given)
    try:
        lines = None
        if not os.path.isfile(log):  # a pipe can be read only once, and lines are shown again
            lines = list(_text(log, sys.stdin) if log == "-" else _lines(log, None))
        found = read(_lines(log, lines), format_, queue)
        if not found.events:
            raise LogError(1, f"no event in it that is one of --format {format_}{' and --queue' if queue else ''}")
        of = _instance(found, given)
        writable([trace_], [log, *of.files])
        follow.check(of, found)
    except LogError as error:
        click.echo(f"{log}:{error.line}: {error}", err=True)
        return Exit.USAGE
    aimed = moves == "seen" if moves else follow.has_many(of)
    to = Page(stderr=trace_ == "-")
    with progress() as watch:
        followed = follow.follow(of, found, aimed=aimed, most=max_states, watch=watch)
        ended = follow.end(followed) if followed.fits else None
    if ended is not None:
        show.accepted(to, followed, ended)
        if trace_ is not None:
            run = ended.run() if ended.run and ended.stuck else followed.follower.run()
            write(trace_, _itf(of, run))
        return Exit.AS_EXPECTED
    if followed.crowd:
        to.say(f"{of.name}: open after {followed.accepted:,} of {len(found.events):,} events: {followed.crowd}")
        return Exit.OPEN
    assert followed.failed is not None
    try:
        may = follow.allowed(followed)
    except TooManyStates:
        may = None
    show.rejected(to, followed, may, _line(log, lines, followed.failed.line))
    if nearest:
        with progress() as watch:
            others = follow.nearest(followed, most=max_states, watch=watch)
        show.nearest(to, followed, others)
    if trace_ is not None:
        write(trace_, _itf(of, followed.follower.run()))
    return Exit.OPEN if followed.aimed else Exit.REPLAY


def _lines(path: str, read: Sequence[str] | None) -> Iterator[str]:
    """Yields the lines of a log: `read` if given, else the file's. Raises `InstanceError`."""
    if read is not None:
        yield from read
        return
    with told(path), open(path, encoding="utf-8") as file:
        yield from _text(path, file)


def _text(path: str, file: TextIO) -> Iterator[str]:
    """Yields the lines of a file. Raises `InstanceError` if the file is not text or a line is too long."""
    number = 0
    try:
        while line := file.readline(_LINE):
            number += 1
            if len(line) == _LINE:
                raise InstanceError(f"{path}:{number}: a line of more than {_LINE:,} characters: this is no log")
            yield line
    except UnicodeDecodeError as error:
        raise InstanceError(f"{path}:{number + 1}: not text: {error}") from None


def _line(path: str, read: Sequence[str] | None, number: int) -> str:
    return next(islice(_lines(path, read), number - 1, None), "").strip()


def _said_by(name: str) -> Header:
    of = from_name(name)
    return Header(of.device, of.guest, of.policy, of.sqs, of.sq_size, of.cq_size, of.overrides)


def _instance(log: Log, given: Header) -> Instance:
    """Returns the instance that a log is checked against. Raises `InstanceError` if part of its name is missing.

    A device given by option has its own policy and choices, not those of the log's device; likewise if the log names a
    variant.
    """
    header = log.header
    if given.device is not None and (header.variant or given.device != header.device):
        header = replace(header, device=None, policy=None, overrides={})
    said = replace(header, overrides={**header.setting, **header.overrides}).under(given)
    if said.device is None and header.variant:
        raise InstanceError(
            f"the variant {header.variant!r} is not known: say what it is with --device, --policy and --set"
        )
    for name in ("device", "guest", "sqs", "sq_size", "cq_size"):
        if getattr(said, name) is None:
            raise InstanceError(f"neither the log nor an option says: --{name.replace('_', '-')}")
    device, guest, sqs, sq_size, cq_size = said.device, said.guest, said.sqs, said.sq_size, said.cq_size
    assert device is not None and guest is not None
    assert sqs is not None and sq_size is not None and cq_size is not None
    policy = said.policy or find_device(device).policy
    made = Instance(device, guest, policy, sqs, sq_size, cq_size, said.overrides)
    _ = made.system  # reports errors in the choices now
    return made


def _itf(instance: Instance, run: Trace) -> str:
    replay(instance.system, run)
    asked = properties(instance.machine, instance.system) if run.loop is not None else ()
    refuted = [prop.name for prop in asked if refutes(instance.system, run, prop)]
    return itf.dumps(run, {"instance": instance.name, "refutes": refuted, "shortest": False})
