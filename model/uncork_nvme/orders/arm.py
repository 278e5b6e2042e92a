"""Arm's memory, as far as a load is never overtaken by a later store of its thread.

The rules are those of Pulte, Flur, Deacon, French, Sarkar and Sewell (Simplifying ARM concurrency: multicopy-atomic
axiomatic and operational models for Armv8, POPL 2018), with one more: a load comes before every later store of its
thread. Memory is multi-copy atomic: a store arrives there for all threads at once. So there is one line of stores, in
the order in which they arrive, and a thread's view of memory is a position in that line.

- A store waits in its thread's buffer. Stores to different words leave in any order, stores to one word in the order
  of the program. A release leaves when nothing before it waits. A store fence and a full fence wait for the buffer.
- A load takes the thread's own latest waiting store to the word. If none waits, it takes a store in the line: any that
  is not older than what the thread has seen of this word, nor than the thread's *floor*.
- The floor is the position before which a thread looks no more. An acquire raises it to the store that it reads, a load
  fence to the latest store that any load of the thread has read, a full fence to the end of the line. Reading an own
  store raises nothing. An acquire (LDAR) also waits for the thread's releases, and starts at the last of them; one that
  is `acquire-pc` (LDAPR) does not.
- A lock is taken by an acquire that reads the last release of that lock, and given back by a release. It is no fence.
- Each thread sees each store some time (Lahav, Namakonov, Oberhauser, Podkopaev and Vafeiadis, Making weak memory
  models fair, OOPSLA 2021): it is owed to the steps `leave` and `see`. Their definition asks that
  no cycle is in the program order and what reads from what, as here.

**Left out: load buffering.** On Arm a later store of the thread may overtake a load that has no influence on it. Here
it does not. So a proof does not carry over to a program in which such a store hands something back before an earlier
load of it is done, as a head that moves before the entry is read. **Left out: dependencies.** Between a load and a
store they add nothing here. Between two loads Arm keeps the order if the address of the second comes from the first;
here it does not. So a refutation says nothing of a program with such an address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from uncork.core.expr import Expr, all_of, any_of, boolean, ite, lift, maximum, number
from uncork.core.sorts import Bool, Enum, Nat, Ring
from uncork.core.system import Action, Declared, Guarded, Record, Updates, step, var, when

_NOTHING = "nothing"


class Choice(NamedTuple):
    """What an access may do: if `guard` holds, it makes the updates, and reads `value` (0 if it is no load)."""

    guard: Expr
    updates: Updates
    value: Expr = number(0)


class Line(Record):
    """Stores in a line of at most `room`, the oldest first: the word, whose store it is, the value, if it releases."""

    def __init__(self, name: str, places: Sequence[str], values: int, room: int) -> None:
        self.room = room
        fields: dict[str, Declared] = {"used": var(Nat(room), "how many stores are in the line")}
        for k in range(room):
            fields |= {
                f"what{k}": var(Enum((_NOTHING, *places)), "the word of a store in the line, and whose store it is"),
                f"to{k}": var(Ring(values), "the value that it stores"),
                f"release{k}": var(Bool(), "whether it is a release"),
            }
        super().__init__(name, **fields)

    def what(self, k: int, *places: str) -> Expr:
        """Whether the store at position k is to one of these places."""
        kind: Expr = getattr(self, f"what{k}")
        return kind.among(*places)

    def to(self, k: int) -> Expr:
        """The value of the store at position k."""
        value: Expr = getattr(self, f"to{k}")
        return value

    def release(self, k: int) -> Expr:
        """Whether the store at position k is a release."""
        released: Expr = getattr(self, f"release{k}")
        return released

    def append(self, place: str, value: Expr | int, release: Expr | bool) -> Updates:
        """A store comes to the end. In a full line `used` is out of range then."""
        nexts = self(used=self.used + 1)
        for k in range(self.room):
            here = self.used == k
            nexts |= self(
                **{
                    f"what{k}": ite(here, lift(place, getattr(self, f"what{k}").sort), getattr(self, f"what{k}")),
                    f"to{k}": ite(here, lift(value, self.to(k).sort), self.to(k)),
                    f"release{k}": ite(here, lift(release, Bool()), self.release(k)),
                }
            )
        return nexts

    def remove(self, up: Sequence[Expr]) -> Updates:
        """The line without one store: those from position k on move up if `up[k]`."""
        nexts = self(used=self.used - 1)
        ends: dict[str, Expr | str | int | bool] = {"what": _NOTHING, "to": 0, "release": False}
        for field, end in ends.items():
            old = [getattr(self, f"{field}{k}") for k in range(self.room)]
            after = [*old[1:], lift(end, old[0].sort) if old else end]
            nexts |= self(**{f"{field}{k}": ite(up[k], after[k], old[k]) for k in range(self.room)})
        return nexts


class Accesses(NamedTuple):
    """What a thread does: the words that it stores to, once for each store of its program, and those that it loads."""

    stores: Sequence[str]
    loads: Collection[str]


class Core(Record):
    """What a thread has seen: positions in the line; 0 is before all that is in it."""

    def __init__(self, name: str, accesses: Accesses, values: int, room: int) -> None:
        self.label = name
        self.words, self.loads = list(dict.fromkeys(accesses.stores)), sorted(accesses.loads)
        fields = {f"at_{word}": var(Nat(room), "how far the thread has seen this word") for word in self.loads}
        super().__init__(
            f"{name}.view",
            floor=var(Nat(room), "the position before which the thread reads nothing more"),
            read=var(Nat(room), "the position of the latest store of another thread that it has read"),
            **fields,
        )
        self.buffer = Line(f"{name}.buffer", self.words, values, len(accesses.stores))

    def at(self, word: str) -> Expr:
        """How far the thread has seen this word."""
        position: Expr = getattr(self, f"at_{word}")
        return position

    def seen(self, word: str) -> Expr:
        """The position from which on it reads this word."""
        return maximum(self.floor, self.at(word))


class Arm:
    """The memory of some threads, whose words hold 0 to `values` - 1, and 0 at first.

    `room` is how many stores are at most in the line: by default all that the programs have. A store that finds no room
    in the line, or in a buffer, puts a number out of its range. A store that every thread has seen leaves a full line
    before the next arrives.
    """

    def __init__(
        self, threads: Mapping[str, Accesses], values: int, *, locks: Collection[str] = (), room: int | None = None
    ) -> None:
        stored = [(name, word) for name, each in threads.items() for word in each.stores]
        words = sorted({word for _, word in stored} | {word for each in threads.values() for word in each.loads})
        self.words = [word for word in words if word not in locks]
        self.places = {word: [f"{name} {word}" for name in threads if (name, word) in stored] for word in words}
        self.bounded = room is not None
        room = len(stored) if room is None else room
        self.oldest = Record("memory", **{
            word: var(Ring(values), "the value before all stores in the line") for word in self.words
        })  # fmt: skip
        self.taken = Record(
            "taken", **{lock: var(Bool(), "whether a thread holds this lock") for lock in sorted(locks)}
        )
        self.line = Line("line", list(dict.fromkeys(f"{n} {word}" for n, word in stored)), values, room)
        self.cores = {name: Core(name, each, values, room) for name, each in threads.items()}

    @property
    def records(self) -> list[Record]:
        """All that the memory remembers."""
        cores = [record for core in self.cores.values() for record in (core, core.buffer)]
        return [self.oldest, self.taken, self.line, *cores]

    @property
    def settled(self) -> Expr:
        """Whether no store waits in any buffer."""
        return all_of(core.buffer.used == 0 for core in self.cores.values())

    def value(self, word: str, upto: Expr | None = None) -> Expr:
        """The value of a word after the first `upto` stores in the line: by default after all."""
        value: Expr = getattr(self.oldest, word)
        for k in range(self.line.room):
            here = self.line.what(k, *self.places[word])
            value = ite(here & (upto > k) if upto is not None else here, self.line.to(k), value)
        return value

    # -- what a thread does --------------------------------------------------------------------------------------------
    def load(self, name: str, word: str, order: str = "") -> Iterator[Choice]:
        """A load: one choice for each store that it may read; `order` is empty, `acquire` or `acquire-pc`."""
        core = self.cores[name]
        start, ready = core.floor, boolean(True)
        if order == "acquire":
            start, ready = maximum(start, self._released(name)), ~self._releasing(core)
        raised = order in ("acquire", "acquire-pc")
        if word in core.words:
            waits = any_of(core.buffer.what(k, word) for k in range(core.buffer.room))
            forwarded = getattr(self.oldest, word)
            for k in range(core.buffer.room):
                forwarded = ite(core.buffer.what(k, word), core.buffer.to(k), forwarded)
            yield Choice(ready & waits, self._read(core, start, number(0), raised=raised), forwarded)
            ready = ready & ~waits
        low = maximum(start, core.at(word))
        others = [place for place in self.places[word] if place != f"{name} {word}"]
        when_stored = number(0)
        for k in range(self.line.room):
            of_others = ite(self.line.what(k, *others), k + 1, 0) if others else number(0)
            when_stored = ite((low > k) & self.line.what(k, *self.places[word]), of_others, when_stored)
        yield Choice(ready, self._read(core, start, when_stored, raised=raised), self.value(word, low))
        if others:
            for k in range(self.line.room):
                newer = self.line.what(k, *others) & (low <= k)
                updates = self._read(core, start, number(k + 1), raised=raised) | core(**{f"at_{word}": k + 1})
                yield Choice(ready & newer, Updates(updates), self.line.to(k))

    def store(self, name: str, word: str, value: int, order: str = "") -> Iterator[Choice]:
        """A store, which waits in the thread's buffer first; `order` is empty or `release`."""
        yield Choice(boolean(True), self.cores[name].buffer.append(word, value, order == "release"))

    def fence(self, name: str, kind: str) -> Iterator[Choice]:
        """A fence: `full`, `st` or `ld`. Those of C++ and Rust are `release` (DMB ISH) and `acquire` (DMB ISHLD)."""
        core = self.cores[name]
        if kind in ("ld", "acquire"):
            yield Choice(boolean(True), core(floor=maximum(core.floor, core.read)))
        else:
            yield Choice(core.buffer.used == 0, Updates() if kind == "st" else core(floor=self.line.used))

    def lock(self, name: str, lock: str) -> Iterator[Choice]:
        """A thread takes a lock that is free."""
        core = self.cores[name]
        last = self._released(name)
        for k in range(self.line.room):
            others = [place for place in self.places[lock] if place != f"{name} {lock}"]
            last = ite(self.line.what(k, *others), maximum(last, k + 1), last) if others else last
        free = ~getattr(self.taken, lock) & ~self._releasing(core)
        yield Choice(free, Updates(self.taken(**{lock: True}) | core(floor=maximum(core.floor, last))))

    def unlock(self, name: str, lock: str) -> Iterator[Choice]:
        """A thread gives a lock back, by a release."""
        yield from self.store(name, lock, 0, "release")

    def _read(self, core: Core, start: Expr, stored: Expr, *, raised: bool) -> Updates:
        """What a thread has seen after it has read a store of another thread at this position; 0 if of its own."""
        return core(read=maximum(core.read, stored), floor=maximum(start, stored) if raised else start)

    def _releasing(self, core: Core) -> Expr:
        """Whether a release of the thread waits."""
        return any_of(core.buffer.release(k) for k in range(core.buffer.room))

    def _released(self, name: str) -> Expr:
        """The position of the thread's latest release in the line; 0 if there is none."""
        last, own = number(0), [f"{name} {word}" for word in self.cores[name].words]
        if own:
            for k in range(self.line.room):
                last = ite(self.line.what(k, *own) & self.line.release(k), k + 1, last)
        return last

    # -- what memory does ----------------------------------------------------------------------------------------------
    @property
    def steps(self) -> Iterator[Action]:
        """The steps of memory itself: stores arrive, are seen, and are forgotten when all have seen them."""
        for core in self.cores.values():
            yield from (leave(self, core, Named(word)) for word in core.words)
            yield from (see(self, core, Named(word)) for word in core.loads if self._of_others(core, word))
        if self.bounded and self.line.room:
            yield forget(self)

    def _of_others(self, core: Core, word: str) -> list[str]:
        return [place for place in self.places[word] if place != f"{core.label} {word}"]

    @property
    def stale(self) -> Expr:
        """Whether the oldest store in the line has been seen by all threads that load its word."""
        if not self.line.room:
            return boolean(False)
        seen = (
            self.line.what(0, *self.places[word])
            & all_of(core.seen(word) > 0 for core in self.cores.values() if word in core.loads)
            for word in self.places
            if self.places[word]
        )
        return any_of(seen)

    @property
    def welcome(self) -> Expr:
        """Whether a store may arrive now: if not, the line is full, and forgets a store first."""
        return ~((self.line.used == self.line.room) & self.stale) if self.bounded else boolean(True)


