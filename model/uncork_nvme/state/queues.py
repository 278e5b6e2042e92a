"""The queues: their shared words, what the guest keeps of them, and what the device knows of them."""

from __future__ import annotations

from collections.abc import Sequence

from uncork.core.expr import Expr, all_of, any_of, boolean, count, ite
from uncork.core.sorts import Array, Bool, Enum, Nat, Ring
from uncork.core.system import Declared, Record, Updates, var

from uncork_nvme.choices import NO, YES, Choices
from uncork_nvme.state.actors import Completer, Entry, Registered, Serving, Shared, Storing, Thread, Visit, Worker
from uncork_nvme.state.life import Life
from uncork_nvme.state.memory import Buffer, Word


def _event(size: int, doc: str, *, outside: bool) -> Declared:
    """EventIdx; one outside the ring is kept as the last slot (see `guest.crossed`)."""
    return var(Ring(size), doc, size - 1) if outside else var(Ring(size), doc)


def _page(life: Life, size: int) -> dict[str, Declared]:
    """The shadow word in the pages that a device goes on reading after a reset, where it does."""
    page = var(Ring(size), "the shadow word in the pages of before the reset, which nobody writes any more")
    return {"page": page} if life.keeps else {}


def _stale(choices: Choices, size: int) -> dict[str, Declared]:
    """What the shadow word of an SQ holds besides its index, where the SQ is not the first with this word."""
    stale = var(Nat(size - 1), "how far the shadow word is past the guest's index, which it has not yet written there")
    again = choices.happening["delete"] and choices.happening["create"]
    return {"stale": stale} if choices.doorbell_buffer == "on" and again and choices.words == "keep" else {}


def _line(of: int) -> dict[str, Declared]:
    """What is known of SQs that wait in line for a permit: `of` SQs at most."""
    return {
        "granted": var(Bool(), "it was handed a permit as it was kicked, and has not used it"),
        "before": var(Nat(max(of - 1, 1)), "how many SQs were corked before it and still are"),
    }


def _orphans(most: int) -> dict[str, Declared]:
    return {"orphans": var(Nat(most), "commands in flight whose SQ was deleted; each holds a permit if any does")}


