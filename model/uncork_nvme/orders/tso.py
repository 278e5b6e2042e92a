"""x86-TSO and sequential consistency for programs, by the store buffers that the machine has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from uncork.core.expr import Expr, all_of, boolean
from uncork.core.sorts import Ring
from uncork.core.system import Action, Record, Updates, var

from uncork_nvme.orders.arm import Accesses, Choice
from uncork_nvme.state.memory import Buffer, Queue, Word


class Tso:
    """The memory of some threads, whose words hold 0 to `values` - 1, and 0 at first.

    A lock is a word: taken by a locked instruction, given back by a plain store. If `buffered` is false no store waits,
    which is sequential consistency.
    """

    def __init__(
        self, threads: Mapping[str, Accesses], values: int, *, locks: Collection[str] = (), buffered: bool = True
    ) -> None:
        words = sorted({w for each in threads.values() for w in [*each.stores, *each.loads]} | {*locks})
        self.memory = Record("memory", **{word: var(Ring(values), "a word") for word in words})
        self.words, self.buffers = dict[str, dict[str, Word]](), dict[str, Buffer]()
        for name, each in threads.items():
            self.words[name] = {
                word: Word(f"{name}.{word}", f"{word} of {name}", self.memory, word, 0, what=word)
                for word in dict.fromkeys(each.stores)
            }
            stored = self.words[name].values()
            queued = buffered and stored
            self.buffers[name] = Queue(f"{name}.buffer", len(each.stores), *stored) if queued else Buffer(*stored)

    @property
    def records(self) -> list[Record]:
        """All that the memory remembers."""
        return [self.memory, *(record for buffer in self.buffers.values() for record in buffer.records)]

    @property
    def settled(self) -> Expr:
        """Whether no store waits in any buffer."""
        return all_of(buffer.drained for buffer in self.buffers.values())

    @property
    def steps(self) -> Iterator[Action]:
        """The steps of memory itself: stores leave their buffers."""
        for buffer in self.buffers.values():
            yield from buffer.flushes

    def value(self, word: str) -> Expr:
        """The value of a word in memory."""
        value: Expr = getattr(self.memory, word)
        return value

    def load(self, name: str, word: str, order: str = "") -> Iterator[Choice]:
        """A load, of any `order`: x86 has one."""
        own = self.words[name].get(word)
        yield Choice(boolean(True), Updates(), own.own if own else self.value(word))

    def store(self, name: str, word: str, value: int, order: str = "") -> Iterator[Choice]:
        """A store, of any `order`: x86 has one."""
        yield Choice(boolean(True), self.words[name][word].store(value))

    def fence(self, name: str, kind: str) -> Iterator[Choice]:
        """A fence: only `full` waits for anything."""
        yield Choice(self.buffers[name].drained if kind == "full" else boolean(True), Updates())

    def lock(self, name: str, lock: str) -> Iterator[Choice]:
        """A thread takes a lock that is free, when none of its stores waits."""
        yield Choice(self.buffers[name].drained & (self.value(lock) == 0), self.memory(**{lock: 1}))

    def unlock(self, name: str, lock: str) -> Iterator[Choice]:
        """A thread gives a lock back."""
        yield from self.store(name, lock, 0)
