"""The commands about runs of real devices: `uncork validate` checks a log, `uncork record` makes one."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.choices import ChoiceError, parse_all
from uncork_nvme.instance import Instance, InstanceError, from_name
from uncork_nvme.observe import families

from uncork.command.options import Command, listed, own_file, told, writable, write
from uncork.decide.gate import Exit

if TYPE_CHECKING:
    from uncork.core.property import Property
    from uncork.core.trace import Trace
    from uncork.logs import Header, Log
    from uncork.logs.write import Step

_STATES = 200_000
_LINE = 1_000_000


@click.command(cls=Command)
@click.argument("log", type=click.Path(dir_okay=False, exists=True, allow_dash=True))
@click.argument("instance", required=False)
@click.option("--device", help="A device. Default: what the log says.")
@click.option("--guest", help="A guest.")
@click.option("--policy", help="An EventIdx policy. Default: the log's, or the device's own.")
@click.option("--sqs", type=click.IntRange(min=1), help="SQs on the CQ.")
@click.option("--sq-size", type=int, help="Entries of each SQ.")
@click.option("--cq-size", type=int, help="Entries of the CQ.")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override a choice. Repeatable.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["uncork", "propolis", "dtrace", "qemu"]),
    default="uncork",
    show_default=True,
    help="What the log is; docs/validate.md has each.",
)
@click.option("--queue", type=click.IntRange(min=1), help="dtrace, qemu: the completion queue, by its number there.")
@click.option(
    "--moves",
    type=click.Choice(["any", "seen"]),
    help="How the guest moves where the log does not show it: by any number of entries; or to where the log shows it "
    "next. Default: any, for queues of up to 16 entries.",
)
@click.option("--trace", "trace_", type=click.Path(dir_okay=False, allow_dash=True), help="Write the run as ITF JSON.")
@click.option("--nearest/--no-nearest", default=True, help="If rejected, try the other devices. Default: yes.")
@click.option("--max-states", type=click.IntRange(min=1), default=_STATES, help="Give up if more fit.")
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
    """Check that LOG, of a run of a real device, is a run of the model, with any steps that it does not show between.

    Of INSTANCE, or of what the options and the log's header say. If it is not: where it stops to be one, what the model
    would have allowed there, and which device of the catalogue it is a run of, or nearest to.
    """
    from uncork import logs
    from uncork.engines.follow import Crowd
    from uncork.render.terminal.progress import progress
    from uncork.render.terminal.text import Page
    from uncork.validate import follow, show

    if queue is not None and format_ not in ("dtrace", "qemu"):
        raise click.UsageError("--queue is for --format dtrace and qemu")
    given = logs.Header(device, guest, policy, sqs, sq_size, cq_size, parse_all(overrides))
    if instance is not None:
        given = _said_by(instance).under(given)
    try:
        lines = None
        if not os.path.isfile(log):  # what comes once only, and is to be shown again
            lines = list(_text(log, sys.stdin) if log == "-" else _lines(log, None))
        found = _read(_lines(log, lines), format_, queue)
        if not found.events:
            raise logs.LogError(1, f"no event in it that is one of --format {format_}{' and --queue' if queue else ''}")
        of = _instance(found, given)
        writable([trace_], [log, own_file(of.policy)])
        reader = follow.Reader(of)
        for seen in found.events:
            reader.check(seen)
    except logs.LogError as error:
        click.echo(f"{log}:{error.line}: {error}", err=True)
        return Exit.USAGE
    aimed = moves == "seen" if moves else max(of.sq_size, of.cq_size) > follow.FEW
    to = Page(stderr=trace_ == "-")
    with progress() as watch:
        followed = follow.follow(
            of, found, aimed=aimed, most=max_states, watch=lambda done, all_: watch(done, all_, of.name, None)
        )
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
    except Crowd:
        may = None
    show.rejected(to, followed, may, _line(log, lines, followed.failed.line))
    if nearest:
        with progress() as watch:
            others = follow.nearest(
                followed, most=max_states, watch=lambda name, done, all_: watch(done, all_, f"trying {name}", None)
            )
        show.nearest(to, followed, others)
    if trace_ is not None:
        write(trace_, _itf(of, followed.follower.run()))
    return Exit.OPEN if followed.aimed else Exit.REPLAY


def _lines(path: str, read: Sequence[str] | None) -> Iterator[str]:
    """The lines of a log, those that were `read` if it is no file; raises `InstanceError`."""
    if read is not None:
        yield from read
        return
    with told(path), open(path, encoding="utf-8") as file:
        yield from _text(path, file)


def _text(path: str, file: TextIO) -> Iterator[str]:
    """The lines of a file; raises `InstanceError` for what is no text, or never ends a line."""
    number = 0
    try:
        while line := file.readline(_LINE):
            number += 1
            if len(line) == _LINE:
                raise InstanceError(f"{path}:{number}: a line of more than {_LINE:,} characters is none of a log")
            yield line
    except UnicodeDecodeError as error:
        raise InstanceError(f"{path}:{number + 1}: not text: {error}") from None


def _line(path: str, read: Sequence[str] | None, number: int) -> str:
    return next(islice(_lines(path, read), number - 1, None), "").strip()


def _read(lines: Iterator[str], format_: str, queue: int | None) -> Log:
    from uncork.logs import dtrace, propolis, qemu
    from uncork.logs import lines as own

    if format_ == "qemu":
        return qemu.read(lines, queue)
    if format_ == "dtrace":
        return dtrace.read(lines, queue)
    return propolis.read(lines) if format_ == "propolis" else own.read(lines)


def _said_by(name: str) -> Header:
    from uncork.logs import Header

    of = from_name(name)
    return Header(of.device, of.guest, of.policy, of.sqs, of.sq_size, of.cq_size, of.overrides)


def _instance(log: Log, given: Header) -> Instance:
    """The instance that a log is checked as; raises `InstanceError` where something is not said.

    Another device has its own policy and choices, and not those that the log's device had; so has any that is named, if
    the log's is a variant of one.
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
    policy = said.policy or (DEVICES[device].policy if device in DEVICES else "")
    made = Instance(device, guest, policy, sqs, sq_size, cq_size, said.overrides)
    _ = made.system  # what is wrong with it is said now
    return made