class SQ(Record):
    """A submission queue: its shared words, its guest submitter, and what the device knows of it."""

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
        late = {"unfreed": var(Nat(cq_size - 1), "commands consumed whose slots wait until the device is told")}
        queue = {"queued": var(Nat(size - 1), "commands in flight that are done, and whose CQE is not posted")}
        alive = {"live": var(Bool(), "the SQ exists", live)}
        gone = events["delete"] if choices.cq_full != "queue" and choices.on_delete != "post" else 0
        cache = {"armed": var(Ring(size), "what the device remembers to have written to SQ EventIdx")}
        deferred = {"called": var(Bool(), "a kick of it has not reached its workers yet")}
        several = {"popping": var(Bool(), "a worker is in a pop, to its end: the others of this SQ wait")}
        super().__init__(
            name,
            shadow=var(Ring(size), "SQ shadow tail: the guest has published entries up to here"),
            event=_event(size, "SQ EventIdx: the guest rings when its tail moves past this", outside=self.outside),
            submitter=var(Enum(("idle", "check", "ring", "notify tail", "notify")), "what the submitter does next"),
            moved=var(Nat(size - 1), "how far the shadow tail moved and EventIdx was not looked at since"),
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
        """Whether the SQ is there to be used."""
        return self.live if self.has("live") else boolean(True)

    @property
    def word(self) -> Expr:
        """The SQ shadow tail as it stands in the guest's page."""
        return self.shadow + self.stale if self.has("stale") else self.shadow

    @property
    def seen(self) -> Expr:
        """The SQ tail as the device finds it if it looks."""
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
        """What a pop's first or last step does to the workers' turn; nothing where there is one worker."""
        return self(popping=value) if len(self.workers) > 1 else Updates()

    @property
    def registered(self) -> list[Registered]:
        """The workers that a bit tells whether they sleep, where there are such bits."""
        return [worker for worker in self.workers if isinstance(worker, Registered)]

    @property
    def pool(self) -> int | None:
        """How many commands may be taken and not posted, where each needs a request of a pool that may be empty."""
        return None if self.choices.pool == "none" else int(self.choices.pool)

    @property
    def request_free(self) -> Expr:
        """Whether there is a request to run one more command with."""
        return boolean(True) if self.pool is None else self.in_flight < self.pool

    @property
    def free_to_pop(self) -> Expr:
        """Whether no other worker of this SQ is in a pop: Propolis's queue minder serialises all of it, remit too."""
        return ~self.popping if len(self.workers) > 1 else boolean(True)

    @property
    def settled(self) -> Expr:
        """Whether no worker is in a pop of it: a notification takes the lock that a pop holds."""
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
        """Whether the device's lock of this SQ can be taken: a release is a store, seen after those before it."""
        return ~self.locked & ~any_of(worker.sq_event.waiting for worker in self.workers)

    @property
    def threads(self) -> list[Storing]:
        """Its threads in the device."""
        return [*self.workers, *(p for p in self.posters if isinstance(p, Completer))]

    @property
    def records(self) -> list[Record]:
        """This SQ's variables and its actors'."""
        return [self, *(thread for thread in self.threads if isinstance(thread, Thread))]


class CQ(Record):
    """The completion queue: its shared words, its guest consumer, and what the device knows of it."""

    def __init__(self, size: int, sqs: Sequence[SQ], life: Life, *, outside: bool = False) -> None:
        self.size, self.capacity = size, size - 1
        self.life = life
        self.outside = outside
        cached = life.choices.cq_event_cache == YES and life.events
        cache = {"armed": var(Ring(size), "what the device remembers to have written to CQ EventIdx")}
        super().__init__(
            "cq",
            shadow=var(Ring(size), "CQ shadow head: the guest has consumed entries up to here, and said so"),
            event=_event(size, "CQ EventIdx: the guest rings when its head moves past this", outside=self.outside),
            **self._entries(sqs),
            consumer=var(
                Enum(("poll", "publish", "check", "ring", "notify head", "kick")), "what the consumer does next"
            ),
            cursor=var(Ring(size), "the next CQ entry that the guest looks at"),
            moved=var(Nat(size - 1), "how far the shadow head moved and EventIdx was not looked at since"),
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
        doc = "CQ entries as the phase tag shows them to the guest: whose completion, or none that is new"
        return {"slots": var(Array(self.size, Enum(("none", *(q.label for q in sqs)))), doc)}

    def shows(self, q: SQ) -> Expr:
        """Whether the guest sees a new entry of this SQ at its cursor."""
        return self.slots[self.cursor] == q.label

    def take(self, q: SQ) -> Updates:
        """The guest takes the entry at its cursor, which is one of this SQ's."""
        return self(slots=self.slots.store(self.cursor, "none"), cursor=self.cursor + 1)

    def put(self, q: SQ) -> Updates:
        """The device writes an entry of this SQ at the tail."""
        return self(slots=self.slots.store(self.tail, q.label), tail=self.tail + 1)

    @property
    def unlocked(self) -> Expr:
        """Whether the device's lock of the CQ can be taken: a release is a store, seen after those before it."""
        return ~self.locked & ~any_of(t.cqe.waiting | t.cq_event.waiting for t in self.threads)

    @property
    def overwrites(self) -> Expr:
        """Whether the next entry would be written over one that the guest has not taken."""
        return self.slots[self.tail] != "none"

    @property
    def occupied(self) -> Expr:
        """CQ entries that the device does not know to be consumed."""
        return self.tail - self.head

    @property
    def word(self) -> Expr:
        """The CQ shadow head as it stands in the guest's page."""
        return self.shadow

    @property
    def seen(self) -> Expr:
        """The CQ head as the device finds it if it looks."""
        return _found(self, self.head)

    @property
    def freed(self) -> Expr:
        """Entries that a read of the shadow head would free."""
        return self.seen - self.head

    @property
    def told(self) -> Expr:
        """Entries that a doorbell would free, which carries the guest's index."""
        return self.shadow - self.head

    @property
    def consumed(self) -> Expr:
        """Entries consumed and not published."""
        return self.cursor - self.index.own

    @property
    def visible(self) -> Expr:
        """Whether the guest sees a new entry at its cursor."""
        return self.slots[self.cursor] != "none"


def _pending(choices: Choices, queue: SQ | CQ) -> int:
    """How many stores of a shadow index can wait at once.

    One if a fence follows each. Otherwise one for each entry of the queue: a store moves the index by one at least, and
    the device does not go on past what it has not seen.
    """
    if not choices.tso or choices.doorbell_buffer == "off":
        return 0
    return 1 if choices.guest_fence == YES else queue.capacity


def _found(ring: SQ | CQ, known: Expr) -> Expr:
    """What the device finds in a shadow word. Where it has no buffer to read, it goes by what it knows."""
    return ite(ring.life.in_use, ring.word, ring.page if ring.has("page") else known)


class _Posted(Entry):
    """An entry of one SQ in the CQ."""

    def __init__(self, name: str, label: str, q: SQ, cq: CQ, depth: int) -> None:
        self._q, self._cq = q, cq
        super().__init__(name, label, 2, depth)

    def store(self) -> Updates:
        """The thread writes it at the tail."""
        cq = self._cq
        if not self.depth:
            return cq.put(self._q)
        stored = cq(tail=cq.tail + 1)
        stored |= self.enter(1)
        return stored

    def on_arrival(self, move: Expr) -> Updates:
        """The guest sees it by its phase tag."""
        cq = self._cq
        return cq(slots=cq.slots.store(cq.tail - move, self._q.label))


def _joins(thread: Storing, q: SQ, cq: CQ) -> None:
    """Gives a thread its store buffer.

    It takes the CQ lock, which drains it, before it writes a CQE; then come the CQE and CQ EventIdx, once each.
    After CQ EventIdx at a cork it may go on to SQ EventIdx, which it writes once before it takes a lock again.
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
