"""Work in several processes, one piece after another in each. They end with this process, and in order on Ctrl-C.

A piece of work may take its process with it, which then was killed or ran out of memory: the others go on, in a new
process.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, TypeVar

from uncork.decide import signals
from uncork.decide.patience import INTERRUPTED
from uncork.engines import Progress, Stop, Tick, Watch

_CONTEXT = multiprocessing.get_context("spawn")
_STOP = 6
"""Index of the shared word that tells a process to stop. The words before it are the progress."""
_SHARED: list[Any] = []

_Item = TypeVar("_Item")
_Given = TypeVar("_Given")

Report = Callable[[Progress], None]
"""What work is given to tell its progress; it raises `Stop` once the work has to end."""


@dataclass(frozen=True)
class Died:
    """The result of work whose process died `times` times."""

    times: int


class Cut(Exception):
    """Raised by work that ends without a result."""


@dataclass
class _Piece(Generic[_Item]):
    item: _Item
    deaths: int = 0


class _Process(Generic[_Item, _Given]):
    """A process that takes one piece of work after another.

    The words shared with the parent have no lock: a killed process could hold a lock for ever.
    """

    def __init__(self, work: Callable[[_Item, Report], _Given]) -> None:
        self.work = work
        self.words = _CONTEXT.RawArray("d", _STOP + 1)
        self.piece: _Piece[_Item] | None = None
        self.future: Future[_Given] | None = None
        self._pool = self._new()

    def _new(self) -> ProcessPoolExecutor:
        with signals.shielded():
            return ProcessPoolExecutor(1, _CONTEXT, initializer=_begin, initargs=(self.words,))

    def give(self, piece: _Piece[_Item]) -> None:
        """Starts a piece of work, in a new process if the old one is dead."""
        self.piece = piece
        self.words[:_STOP] = [0.0] * _STOP
        with signals.shielded():
            try:
                self.future = self._pool.submit(_remote, self.work, piece.item)
            except BrokenProcessPool:  # the process died while idle
                self.renew()
                self.future = self._pool.submit(_remote, self.work, piece.item)

    def take(self) -> tuple[_Piece[_Item], Future[_Given]]:
        """Returns the work and its future, which is done. The process is free then."""
        piece, future = self.piece, self.future
        assert piece is not None and future is not None
        self.piece = self.future = None
        return piece, future

    def renew(self) -> None:
        """Replaces the process for the next piece of work."""
        signals.ended(self._pool, 0)
        self._pool = self._new()

    def stop(self) -> None:
        """Asks the work to end."""
        self.words[_STOP] = True

    def end(self, seconds: float) -> None:
        """Ends the process: by itself within so many seconds, or killed."""
        signals.ended(self._pool, seconds)

    @property
    def progress(self) -> Progress | None:
        """The progress of the work, if it has told any."""
        states, transitions, depth, frontier, memory, seconds = self.words[:_STOP]
        if self.piece is None or not states:
            return None
        return Progress(int(states), int(transitions), int(depth), int(frontier), int(memory), seconds)


def run(
    items: Iterable[_Item],
    count: int,
    work: Callable[[_Item, Report], _Given],
    name: Callable[[_Item], str],
    watch: Watch,
    retries: int = 0,
) -> Generator[tuple[_Item, _Given | Died], None, None]:
    """Yields items with the results of `work`, as they end. `work` and the items are sent to `count` processes.

    Items are taken one by one while processes are at work. If a process dies, or has no memory left, its item is tried
    `retries` times more, after the others. On Ctrl-C, what has not begun is left out, what runs is asked to stop and
    abandoned if it does not, and `KeyboardInterrupt` is raised at the end. Exceptions of `work` are raised here.
    """
    left, ready = map(_Piece, items), deque[_Piece[_Item]]()
    ended, more, until = 0, True, inf
    processes = [_Process(work) for _ in range(count)]
    with signals.held_back() as interrupted:
        try:
            while time.monotonic() < until:
                if more and not interrupted.is_set():
                    piece = next(left, None)
                    more = piece is not None
                    ready += [piece] if piece else []
                for process in processes:
                    if process.piece is None and ready and not interrupted.is_set():
                        process.give(ready.popleft())
                busy = {process.future: process for process in processes if process.future is not None}
                if not busy and (interrupted.is_set() or not more):
                    break
                patience = 0 if more and not interrupted.is_set() else 0.1
                for future in wait(busy, patience, FIRST_COMPLETED).done:
                    process = busy[future]
                    piece, done = process.take()
                    try:
                        result = done.result()
                    except (BrokenProcessPool, MemoryError):
                        if interrupted.wait(0.2):  # the signal for this process may have reached the other first
                            continue
                        process.renew()
                        piece.deaths += 1
                        if piece.deaths <= retries:
                            ready.append(piece)
                            continue
                        ended += 1
                        yield piece.item, Died(piece.deaths)
                    except Cut:
                        continue
                    else:
                        ended += 1
                        yield piece.item, result
                if interrupted.is_set():
                    for process in processes:
                        process.stop()
                    until = min(until, time.monotonic() + signals.GRACE)
                watch(_tick(ended, len(ready), processes, name))
        finally:
            until = min(until, time.monotonic() + signals.GRACE)
            for process in processes:
                process.stop()
            for process in processes:
                process.end(until - time.monotonic())


def _tick(ended: int, ready: int, processes: list[_Process[_Item, _Given]], name: Callable[[_Item], str]) -> Tick:
    """Returns the progress of the work with the most states."""
    busy = [process for process in processes if process.piece is not None]
    most = max(busy, key=lambda process: process.progress.states if process.progress else -1, default=None)
    total = ended + ready + len(busy)
    if most is None or most.piece is None:
        return Tick(ended, total, "", None)
    return Tick(ended, total, name(most.piece.item), most.progress)


# -- in a process of these ---------------------------------------------------------------------------------------------
def _begin(words: Any) -> None:
    """Sets up the process: Ctrl-C reaches only its parent, and it ends with its parent."""
    signals.born()
    _SHARED[:] = [words]
    os.setpgrp()


def _remote(work: Callable[[_Item, Report], _Given], item: _Item) -> _Given:
    (words,) = _SHARED

    def report(p: Progress) -> None:
        words[:_STOP] = [p.states, p.transitions, p.depth, p.frontier, p.memory, p.seconds]
        if words[_STOP]:
            raise Stop(INTERRUPTED)

    return work(item, report)
