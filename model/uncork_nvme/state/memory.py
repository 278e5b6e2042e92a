"""Memory: sequentially consistent, x86-TSO, or Arm's. In the last two a store waits in its thread's buffer at first.

The x86-TSO model is by Sewell, Sarkar, Owens, Zappa Nardelli and Myreen (x86-TSO: a rigorous and usable programmer's
model for x86 multiprocessors, CACM 53(7), 2010). Each thread has a FIFO buffer. A store enters the buffer, and some
time later leaves for memory, where all threads see it at once. A load takes the thread's own latest waiting store to
that word, or the value in memory if none waits. A fence and a locked instruction wait until the thread's buffer is
empty.

There are two spellings of a buffer. A `Queue` keeps the stores of all places in one line, as the paper has it: it is
the buffer of any program. A `Buffer` keeps the stores to each place in their order, and the places in the order in
which the thread's program stores to them between two drains; this is the FIFO as long as the program keeps to that
order. Either has room for a number of stores. A program that does not keep to the order, or has more stores waiting,
puts a number out of its range, which refutes the property `indices and counters in range`.

Two threads that store to the same word do so under a lock (see `device`). A buffer of no stores is sequential
consistency.

Arm's memory is that of `orders.arm`, for the programs that machines are. Stores to different words leave a buffer in
any order, and a release after all that the thread stored before. A store is in memory for all threads at once. What is
left is a load that reads what a word was before. If an acquire or a load fence stands behind each load, no load comes
before an earlier load of its thread, and none needs to read an old value: the thread may as well have read it when it
was new. Otherwise a `Sight` has the stores that a thread may still miss. A thread that takes a lock again and again,
which no other thread takes, waits each time until it has given it back the time before, and so for all that it stored
before that: an `Unlock` is where it gives the lock back. Each store arrives, and is seen, some time (Lahav and others,
Making weak memory models fair, OOPSLA 2021): that is owed to the steps `flush` and `see`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from uncork.core.expr import Expr, all_of, any_of, boolean, count, ite, lift, maximum, minimum, total
from uncork.core.sorts import Bool, Enum, Nat, Ring
from uncork.core.system import Action, Declared, Guarded, Record, Updates, step, var, when


class Stores(Record):
    """The waiting stores of a thread to a place in memory: how far each moves the value, the oldest first; 0 is none.

    At most `depth` stores wait; each moves the value by less than `size`. If the place is in a `Queue`, its stores wait
    there, and `depth` is 0. A subclass defines `on_arrival` of a store.
    """

    what = ""
    """What it is a store to, in a queue; with `about`, the SQ whose store it is, this identifies the place."""
    about = ""
    release = False
    """Whether a store waits for all that its thread stored before."""
    in_turn = False
    """Whether a store waits for earlier stores to the places with the same `what`."""
    sights: Sequence[Sight] = ()
    """Who may still miss a store that has arrived."""
    then: Unlock | None = None
    """A lock that the thread takes and gives back behind each store; in a queue only."""
    lock: tuple[Sequence[Sight], Expr] | None = None
    """What is read under the lock that is given back behind these stores, and whether the lock is held."""
    arrived = "the store reaches memory, all see it"
    """What is told of a store that arrives."""

    def __init__(self, name: str, label: str, size: int, depth: int) -> None:
        self.label, self.size, self.depth = label, size, depth
        self.before: Sequence[Stores] = ()
        self.after: Sequence[Stores] = ()
        self.queue: Queue | None = None
        doc = "how far a waiting store in the thread's buffer moves this"
        super().__init__(name, **{f"wait{k}": var(Nat(size - 1), doc) for k in range(depth)})

    @property
    def word(self) -> str:
        """The name of the variable that says what is in memory there."""
        raise NotImplementedError

    @property
    def waits(self) -> Sequence[Expr]:
        """The stores, the oldest first; in a queue there may be 0 between them."""
        if self.queue:
            return self.queue.stores(self)
        return [getattr(self, f"wait{k}") for k in range(self.depth)]

    @property
    def at_once(self) -> bool:
        """Whether no store ever waits."""
        return not self.depth and not self.queue

    @property
    def waiting(self) -> Expr:
        """Whether any store waits."""
        if self.queue:
            return any_of(self.queue.holds(self))
        return self.waits[0] > 0 if self.depth else boolean(False)

    def enter(self, move: Expr | int) -> Updates:
        """A store enters the buffer, unless it moves nothing and so has no effect."""
        if self.queue:
            return self.queue.enter(self, move)
        if not self.depth:
            return Updates()
        waits = self.waits
        taken = [boolean(True), *(wait > 0 for wait in waits)]
        nexts = [ite(taken[k] & ~taken[k + 1], move, wait) for k, wait in enumerate(waits)]
        lost = taken[-1] | any_of(other.waiting for other in self.after)
        nexts[-1] = ite(lost, self.size, nexts[-1])
        return self(**{f"wait{k}": each for k, each in enumerate(nexts)})

    def leave(self) -> Updates:
        """The oldest store leaves the buffer."""
        if self.queue:
            return self.queue.leave(self)
        left: list[Expr | int] = [*self.waits[1:], 0]
        return self(**{f"wait{k}": each for k, each in enumerate(left)})

    @property
    def oldest(self) -> Expr:
        """Whether a store to this place may leave: in a FIFO buffer, whether the thread's oldest store is one."""
        if self.queue:
            return any_of(self.queue.nexts(self))
        return self.waiting & ~any_of(other.waiting for other in self.before)

    @property
    def move(self) -> Expr:
        """How far the store that may leave moves the value."""
        return self.queue.move(self) if self.queue else self.waits[0]

    @property
    def missed(self) -> Expr:
        """How much of the store that may leave others may miss once it has arrived."""
        return self.move

    def arrives(self) -> list[Updates]:
        """What changes besides as the store that may leave arrives: who may miss it, and who misses less.

        A lock that was given back behind the store is free no sooner, so who takes it sees what is in memory. If the
        lock is still held, that is for the step that gives it back.
        """
        sights, held = self.lock or ((), boolean(False))
        return [*(sight.enter(self.missed) for sight in self.sights), *(sight.clears(held) for sight in sights)]

    def on_arrival(self, move: Expr) -> Updates:
        """What changes in memory when a store arrives there."""
        raise NotImplementedError


