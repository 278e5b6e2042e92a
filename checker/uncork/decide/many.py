"""Checks many instances on all cores, each system once, with progress and an orderly end on Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from math import log

from uncork_nvme.instance import Instance
from uncork_nvme.state.machine import Machine
from uncork_properties.catalogue import ROWS, covers, properties

from uncork.core.property import describe
from uncork.core.verdict import Refuted
from uncork.decide import signals
from uncork.decide.one import Asked, Checked, Row, decisive, one, unknown
from uncork.decide.patience import INTERRUPTED
from uncork.engines import REDUCTIONS, Budget, Progress, Stop, Tick, Watch, unwatched


def check(
    instances: Sequence[Instance],
    rows: Sequence[str] = tuple(ROWS),
    budget: Budget | None = None,
    watch: Watch = unwatched,
    jobs: int | None = None,
    reductions: frozenset[str] = REDUCTIONS,
    engine: str = "explicit",
) -> Iterator[Checked]:
    """Yields the verdicts of every instance, in order, as they are found.

    Instances with the same system and properties are explored once. On Ctrl-C running searches end as open, instances
    not yet begun are left out, and `KeyboardInterrupt` is raised at the end.
    """
    cores = jobs or os.cpu_count() or 1
    prints: dict[int, str] = {}
    leaders = _leaders(instances, prints)
    first = list(islice(leaders, cores))
    asked = Asked(tuple(rows), budget or Budget(), reductions, engine, cores if len(first) <= 1 else 1)
    if len(first) <= 1:
        results = _alone(instances, [*first, *leaders], asked, watch)
    else:
        results = _together(instances, chain(first, leaders), len(first), asked, watch)
    done: dict[str, Checked] = {}
    following = 0
    with contextlib.closing(results), _noticed() as interrupted:
        for index, checked in results:
            done[prints[index]] = checked
            while prints.get(following) in done:
                yield replace(done[prints[following]], instance=instances[following])
                following += 1
    for index in range(following, len(instances)):
        if prints.get(index) in done:
            yield replace(done[prints[index]], instance=instances[index])
    if interrupted.is_set():
        raise KeyboardInterrupt


_SMALL = 100_000
"""States of a reduced search below which a second one, that tells all states apart, takes little time."""


def counterexample(
    instance: Instance, rows: Sequence[str], budget: Budget | None = None, watch: Watch = unwatched
) -> tuple[Checked, Row | None]:
    """The verdicts on an instance, and the refuted row of which `uncork check` shows the number of steps.

    The row is None if none is refuted. Of a small instance its loop is a shortest one: only a search that tells all
    states apart knows that.
    """
    (checked,) = check([instance], rows, budget, watch)
    row = decisive(checked)
    if row and isinstance(row.verdict, Refuted) and not row.verdict.shortest and checked.outcome.states < _SMALL:
        (again,) = check([instance], [row.property], budget, watch, reductions=frozenset())
        row = decisive(again) or row
    return checked, row


def _leaders(instances: Sequence[Instance], prints: dict[int, str]) -> Iterator[int]:
    """Yields one instance for every distinct system, the slowest first.

    Each instance is yielded as soon as it is found. It is the first of the equal instances in order: instances with the
    same system have the same sizes and take equally long.
    """
    if len(instances) == 1:
        prints[0] = ""
        yield 0
        return
    known: set[str] = set()
    machines: dict[object, Machine] = {}
    for index in sorted(range(len(instances)), key=lambda i: -effort(instances[i])):
        if _soon_made(instances[index]):
            instances[index].shares(machines)
        mark = prints[index] = _known_by(instances[index])
        if mark not in known:
            known.add(mark)
            yield index


def fingerprint(instance: Instance) -> str:
    """Returns a hash that is equal for instances that differ only in name."""
    found = (*properties(instance.machine, instance.system), *covers(instance.machine, instance.system))
    return instance.system.fingerprint(describe(each) for each in found)


def _known_by(instance: Instance) -> str:
    """Returns the fingerprint of an instance; for a large instance, which is slow to build, its name."""
    return fingerprint(instance) if _soon_made(instance) else instance.name


def _soon_made(instance: Instance) -> bool:
    return instance.steps < _SOON_MADE


_SOON_MADE = 2000
"""Up to this many steps, a system is built within a second."""


def effort(instance: Instance) -> float:
    """Estimates the logarithm of the time that an instance takes. The longest is started first."""
    return instance.sqs * log(instance.sq_size * 20) + 3 * log(instance.cq_size)


# -- in this process ---------------------------------------------------------------------------------------------------
def _alone(
    instances: Sequence[Instance], order: Sequence[int], asked: Asked, watch: Watch
) -> Generator[tuple[int, Checked], None, None]:
    with signals.noticed() as stop:
        for number, index in enumerate(sorted(order)):
            name = instances[index].name

            def report(progress: Progress, number: int = number, name: str = name) -> None:
                watch(Tick(number, len(order), name, progress))
                if stop.is_set():
                    raise Stop(INTERRUPTED)

            watch(Tick(number, len(order), name, None))
            yield index, one(instances[index], asked, report, stop.is_set)
            if stop.is_set():
                raise KeyboardInterrupt


# -- in several --------------------------------------------------------------------------------------------------------
_DIED = "a worker process of uncork died: it was killed, or ran out of memory"


def _together(
    instances: Sequence[Instance], order: Iterator[int], count: int, asked: Asked, watch: Watch
) -> Generator[tuple[int, Checked], None, None]:
    from uncork.decide import processes  # importing it takes as long as checking an instance

    if asked.engine in ("explicit", "all"):
        from uncork.engines import compiling  # imports numpy

        compiling.foretell()
    sent = ((index, replace(instances[index])) for index in order)
    with contextlib.closing(processes.run(sent, count, partial(_remote, asked), _name, watch)) as results:
        for (index, instance), found in results:
            if isinstance(found, processes.Died):
                found = unknown(instance, asked, _DIED, Progress(0, 0, 0, 0, 0, 0))
            yield index, found


def _name(sent: tuple[int, Instance]) -> str:
    return sent[1].name


def _remote(asked: Asked, sent: tuple[int, Instance], report: Callable[[Progress], None]) -> Checked:
    return one(sent[1], asked, report)


@contextlib.contextmanager
def _noticed() -> Iterator[threading.Event]:
    """Returns an event that is set when this work is interrupted."""
    event = threading.Event()
    try:
        yield event
    except KeyboardInterrupt:
        event.set()
