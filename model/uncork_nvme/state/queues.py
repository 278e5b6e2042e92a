"""The queues: their shared words, the guest's state of each, and the device's knowledge of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from uncork.core.expr import Expr, all_of, any_of, boolean, count, ite, lift, total
from uncork.core.sorts import Array, Bool, Enum, Nat, Ring
from uncork.core.system import Declared, Record, Updates, var

from uncork_nvme.state.actors import Completer, Dealt, Entry, Registered, Serving, Shared, Storing, Thread, Turn
from uncork_nvme.state.life import Life
from uncork_nvme.state.memory import Buffer, Content, Word

if TYPE_CHECKING:  # the parts stand above what they are parts of
    from uncork_nvme.assembly import Parts
    from uncork_nvme.parts.part import Part


def _event(size: int, doc: str, *, outside: bool) -> Declared:
    """The variable EventIdx; a value outside the ring is stored as the last slot (see `guest.crossed`)."""
    return var(Ring(size), doc, size - 1 if isinstance(size, int) else -1) if outside else var(Ring(size), doc)


class SQ(Record):
    """A submission queue: its shared words, its guest submitter, and the device's knowledge of the SQ."""

    def __init__(
        self,
        number: int,
        size: int,
        cq_size: int,
        parts: Parts,
        life: Life,
        *,
        of: int = 1,
        live: bool = True,
        crew: Sequence[Shared | Dealt] = (),
    ) -> None:
        self.number, self.label = number, f"SQ{number}"
        self.size, self.capacity = size, size - 1
        self.parts, self.life = parts, life
        self.outside = parts.reader.outside
        name = f"sq{number}"

        def added(part: Part) -> dict[str, Declared]:
            return part.of_sq(size, cq_size, of)

        super().__init__(
            name,
            shadow=var(Ring(size), "SQ shadow tail: the guest has published entries up to here"),
            event=_event(size, "SQ EventIdx: the guest rings when its tail moves past this", outside=self.outside),
            submitter=var(
                Enum(("idle", "check", "ring", "notify tail", "notify", *parts.guest.submits_at)),
                "what the submitter does next",
            ),
            moved=var(Nat(size - 1), "how far the shadow tail moved since the last read of EventIdx"),
            outstanding=var(Nat(size - 1), "command slots in use"),
            **added(parts.guest),
            locked=var(Bool(), "the device's lock of this SQ is held"),
            head=var(Ring(size), "the next entry that the device takes"),
            tail=var(Ring(size), "the SQ tail as the device last saw it"),
            in_flight=var(Nat(size - 1), "commands taken and not posted; each holds a permit"),
            **added(parts.admission),
            corked=var(Bool(), "recorded as waiting for a CQ kick"),
            **added(parts.crew),
            **added(parts.kicks),
            **parts.life.alive(live=live),
            **added(parts.life),
            **added(parts.reader),
            **parts.life.pages(size, sq=True),
            **added(parts.full),
            **added(parts.post),
            **added(parts.backend),
            **added(parts.memory),
        )
        self.workers: Sequence[Serving] = self._workers(crew)
        self.posters: Sequence[Serving | Completer] = parts.admission.posters(parts.backend.posters(name, self.workers))
        pending = parts.memory.pending(self.capacity)
        self.index = Word(f"{name}.shadow_tail", f"{self.label} shadow tail", self, "shadow", pending)
        self.sqes, self.sqe_view = parts.memory.sqes(name, self.label, self.index, pending)
        self.sqes.left = lambda: self.index.own - self.head
        self.sight = parts.memory.sight(f"{name}.seen", self.index)
        self.views = (self.sight, self.sqe_view)
        self.buffer = Buffer(self.index, self.sqes, fifo=False) if self.sqes.depth else Buffer(self.index)

    def _workers(self, crew: Sequence[Shared | Dealt]) -> Sequence[Serving]:
        return self.parts.crew.workers(self.name, self.number, crew)

    @property
    def number_of_workers(self) -> int:
        """The number of workers of this SQ."""
        return len(self.workers)

    @property
    def one_worker(self) -> bool:
        """Whether there is but one worker, which waits for no other's pop."""
        return not self.has("popping")

    @property
    def exists(self) -> Expr:
        """Whether the SQ exists."""
        return self.live if self.has("live") else boolean(True)

    @property
    def served(self) -> Expr:
        """Whether the device serves the SQ; a notification of an SQ that it does not serve yet is lost."""
        return self.active if self.has("active") else boolean(True)

    @property
    def word(self) -> Expr:
        """The SQ shadow tail as it stands in the guest's page."""
        return self.shadow + self.stale if self.has("stale") else self.shadow

    @property
    def seen(self) -> Expr:
        """The SQ tail that the device reads if it looks; of an index that no queue has, one that it never reaches."""
        word = ite(self.word == 0, self.word, self.head - 1) if self.parts.buffer.swapped else self.word
        return _found(self, self.sight.value(word), self.tail)

    @property
    def pending(self) -> Expr:
        """Published entries that the device has not taken."""
        return self.shadow - self.head

    @property
    def torn(self) -> Expr:
        """Whether the device sees the SQE at its head as it was before, should it see it published."""
        if not (self.sqes.depth or self.sqe_view.depth):
            return boolean(False)
        later = self.sqes if self.sqes.depth else self.index  # the SQEs that are not in memory are the newest
        return self.index.own - self.head <= total([*later.waits, *self.sqe_view.waits])

    @property
    def asleep(self) -> Expr:
        """Whether every worker of this SQ sleeps."""
        return all_of(worker.asleep for worker in self.workers)

    @property
    def sleepers(self) -> Expr:
        """The number of workers that sleep."""
        return count(worker.asleep for worker in self.workers)

    def takes(self, tail: Expr) -> Updates:
        """The update of an SQ of which a worker reads the tail and takes the entry at the head."""
        return self(tail=tail, head=self.head + 1, in_flight=self.in_flight + 1)

    def placed(self, event: Expr) -> Expr:
        """A position that the device writes, as a value of SQ EventIdx."""
        return event

    def lines_up(self, place: Expr) -> Updates:
        """The update of an SQ that is corked behind so many others."""
        return self(corked=True, before=place)

    def moves_up(self, condition: Expr) -> Updates:
        """The update of an SQ before which another has left the line if the condition holds."""
        return self(before=ite(condition, self.before - 1, self.before))

    def leaves_line(self) -> Updates:
        """The update of an SQ that leaves the line, besides that it is corked no more."""
        return self(before=0)

    def popping_is(self, value: bool) -> Updates:
        """The update of `popping` at a pop's first or last step; empty with one worker."""
        return Updates() if self.one_worker else self(popping=value)

    @property
    def registered(self) -> list[Registered]:
        """The workers with a bit that says whether they sleep; empty unless notify=lost-bits."""
        return [worker for worker in self.workers if isinstance(worker, Registered)]

    @property
    def turns(self) -> list[Turn]:
        """The workers that are given to SQs in turn; empty unless workers are dealt."""
        return [worker for worker in self.workers if isinstance(worker, Turn)]

    @property
    def pool(self) -> int | None:
        """The number of requests in the pool, one for each command taken and not posted; None if never exhausted."""
        return self.parts.admission.pool

    @property
    def request_free(self) -> Expr:
        """Whether a request is free for one more command."""
        taken = self.in_flight + self.lost if self.has("lost") else self.in_flight
        return boolean(True) if self.pool is None else taken < self.pool

    @property
    def free_to_pop(self) -> Expr:
        """Whether no other worker of this SQ is in a pop: Propolis's queue minder serialises whole pops."""
        return boolean(True) if self.one_worker else ~self.popping

    @property
    def settled(self) -> Expr:
        """Whether no worker is in a pop of this SQ: a notification takes the lock that a pop holds."""
        return ~any_of(worker.in_pop for worker in self.workers)

    @property
    def permits(self) -> Expr:
        """Permits held for this SQ: by commands in flight, and by workers that hold one without a command."""
        taken = self.in_flight + self.orphans if self.has("orphans") else self.in_flight
        if self.has("granted"):
            taken = taken + count([self.granted])
        return taken + self.working("fetch", *self.parts.permit_at, "remit")

    @property
    def unlocked(self) -> Expr:
        """Whether the device's lock of this SQ is free: a release is a store seen after the thread's earlier stores."""
        if self.parts.memory.lockless:
            return ~self.locked
        return ~self.locked & ~any_of(worker.sq_event.waiting for worker in self.workers)

    @property
    def threads(self) -> list[Storing]:
        """The device threads of this SQ."""
        return [*self.workers, *self._completers]

    @property
    def _completers(self) -> list[Completer]:
        return [poster for poster in self.posters if isinstance(poster, Completer)]

    def working(self, *places: str) -> Expr:
        """The number of this SQ's workers at one of these positions."""
        return _standing(self.workers, places)

    def at(self, *places: str) -> Expr:
        """The number of this SQ's threads at one of these positions."""
        return total([self.working(*places), _standing(self._completers, places)])

    @property
    def records(self) -> list[Record]:
        """The records of this SQ and its actors."""
        return [self, *(thread for thread in self.threads if isinstance(thread, Thread))]