class Word(Stores):
    """A position in memory: the variable `field` of a record, and a thread's waiting stores to it."""

    def __init__(
        self, name: str, label: str, of: Record, field: str, depth: int, *, what: str = "", about: str = ""
    ) -> None:
        self._of, self._field, self.what, self.about = of, field, what, about
        sort = self.shown.sort
        assert isinstance(sort, Ring)
        super().__init__(name, label, sort.size, depth)

    @property
    def word(self) -> str:
        """The name of the variable that other threads read."""
        return str(self.shown.value)

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
        if self.at_once:
            return self._of(**{self._field: value})
        return self.enter(lift(value, self.shown.sort) - self.own)

    def on_arrival(self, move: Expr) -> Updates:
        """Other threads see the store."""
        return self._of(**{self._field: self.shown + move})


class Content(Stores):
    """Entries that a thread has stored and that are not in memory, though the word that tells of them may be.

    How far a store moves is how many entries it is; `left` is how many entries the other side has not taken.
    """

    left: Callable[[], Expr]
    arrived = "they are in memory as they were written"

    @property
    def missed(self) -> Expr:
        """The entries but for those that are taken already: of what waits, the oldest."""
        taken = maximum(total(self.waits) - self.left(), 0)
        return self.move - minimum(self.move, taken)

    def on_arrival(self, move: Expr) -> Updates:
        """No value of the machine says what an entry holds."""
        return Updates()