class Named:
    """A word, as it stands in the name of a step."""

    def __init__(self, word: str) -> None:
        self.label = f"for {word}"
        self.word = word


@step("store buffer of {}")
def leave(memory: Arm, core: Core, word: Named) -> Guarded:
    """A thread's oldest store to a word leaves its buffer for memory, where it arrives for all threads at once."""
    buffer, name = core.buffer, word.word
    here = [buffer.what(k, name) for k in range(buffer.room)]
    first = [here[k] & ~any_of(here[:k]) for k in range(buffer.room)]
    ready = any_of(each & (~buffer.release(k) if k else boolean(True)) for k, each in enumerate(first))
    value, release = buffer.to(0), buffer.release(0)
    for k in range(1, buffer.room):
        value, release = ite(first[k], buffer.to(k), value), ite(first[k], buffer.release(k), release)
    arrives = memory.line.append(f"{core.label} {name}", value, release)
    own = core(**{f"at_{name}": memory.line.used + 1}) if name in core.loads else Updates()
    freed = memory.taken(**{name: False}) if memory.taken.has(name) else Updates()
    gone = buffer.remove([any_of(first[: k + 1]) for k in range(buffer.room)])
    return when(ready & memory.welcome, gone, arrives, own, freed).says(
        f"the store {name}={{}} arrives in memory", value
    )


