"""Memory: sequentially consistent, or x86-TSO, where a store waits in its thread's buffer before other threads see it.

The x86-TSO model is by Sewell, Sarkar, Owens, Zappa Nardelli and Myreen (x86-TSO: a rigorous and usable programmer's
model for x86 multiprocessors, CACM 53(7), 2010). Each thread has a FIFO buffer. A store enters the buffer, and some
time later leaves for memory, where all threads see it at once. A load takes the thread's own latest waiting store to
that word, or the value in memory if none waits. A fence and a locked instruction wait until the thread's buffer is
empty.

A buffer is kept by place: the stores to a place in their order, and the places in the order in which the thread's
program stores to them between two drains. This is the FIFO as long as the program keeps to that order and to the number
of stores. A program that does not puts a number out of its range, which refutes the property `indices and counters in
range`.

Two threads that store to the same word do so under a lock (see `crew`). A buffer of no stores is sequential
consistency.
"""

from __future__ import annotations

from collections.abc import Sequence

from uncork.core.expr import Expr, all_of, any_of, boolean, ite, lift
from uncork.core.sorts import Nat, Ring
from uncork.core.system import Action, Guarded, Record, Updates, step, var, when


class Stores(Record):
    """The waiting stores of a thread to a place in memory: how far each moves the value, the oldest first; 0 is none.

    At most `depth` stores wait; each moves the value by less than `size`. A subclass defines `on_arrival` of a store.
    """

    def __init__(self, name: str, label: str, size: int, depth: int) -> None:
        self.label, self.size, self.depth = label, size, depth
        self.before: Sequence[Stores] = ()
        self.after: Sequence[Stores] = ()
        doc = "how far a waiting store in the thread's buffer moves this"
        super().__init__(name, **{f"wait{k}": var(Nat(size - 1), doc) for k in range(depth)})

    @property
    def waits(self) -> Sequence[Expr]:
        """The stores, the oldest first."""
        return [getattr(self, f"wait{k}") for k in range(self.depth)]

    @property
    def waiting(self) -> Expr:
        """Whether any store waits."""
        return self.waits[0] > 0 if self.depth else boolean(False)

    def enter(self, move: Expr | int) -> Updates:
        """A store enters the buffer, unless it moves nothing and so has no effect."""
        waits = self.waits
        taken = [boolean(True), *(wait > 0 for wait in waits)]
        nexts = [ite(taken[k] & ~taken[k + 1], move, wait) for k, wait in enumerate(waits)]
        lost = taken[-1] | any_of(other.waiting for other in self.after)
        nexts[-1] = ite(lost, self.size, nexts[-1])
        return self(**{f"wait{k}": each for k, each in enumerate(nexts)})

    def leave(self) -> Updates:
        """The oldest store leaves the buffer."""
        left: list[Expr | int] = [*self.waits[1:], 0]
        return self(**{f"wait{k}": each for k, each in enumerate(left)})

    @property
    def oldest(self) -> Expr:
        """Whether the thread's oldest store is a store to this place."""
        return self.waiting & ~any_of(other.waiting for other in self.before)

    def on_arrival(self, move: Expr) -> Updates:
        """What changes in memory when a store arrives there."""
        raise NotImplementedError


class Word(Stores):
    """A position in memory: the variable `field` of a record, and a thread's waiting stores to it."""

    def __init__(self, name: str, label: str, of: Record, field: str, depth: int) -> None:
        self._of, self._field = of, field
        sort = self.shown.sort
        assert isinstance(sort, Ring)
        super().__init__(name, label, sort.size, depth)

    @property
    def shown(self) -> Expr:
        """The value that other threads see."""
        word: Expr = getattr(self._of, self._field)
        return word

    @property
    def own(self) -> Expr:
        """The value that the thread sees: its own latest store, if one waits."""
        value = self.shown
        for wait in self.waits:
            value = value + wait
        return value

    def store(self, value: Expr | int) -> Updates:
        """The thread stores a value."""
        if not self.depth:
            return self._of(**{self._field: value})
        return self.enter(lift(value, self.shown.sort) - self.own)

    def on_arrival(self, move: Expr) -> Updates:
        """Other threads see the store."""
        return self._of(**{self._field: self.shown + move})


class Buffer:
    """A thread's store buffer: the places, in the order in which the thread stores to them between two drains."""

    def __init__(self, *places: Stores) -> None:
        self.places = places
        for number, place in enumerate(places):
            place.before, place.after = places[:number], places[number + 1 :]

    @property
    def drained(self) -> Expr:
        """Whether no store waits."""
        return all_of(~place.waiting for place in self.places)

    @property
    def flushes(self) -> list[Action]:
        """The steps that empty the buffer."""
        return [flush(place) for place in self.places if place.depth]


@step("store buffer of {}")
def flush(stores: Stores) -> Guarded:
    """A thread's oldest store leaves its buffer for memory, and all threads see it."""
    return when(stores.oldest, stores.leave(), stores.on_arrival(stores.waits[0])).says(
        f"{stores.label}: the store reaches memory, all see it"
    )
