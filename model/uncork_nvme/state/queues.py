"""The queues: their shared words, the guest's state of each, and the device's knowledge of each."""

from __future__ import annotations

from collections.abc import Sequence

from uncork.core.expr import Expr, all_of, any_of, boolean, count, ite, lift
from uncork.core.sorts import Array, Bool, Enum, Nat, Ring
from uncork.core.system import Declared, Record, Updates, var

from uncork_nvme.choices import NO, YES, Choices
from uncork_nvme.state.actors import Completer, Entry, Registered, Serving, Shared, Storing, Thread, Visit, Worker
from uncork_nvme.state.life import Life
from uncork_nvme.state.memory import Buffer, Word


def _event(size: int, doc: str, *, outside: bool) -> Declared:
    """The variable EventIdx; a value outside the ring is stored as the last slot (see `guest.crossed`)."""
    return var(Ring(size), doc, size - 1) if outside else var(Ring(size), doc)


def _page(life: Life, size: int) -> dict[str, Declared]:
    """The variable for the shadow word in old pages, on a device that reads them after a reset."""
    page = var(Ring(size), "the shadow word in the old pages from before the reset, which the guest no longer writes")
    return {"page": page} if life.keeps else {}


def _stale(choices: Choices, size: int) -> dict[str, Declared]:
    """The variable for an old value in the shadow word of an SQ that was created again."""
    stale = var(Nat(size - 1), "how far the old value of the shadow word is past the guest's index")
    again = choices.happening["delete"] and choices.happening["create"]
    return {"stale": stale} if choices.doorbell_buffer == "on" and again and choices.words == "keep" else {}


def _line(of: int) -> dict[str, Declared]:
    """The variables of an SQ that waits in line for a permit with at most `of` SQs."""
    return {
        "granted": var(Bool(), "a kick handed the SQ a permit, which it has not used yet"),
        "before": var(Nat(max(of - 1, 1)), "how many SQs were corked before this SQ and still are"),
    }


def _orphans(most: int) -> dict[str, Declared]:
    return {"orphans": var(Nat(most), "commands in flight whose SQ was deleted; each holds a permit if any does")}


