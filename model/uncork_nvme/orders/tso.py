"""x86-TSO and sequential consistency for programs.

This is the model of `uncork_nvme.state.memory`, with values in place of moves: so two threads may store to one word
without a lock, which the machine's threads never do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from uncork.core.expr import Expr, all_of, boolean, ite
from uncork.core.sorts import Ring
from uncork.core.system import Action, Guarded, Record, Updates, step, var, when

from uncork_nvme.orders.arm import Accesses, Choice, Line


class Tso:
    """The memory of some threads, whose words hold 0 to `values` - 1, and 0 at first.

    A lock is a word: taken by a locked instruction, given back by a plain store. If `buffered` is false no store waits,
    which is sequential consistency.
    """

    def __init__(
        self, threads: Mapping[str, Accesses], values: int, *, locks: Collection[str] = (), buffered: bool = True
    ) -> None:
        words = sorted({word for each in threads.values() for word in [*each.stores, *each.loads]} | {*locks})
        self.memory = Record("memory", **{word: var(Ring(values), "a word") for word in words})
        self.buffers = {
            name: Buffered(name, each, values, len(each.stores) if buffered else 0) for name, each in threads.items()
        }

    @property
    def records(self) -> list[Record]:
        """All that the memory remembers."""
        return [self.memory, *self.buffers.values()]

    @property
    def settled(self) -> Expr:
        """Whether no store waits in any buffer."""
        return all_of(buffer.used == 0 for buffer in self.buffers.values())

    @property
    def steps(self) -> Iterator[Action]:
        """The steps of memory itself: stores leave their buffers."""
        yield from (flush(self, buffer) for buffer in self.buffers.values() if buffer.room)

    def value(self, word: str) -> Expr:
        """The value of a word in memory."""
        value: Expr = getattr(self.memory, word)
        return value

    def load(self, name: str, word: str, order: str = "") -> Iterator[Choice]:
        """A load, of any `order`: x86 has one."""
        value, buffer = self.value(word), self.buffers[name]
        if word in buffer.words:
            for k in range(buffer.room):
                value = ite(buffer.what(k, word), buffer.to(k), value)
        yield Choice(boolean(True), Updates(), value)

    def store(self, name: str, word: str, value: int, order: str = "") -> Iterator[Choice]:
        """A store, of any `order`: x86 has one."""
        buffer = self.buffers[name]
        stored = buffer.append(word, value, release=False) if buffer.room else self.memory(**{word: value})
        yield Choice(boolean(True), stored)

    def fence(self, name: str, kind: str) -> Iterator[Choice]:
        """A fence: only `full` waits for anything."""
        yield Choice(self.buffers[name].used == 0 if kind == "full" else boolean(True), Updates())

    def lock(self, name: str, lock: str) -> Iterator[Choice]:
        """A thread takes a lock that is free, when none of its stores waits."""
        yield Choice((self.buffers[name].used == 0) & (self.value(lock) == 0), self.memory(**{lock: 1}))

    def unlock(self, name: str, lock: str) -> Iterator[Choice]:
        """A thread gives a lock back."""
        yield from self.store(name, lock, 0)


class Buffered(Line):
    """A thread's store buffer."""

    def __init__(self, name: str, accesses: Accesses, values: int, room: int) -> None:
        self.label, self.words = name, list(dict.fromkeys(accesses.stores))
        super().__init__(f"{name}.buffer", self.words, values, room)


@step("store buffer of {}")
def flush(memory: Tso, buffer: Buffered) -> Guarded:
    """A thread's oldest store leaves its buffer for memory, and all threads see it."""
    arrives = memory.memory(
        **{word: ite(buffer.what(0, word), buffer.to(0), memory.value(word)) for word in buffer.words}
    )
    gone = buffer.remove([boolean(True)] * buffer.room)
    return when(buffer.used > 0, gone, arrives).says("the oldest store arrives in memory")