def _standing(threads: Sequence[Storing], places: Sequence[str]) -> Expr:
    """The number of threads at one of these positions."""
    return count(each.at.among(*(place for place in places if place in each.places)) for each in threads)


class CQ(Record):
    """The completion queue: its shared words, its guest consumer, and the device's knowledge of the CQ."""

    def __init__(self, size: int, sqs: Sequence[SQ], parts: Parts, life: Life, *, outside: bool = False) -> None:
        self.size, self.capacity = size, size - 1
        self.life, self.parts, self.swapped = life, parts, parts.buffer.swapped
        self.outside = outside
        super().__init__(
            "cq",
            shadow=var(Ring(size), "CQ shadow head: the guest has published that it consumed entries up to here"),
            event=_event(size, "CQ EventIdx: the guest rings when its head moves past this", outside=self.outside),
            **self._entries(sqs),
            consumer=var(
                Enum(("poll", "publish", "check", "ring", "notify head", "kick", *parts.guest.consumes_at)),
                "what the consumer does next",
            ),
            cursor=var(Ring(size), "the next CQ entry that the guest looks at"),
            moved=var(Nat(size - 1), "how far the shadow head moved since the last read of EventIdx"),
            locked=var(Bool(), "the device's lock of the CQ is held"),
            head=var(Ring(size), "the CQ head as the device last saw it"),
            tail=var(Ring(size), "the next CQ slot that the device writes"),
            available=var(Nat(size - 1), "permits that may be taken", initial=size - 1),
            **parts.post.of_cq(size),
            **parts.life.pages(size),
            **{name: each for part in parts.all if part is not parts.post for name, each in part.of_cq(size).items()},
        )
        pending = parts.memory.pending(self.capacity)
        self.index = Word("cq.shadow_head", "CQ shadow head", self, "shadow", pending)
        self.sight = parts.memory.sight("cq.seen", self.index, looks=parts.admission.counts)
        self.cqe_view = parts.memory.cqe_view(size)
        self.views = (self.sight,)
        self.buffer = Buffer(self.index)
        self.poster = parts.admission.poster()
        self.threads = [thread for q in sqs for thread in q.threads]
        parts.memory.join(self, sqs)

    def _entries(self, sqs: Sequence[SQ]) -> dict[str, Declared]:
        doc = "CQ entries as the phase tag shows them to the guest: the SQ of a new completion, or none"
        return {"slots": var(Array(self.size, Enum(("none", *(q.label for q in sqs)))), doc)}

    def unread(self, q: SQ) -> Expr:
        """The number of this SQ's CQEs that the guest has not taken."""
        return count(self.slots[lift(place, Ring(self.size))] == q.label for place in range(self.size))

    def shows(self, q: SQ) -> Expr:
        """Whether the guest sees a new entry of this SQ at its cursor."""
        return self.slots[self.cursor] == q.label

    def take(self, q: SQ) -> Updates:
        """The guest takes the entry at its cursor, a completion of this SQ."""
        return self(slots=self.slots.store(self.cursor, "none"), cursor=self.cursor + 1)

    def put(self, q: SQ) -> Updates:
        """The device writes an entry of this SQ at the tail."""
        return self(slots=self.slots.store(self.tail, q.label), tail=self.tail + 1)

    @property
    def unlocked(self) -> Expr:
        """Whether the device's lock of the CQ is free: a release is a store seen after the thread's earlier stores."""
        if self.parts.memory.lockless:
            return ~self.locked
        posting = [*self.poster.entries.values(), self.poster.cq_event] if self.poster else []
        free = ~self.locked & ~any_of(t.cqe.waiting | t.cq_event.waiting for t in self.threads)
        return free & ~any_of(place.waiting for place in [*posting, *self.rests])

    @property
    def rests(self) -> list[Content]:
        """What waits of CQEs whose phase may be in memory, of each thread that posts."""
        entries = [*(t.cqe for t in self.threads), *(self.poster.entries.values() if self.poster else ())]
        return list(dict.fromkeys(entry.rest for entry in entries if entry.rest))

    @property
    def torn(self) -> Expr:
        """Whether the guest sees the rest of the CQE at its cursor as it was before, should it see its phase."""
        if not (self.rests or self.cqe_view.depth):
            return boolean(False)
        posted = self.tail - self.cursor  # of these the newest may not be whole
        if not self.rests:
            posted = count(self.slots[lift(place, Ring(self.size))] != "none" for place in range(self.size))
        return posted <= total([*(wait for rest in self.rests for wait in rest.waits), *self.cqe_view.waits])

    @property
    def overwrites(self) -> Expr:
        """Whether the next entry would overwrite an entry that the guest has not taken."""
        return self.slots[self.tail] != "none"

    @property
    def occupied(self) -> Expr:
        """The number of CQ entries that the device does not know to be consumed."""
        return self.tail - self.head

    @property
    def word(self) -> Expr:
        """The CQ shadow head as it stands in the guest's page."""
        return self.shadow + self.stale if self.has("stale") else self.shadow

    @property
    def seen(self) -> Expr:
        """The CQ head that the device reads if it looks; with an index that no queue has the CQ never seems full."""
        word = ite(self.word == 0, self.word, self.tail) if self.swapped else self.word
        return _found(self, self.sight.value(word), self.head)

    @property
    def freed(self) -> Expr:
        """The number of entries that a read of the shadow head would free."""
        return self.seen - self.head

    @property
    def told(self) -> Expr:
        """The number of entries that a doorbell with the guest's index would free."""
        return self.shadow - self.head

    @property
    def consumed(self) -> Expr:
        """The number of entries consumed and not published."""
        return self.cursor - self.index.own

    @property
    def visible(self) -> Expr:
        """Whether the guest sees a new entry at its cursor."""
        return self.slots[self.cursor] != "none"