class Unlock(Stores):
    """A lock is given back that nobody else takes: all that the thread stored before is in memory sooner.

    To take the lock waits until it has been given back. So behind a step that takes it no more than one such store
    waits, besides the one of that step.
    """

    what = "lock"
    release = True
    arrived = "it is given back, and all that was stored before is in memory"

    @property
    def word(self) -> str:
        """No variable of the machine says who has the lock."""
        return ""

    @property
    def taken(self) -> Expr:
        """Whether the thread has taken the lock, where it did so last: the time before it has been given back."""
        assert self.queue is not None
        return self.queue.waiting(self.what) <= 1

    def on_arrival(self, move: Expr) -> Updates:
        """Nobody waits for it."""
        return Updates()


class Sight(Stores):
    """The stores to a place that are in memory, and that another thread's next load may still miss, the oldest first.

    Without such stores (`depth` 0) every load reads what is in memory.
    """

    def clears(self, keeps: Expr | bool = False) -> Updates:
        """The next load misses none of the stores, unless the thread `keeps` on."""
        return self(**{f"wait{k}": ite(lift(keeps, Bool()), wait, 0) for k, wait in enumerate(self.waits)})

    def value(self, shown: Expr) -> Expr:
        """What the next load reads, where `shown` is in memory."""
        for wait in self.waits:
            shown = shown - wait
        return shown

    @property
    def steps(self) -> list[Action]:
        """The steps by which the thread comes to see what is in memory."""
        return [see(self)] if self.depth else []


class Buffer:
    """A thread's store buffer: the places, in the order in which the thread stores to them between two drains.

    If it is not `fifo`, stores to different places leave it in any order.
    """

    def __init__(self, *places: Stores, fifo: bool = True) -> None:
        self.places, self.fifo = places, fifo
        for number, place in enumerate(places if fifo else ()):
            place.before, place.after = places[:number], places[number + 1 :]

    @property
    def records(self) -> Sequence[Record]:
        """The records of the waiting stores."""
        return self.places

    @property
    def drained(self) -> Expr:
        """Whether no store waits."""
        return all_of(~place.waiting for place in self.places)

    @property
    def flushes(self) -> list[Action]:
        """The steps that empty the buffer."""
        return [flush(place) for place in self.places if not place.at_once]