@step("view of {}")
def see(memory: Arm, core: Core, word: Named) -> Guarded:
    """A thread sees the next store to a word, and no longer what was there before."""
    name, line = word.word, memory.line
    newer = [line.what(k, *memory.places[name]) & (core.seen(name) <= k) for k in range(line.room)]
    position = core.at(name)
    for k in reversed(range(line.room)):
        position = ite(newer[k], k + 1, position)
    return when(any_of(newer), core(**{f"at_{name}": position})).says(
        f"no longer reads {name} as it was before the next store to it"
    )


@step("memory")
def forget(memory: Arm) -> Guarded:
    """The oldest store in the line, which all have seen, is from now on what was there before."""
    line = memory.line
    full = line.used == line.room
    values = {
        word: ite(line.what(0, *memory.places[word]), line.to(0), getattr(memory.oldest, word))
        for word in memory.words
        if memory.places[word]
    }
    back = Updates()
    for core in memory.cores.values():
        fields = ("floor", "read", *(f"at_{word}" for word in core.loads))
        old = {field: getattr(core, field) for field in fields}
        back |= core(**{field: ite(each > 0, each - 1, 0) for field, each in old.items()})
    return when(full & memory.stale, line.remove([boolean(True)] * line.room), memory.oldest(**values), back)