class SQ(Record):
    """A submission queue: its shared words, its guest submitter, and the device's knowledge of the SQ."""

    def __init__(
        self,
        number: int,
        size: int,
        cq_size: int,
        life: Life,
        *,
        of: int = 1,
        live: bool = True,
        crew: Sequence[Shared] = (),
    ) -> None:
        self.number, self.label = number, f"SQ{number}"
        self.size, self.capacity = size, size - 1
        self.life, self.choices = life, life.choices
        choices, events = life.choices, life.events
        self.outside = choices.event_outside == "both" and choices.sq_arm == "never"
        name = f"sq{number}"
        late = {
            "unfreed": var(Nat(cq_size - 1), "consumed commands whose slots are not free until the publish is complete")
        }
        queue = {"queued": var(Nat(size - 1), "commands in flight that are done, and wait for their CQE")}
        alive = {"live": var(Bool(), "the SQ exists", live)}
        gone = events["delete"] if choices.cq_full != "queue" and choices.on_delete != "post" else 0
        cache = {"armed": var(Ring(size), "the value that the device remembers to have written to SQ EventIdx")}
        deferred = {"called": var(Bool(), "a kick of the SQ has not reached its workers yet")}
        several = {"popping": var(Bool(), "a worker is in a pop; the other workers of the SQ wait")}
        super().__init__(
            name,
            shadow=var(Ring(size), "SQ shadow tail: the guest has published entries up to here"),
            event=_event(size, "SQ EventIdx: the guest rings when its tail moves past this", outside=self.outside),
            submitter=var(Enum(("idle", "check", "ring", "notify tail", "notify")), "what the submitter does next"),
            moved=var(Nat(size - 1), "how far the shadow tail moved since the last read of EventIdx"),
            outstanding=var(Nat(size - 1), "command slots in use"),
            **(late if choices.early_free == NO else {}),
            locked=var(Bool(), "the device's lock of this SQ is held"),
            head=var(Ring(size), "the next entry that the device takes"),
            tail=var(Ring(size), "the SQ tail as the device last saw it"),
            in_flight=var(Nat(size - 1), "commands taken and not posted; each holds a permit"),
            **(queue if choices.cq_full == "queue" else {}),
            corked=var(Bool(), "recorded as waiting for a CQ kick"),
            **(several if choices.workers > 1 else {}),
            wakeups=var(Nat(choices.workers), "notifications that no worker has answered yet"),
            **(deferred if choices.kick_delivery == "deferred" else {}),
            **(_line(of) if choices.kick_size == "hand-over" else {}),
            **(alive if events["create"] or events["delete"] else {}),
            **(_orphans(gone * (size - 1)) if gone else {}),
            **(cache if choices.sq_event_cache == YES and events else {}),
            **_stale(choices, size),
            **_page(life, size),
        )
        own = Registered if choices.notify == "lost-bits" else Worker
        self.workers: Sequence[Serving] = (
            [Visit(worker, number) for worker in crew]
            if choices.serve == "all"
            else [own(name, k, choices.workers) for k in range(choices.workers)]
        )
        self.posters: Sequence[Serving | Completer] = (
            self.workers if choices.backend == "in-worker" else [Completer(name)]
        )
        if choices.cq_full == "queue":
            self.posters = []
        self.index = Word(f"{name}.shadow_tail", f"{self.label} shadow tail", self, "shadow", _pending(choices, self))
        self.buffer = Buffer(self.index)

    @property
    def exists(self) -> Expr:
        """Whether the SQ exists."""
        return self.live if self.has("live") else boolean(True)

    @property
    def word(self) -> Expr:
        """The SQ shadow tail as it stands in the guest's page."""
        return self.shadow + self.stale if self.has("stale") else self.shadow

    @property
    def seen(self) -> Expr:
        """The SQ tail that the device reads if it looks."""
        return _found(self, self.tail)

    @property
    def pending(self) -> Expr:
        """Published entries that the device has not taken."""
        return self.shadow - self.head

    @property
    def asleep(self) -> Expr:
        """Whether every worker of this SQ sleeps."""
        return all_of(worker.asleep for worker in self.workers)

    def popping_is(self, value: bool) -> Updates:
        """The update of `popping` at a pop's first or last step; empty with one worker."""
        return self(popping=value) if len(self.workers) > 1 else Updates()

    @property
    def registered(self) -> list[Registered]:
        """The workers with a bit that says whether they sleep; empty unless notify=lost-bits."""
        return [worker for worker in self.workers if isinstance(worker, Registered)]

    @property
    def pool(self) -> int | None:
        """The number of requests in the pool, one for each command taken and not posted; None if never exhausted."""
        return None if self.choices.pool == "none" else int(self.choices.pool)

    @property
    def request_free(self) -> Expr:
        """Whether a request is free for one more command."""
        return boolean(True) if self.pool is None else self.in_flight < self.pool

    @property
    def free_to_pop(self) -> Expr:
        """Whether no other worker of this SQ is in a pop: Propolis's queue minder serialises whole pops."""
        return ~self.popping if len(self.workers) > 1 else boolean(True)

    @property
    def settled(self) -> Expr:
        """Whether no worker is in a pop of this SQ: a notification takes the lock that a pop holds."""
        return ~any_of(worker.in_pop for worker in self.workers)

    @property
    def permits(self) -> Expr:
        """Permits held for this SQ: by commands in flight, and by workers that hold one without a command."""
        idle = ("arm", "reread") if self.choices.sq_arm == "idle" else ()
        taken = self.in_flight + self.orphans if self.has("orphans") else self.in_flight
        if self.has("granted"):
            taken = taken + count([self.granted])
        return taken + count(worker.at.among("fetch", *idle, "remit") for worker in self.workers)

    @property
    def unlocked(self) -> Expr:
        """Whether the device's lock of this SQ is free: a release is a store seen after the thread's earlier stores."""
        return ~self.locked & ~any_of(worker.sq_event.waiting for worker in self.workers)

    @property
    def threads(self) -> list[Storing]:
        """The device threads of this SQ."""
        return [*self.workers, *(p for p in self.posters if isinstance(p, Completer))]

    def at(self, *places: str) -> Expr:
        """The number of this SQ's threads at one of these positions."""
        return count(t.at.among(*(place for place in places if place in t.places)) for t in self.threads)

    @property
    def records(self) -> list[Record]:
        """The records of this SQ and its actors."""
        return [self, *(thread for thread in self.threads if isinstance(thread, Thread))]