class Queue(Buffer):
    """A thread's store buffer as a line of at most `room` stores, the oldest first, to any places in any order.

    A place is told by its `what` and `about`: of no two places are both the same. If the line is not `fifo`, a store
    leaves once no earlier store to its place waits; a `release`, once no earlier store waits. What waits `besides` is
    in no order with the line.
    """

    def __init__(
        self, name: str, room: int, *places: Stores, fifo: bool = True, besides: Sequence[Stores] = ()
    ) -> None:
        self.places, self.room, self.fifo, self.besides = (*places, *besides), room, fifo, besides
        self._most = max(place.size for place in places)
        kinds = Enum(("nothing", *dict.fromkeys(place.what for place in places)))
        whose = Enum(("none", *dict.fromkeys(place.about for place in places if place.about)))
        docs = ("what a waiting store in the thread's buffer is to", "whose that is", "how far the store moves it")
        fields: dict[str, Declared] = {}
        for k in range(room):
            fields |= {f"what{k}": var(kinds, docs[0])}
            fields |= {f"about{k}": var(whose, docs[1])} if len(whose.names) > 2 else {}
            fields |= {f"by{k}": var(Nat(self._most - 1), docs[2])}
        self.line = Record(name, **fields)
        for place in places:
            place.queue = self

    @property
    def records(self) -> Sequence[Record]:
        """The record of the line, and those of what waits besides."""
        return [self.line, *self.besides]

    @property
    def drained(self) -> Expr:
        """Whether no store waits."""
        drained = self._free(0)
        for place in self.besides:
            drained = drained & ~place.waiting
        return drained

    def _free(self, k: int) -> Expr:
        found: Expr = getattr(self.line, f"what{k}") == "nothing"
        return found

    def _whose(self, k: int, place: Stores) -> Expr:
        named = self.line.has(f"about{k}") and place.about
        return getattr(self.line, f"about{k}") == place.about if named else boolean(True)

    def holds(self, place: Stores) -> list[Expr]:
        """For each position in the line, whether a store to this place waits there."""
        return [(getattr(self.line, f"what{k}") == place.what) & self._whose(k, place) for k in range(self.room)]

    def stores(self, place: Stores) -> list[Expr]:
        """For each position in the line, how far a store there moves this place: 0 if it is a store to another."""
        return [ite(here, getattr(self.line, f"by{k}"), 0) for k, here in enumerate(self.holds(place))]

    def nexts(self, place: Stores) -> list[Expr]:
        """For the positions in the line from the first on, whether the store there is to this place and may leave."""
        here = self.holds(place)
        if self.fifo or place.release:
            first = here[0]
            for rest in self.besides:  # of the entries in line, or of an earlier one, for which this one waits
                behind = self.waiting(place.what)  # behind a lock that is given back each entry is followed by another
                first = first & (
                    total(rest.waits) < behind if isinstance(place, Unlock) else total(rest.waits) <= behind
                )
            return [first]
        alike = [getattr(self.line, f"what{k}") == place.what for k in range(self.room)] if place.in_turn else here
        return [each & ~any_of(alike[:k]) for k, each in enumerate(here)]

    def move(self, place: Stores) -> Expr:
        """How far the store to this place that may leave moves it."""
        first, *others = self.nexts(place)
        move = ite(first, self.line.by0, 0)
        for k, other in enumerate(others, 1):
            move = ite(other, getattr(self.line, f"by{k}"), move)
        return move

    def waiting(self, what: str) -> Expr:
        """The number of stores of a kind that wait."""
        return count(getattr(self.line, f"what{k}") == what for k in range(self.room))

    def enter(self, place: Stores, move: Expr | int) -> Updates:
        """A store enters at the end of the line, unless it moves nothing; in a full line it is out of range.

        If a lock is taken and given back behind it, that enters with it, and the store must move something.
        """
        moves, last, nexts = lift(move, Nat(self._most)) > 0, self.room - 1, Updates()
        entering = [(place, move), *([(place.then, 1)] if place.then else [])]
        for k in range(self.room):
            for field in ("what", "about", "by"):
                if not self.line.has(f"{field}{k}"):
                    continue
                old = value = getattr(self.line, f"{field}{k}")
                for behind, (store, far) in enumerate(entering[: k + 1]):
                    at = k - behind
                    here = moves & self._free(at) & (~self._free(at - 1) if at else boolean(True))
                    new = {"what": store.what, "about": store.about or "none", "by": far}[field]
                    value = ite(here, lift(new, old.sort), value)
                nexts |= self.line(**{f"{field}{k}": value})
        end = nexts[f"{self.line.name}.by{last}"]
        needed = len(entering) - 1
        full = ~self._free(last - needed) if needed <= last else boolean(True)
        nexts |= self.line(**{f"by{last}": ite(moves & full, self._most, end)})
        return nexts

    def leave(self, place: Stores) -> Updates:
        """The store to this place that may leave does, and those behind it move up."""
        nexts: dict[str, Expr | int | str] = {}
        first = self.nexts(place)
        for field, last in (("what", "nothing"), ("about", "none"), ("by", 0)):
            old = [getattr(self.line, f"{field}{k}") for k in range(self.room) if self.line.has(f"{field}{k}")]
            moved = {f"{field}{k}": each for k, each in enumerate([*old[1:], last]) if old}
            if len(first) > 1:  # it may stand anywhere
                moved = {
                    f"{field}{k}": ite(any_of(first[: k + 1]), lift(moved[f"{field}{k}"], each.sort), each)
                    for k, each in enumerate(old)
                }
            nexts |= moved
        return self.line(**nexts)


@step("store buffer of {}")
def flush(stores: Stores) -> Guarded:
    """A thread's oldest store leaves its buffer for memory, and all threads see it."""
    return when(stores.oldest, stores.leave(), stores.on_arrival(stores.move), *stores.arrives()).says(
        f"{stores.label}: {stores.arrived}"
    )


@step("view of {}")
def see(sight: Sight) -> Guarded:
    """A thread no longer reads a place as it was before the oldest store that it may still miss."""
    return when(sight.waiting, sight.leave()).says(f"{sight.label}: no longer read as before the next store")