def _found(ring: SQ | CQ, word: Expr, known: Expr) -> Expr:
    """The value that the device reads, `word` in the guest's shadow word; without a buffer, the value that it knows."""
    elsewhere = ite(ring.life.device_uses, ring.page, known) if ring.has("page") else known
    return ite(ring.life.in_use, word, elsewhere)


class Posted(Entry):
    """An entry of one SQ in the CQ."""

    what = "CQE"

    def __init__(self, name: str, label: str, q: SQ, cq: CQ, depth: int) -> None:
        self._q, self._cq, self.about = q, cq, q.label
        super().__init__(name, label, 2, depth)

    @property
    def word(self) -> str:
        """The name of the entries of the CQ."""
        return f"{self._cq.name}.slots"

    def store(self) -> Updates:
        """The thread writes the entry at the tail."""
        cq = self._cq
        if self.at_once:
            return cq.put(self._q)
        stored = cq(tail=cq.tail + 1)
        stored |= self.enter(1)
        if self.rest:
            stored |= self.rest.enter(1)
        return stored

    def on_arrival(self, move: Expr) -> Updates:
        """The guest sees the entry by its phase tag: in a queue the first of those that wait, of whatever SQ."""
        cq = self._cq
        behind = self.queue.waiting(self.what) if self.queue else move
        return cq(slots=cq.slots.store(cq.tail - behind, self._q.label))