class CQ(Record):
    """The completion queue: its shared words, its guest consumer, and the device's knowledge of the CQ."""

    def __init__(self, size: int, sqs: Sequence[SQ], life: Life, *, outside: bool = False) -> None:
        self.size, self.capacity = size, size - 1
        self.life = life
        self.outside = outside
        cached = life.choices.cq_event_cache == YES and life.events
        cache = {"armed": var(Ring(size), "the value that the device remembers to have written to CQ EventIdx")}
        super().__init__(
            "cq",
            shadow=var(Ring(size), "CQ shadow head: the guest has published that it consumed entries up to here"),
            event=_event(size, "CQ EventIdx: the guest rings when its head moves past this", outside=self.outside),
            **self._entries(sqs),
            consumer=var(
                Enum(("poll", "publish", "check", "ring", "notify head", "kick")), "what the consumer does next"
            ),
            cursor=var(Ring(size), "the next CQ entry that the guest looks at"),
            moved=var(Nat(size - 1), "how far the shadow head moved since the last read of EventIdx"),
            locked=var(Bool(), "the device's lock of the CQ is held"),
            head=var(Ring(size), "the CQ head as the device last saw it"),
            tail=var(Ring(size), "the next CQ slot that the device writes"),
            available=var(Nat(size - 1), "permits that may be taken", initial=size - 1),
            **(cache if cached else {}),
            **_page(life, size),
        )
        self.index = Word("cq.shadow_head", "CQ shadow head", self, "shadow", _pending(life.choices, self))
        self.buffer = Buffer(self.index)
        self.threads = [thread for q in sqs for thread in q.threads]
        for q in sqs:
            for thread in q.threads:
                _joins(thread, q, self)

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
        return ~self.locked & ~any_of(t.cqe.waiting | t.cq_event.waiting for t in self.threads)

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
        return self.shadow

    @property
    def seen(self) -> Expr:
        """The CQ head that the device reads if it looks."""
        return _found(self, self.head)

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


def _pending(choices: Choices, queue: SQ | CQ) -> int:
    """The number of stores of a shadow index that can wait at once.

    One if a fence follows each store. Otherwise one for each entry of the queue: a store moves the index by at least
    one, and the device does not go on past entries that it has not seen.
    """
    if not choices.tso or choices.doorbell_buffer == "off":
        return 0
    return 1 if choices.guest_fence == YES else queue.capacity


def _found(ring: SQ | CQ, known: Expr) -> Expr:
    """The value that the device reads in a shadow word; without a buffer, the value that it knows."""
    return ite(ring.life.in_use, ring.word, ring.page if ring.has("page") else known)


class _Posted(Entry):
    """An entry of one SQ in the CQ."""

    def __init__(self, name: str, label: str, q: SQ, cq: CQ, depth: int) -> None:
        self._q, self._cq = q, cq
        super().__init__(name, label, 2, depth)

    def store(self) -> Updates:
        """The thread writes the entry at the tail."""
        cq = self._cq
        if not self.depth:
            return cq.put(self._q)
        stored = cq(tail=cq.tail + 1)
        stored |= self.enter(1)
        return stored

    def on_arrival(self, move: Expr) -> Updates:
        """The guest sees the entry by its phase tag."""
        cq = self._cq
        return cq(slots=cq.slots.store(cq.tail - move, self._q.label))


def _joins(thread: Storing, q: SQ, cq: CQ) -> None:
    """Gives a thread its store buffer.

    A thread takes the CQ lock, which drains the buffer, before it writes a CQE; then it stores the CQE and CQ EventIdx,
    once each. After CQ EventIdx at a cork it may go on to SQ EventIdx, which it stores once before it takes a lock
    again.
    """
    choices = q.choices
    events = choices.tso and choices.doorbell_buffer == "on"
    pops, posts = isinstance(thread, Worker), thread in q.posters
    arms = events and (posts or choices.cork == "arm-recheck")
    by = f"by {q.label}'s {thread.label or thread.kind}"
    thread.cqe = _Posted(f"{thread.name}.cqe", f"CQE {by}", q, cq, int(choices.tso and posts))
    thread.cq_event = Word(f"{thread.name}.cq_event", f"CQ EventIdx {by}", cq, "event", int(arms))
    thread.sq_event = Word(f"{thread.name}.sq_event", f"SQ EventIdx {by}", q, "event", int(events and pops))
    thread.buffer = Buffer(thread.cqe, thread.cq_event, thread.sq_event)