def _itf(instance: Instance, run: Trace) -> str:
    from uncork_properties.catalogue import properties

    from uncork.core.trace import ReplayError, replay
    from uncork.render import itf

    replay(instance.system, run)
    refutes = []
    for prop in properties(instance.machine, instance.system) if run.loop is not None else ():
        try:
            replay(instance.system, run, prop)
            refutes.append(prop.name)
        except ReplayError:
            continue
    return itf.dumps(run, {"instance": instance.name, "refutes": refutes, "shortest": False})


@click.command(cls=Command)
@click.argument("what", metavar="FILE|INSTANCE")
@click.option(
    "--steps", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="Of an instance: how long."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of an instance: which random run.")
@listed("--log-only", "only", help="Log these events alone, by family or as in docs/validate.md.")
def record(what: str, steps: int, seed: int, only: list[str] | None) -> None:
    """Print a log of a run of the model, as `uncork validate` reads it.

    A random run of an instance, or the run of a stored counterexample.
    """
    from uncork.logs.write import log
    from uncork.logs.write import steps as of_run

    kept = None
    if only is not None:
        try:
            kept = {family for event in only for family in families(event)}
        except KeyError as error:
            raise InstanceError(f"there is no event {error}") from None
    if os.path.isfile(what):
        of = stored(what)
        instance, found = of.instance, of_run(of.run)
    else:
        instance = from_name(what)
        found = walk(instance, steps, seed)
    for line in log(instance, found, kept):
        click.echo(line, nl=False)


@dataclass(frozen=True)
class Stored:
    """A run as a file has it: of which instance, which properties it refutes, and whether it is a shortest one."""

    instance: Instance
    run: Trace
    refutes: tuple[Property, ...]
    shortest: bool


def stored(path: str) -> Stored:
    """What a file of a run says, replayed: it is a run of its instance, and refutes what it says.

    Raises `InstanceError` for what is no such file, `ReplayError` for a run that is not what it is said to be.
    """
    from uncork_properties.catalogue import properties

    from uncork.core.trace import ReplayError, replay
    from uncork.render import itf

    try:
        run, meta = itf.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InstanceError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # of the form, or of the text
        raise InstanceError(f"{path}: {error}") from None
    refutes, shortest = meta.get("refutes", []), meta.get("shortest", True)
    if not isinstance(refutes, list) or not all(isinstance(each, str) for each in (meta.get("instance"), *refutes)):
        raise InstanceError(f"{path}: its #meta has to name an 'instance', and in a list what the run 'refutes'")
    if not isinstance(shortest, bool):
        raise InstanceError(f"{path}: 'shortest' has to be true or false, not {shortest!r:.80}")
    try:
        instance = from_name(meta["instance"])
        known = {prop.name: prop for prop in properties(instance.machine, instance.system)}
    except (InstanceError, ChoiceError) as error:
        raise InstanceError(f"{path}: {error}") from None
    try:
        replay(instance.system, run)
        for each in refutes:
            if each not in known:
                raise InstanceError(f"{path}: {instance.name} has no property {each!r}")
            replay(instance.system, run, known[each])
    except ReplayError as error:
        raise ReplayError(f"{path}: {error}") from None
    return Stored(instance, run, tuple(known[each] for each in refutes), shortest)


def walk(instance: Instance, steps: int, seed: int) -> Iterator[Step]:
    """So many random steps of an instance, each drawn from all that may happen; fewer if nothing may."""
    from uncork.engines.python import successors

    drawn, system = random.Random(seed), instance.system
    names = [variable.name for variable in system.variables]
    after, state = successors(system), tuple(system.initial.values())
    before = system.initial
    for _ in range(steps):
        possible = [(action, target) for action, target in after(state) if target is not None]
        if not possible:
            return
        action, state = drawn.choice(possible)
        is_ = dict(zip(names, state, strict=True))
        yield system.actions[action].name, before, is_
        before = is_


def random_run(instance: Instance, steps: int, seed: int) -> Trace:
    """A random run of so many steps at most."""
    from uncork.core.trace import Trace

    taken = list(walk(instance, steps, seed))
    return Trace((instance.system.initial, *(is_ for _, _, is_ in taken)), tuple(name for name, _, _ in taken))
