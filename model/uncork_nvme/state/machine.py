"""The state: what guest and device share, and what each keeps to itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from itertools import combinations

from uncork.core.expr import Expr, all_of, any_of, boolean, count, ite, maximum, minimum, total
from uncork.core.frozen import frozen
from uncork.core.sorts import Array, Bool, Enum, Nat, Ring
from uncork.core.system import Action, Declared, Record, Remembers, RingPicture, Updates, var

from uncork_nvme.choices import NO, YES, Choices
from uncork_nvme.policies import Policy
from uncork_nvme.state.actors import (
    IN_POP,
    Completer,
    Poster,
    Registered,
    Serving,
    Shared,
    Storing,
    Thread,
    Visit,
    Worker,
)
from uncork_nvme.state.memory import Buffer, Word


class Life(Record):
    """What may yet happen to the queues besides their use, and whether the device runs and has a doorbell buffer.

    A number for each event that was asked for: how often it may still happen. Without events there is nothing to know.
    """

    def __init__(self, choices: Choices) -> None:
        self.choices, self.events = choices, choices.happening
        left = {event: var(Nat(n), "how often this may still happen", n) for event, n in sorted(self.events.items())}
        at_first = not self.events["config"] or self.events["reset"] + self.events["restart"] > 0
        buffered = var(Bool(), "the guest has configured its doorbell buffer", at_first)
        running = var(Bool(), "the device is not paused", True)
        super().__init__(
            "life",
            **left,
            **({"buffered": buffered} if self.events["config"] or self.events["reset"] else {}),
            **({"running": running} if self.events["pause"] else {}),
        )

    @property
    def in_use(self) -> Expr:
        """Whether the guest and the device use a doorbell buffer, on a machine that has one."""
        return self.buffered if self.events["config"] or self.events["reset"] else boolean(True)

    @property
    def awake(self) -> Expr:
        """Whether the device is not paused."""
        return self.running if self.events["pause"] else boolean(True)

    @property
    def keeps(self) -> bool:
        """Whether the device goes on with the pages of before a reset."""
        return self.choices.doorbell_buffer == "on" and self.events["reset"] > 0 and self.choices.on_reset == "keep"

    @property
    def blind(self) -> Expr:
        """Whether the device has no shadow word to read."""
        return boolean(False) if self.keeps else ~self.in_use

    def seen(self, ring: SQ | CQ, known: Expr) -> Expr:
        """What the device finds in a shadow word. Where it has no buffer to read, it goes by what it knows."""
        return ite(self.in_use, ring.word, ring.page if ring.has("page") else known)


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
        self.label = f"SQ{number}"
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
        return self.life.seen(self, self.tail)

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
                thread.joins(q, self, life.choices)

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
        return self.life.seen(self, self.head)

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


@frozen
class Kick:
    """A kick of corked SQs: all of them, some chosen ones, or none (a site that does not kick)."""

    machine: Machine
    chosen: tuple[SQ, ...] | None
    """None: every corked SQ."""
    site: bool = True

    @property
    def note(self) -> str:
        """Names the choice, where there is one."""
        if not self.site or self.chosen is None:
            return ""
        return "wakes " + ("+".join(q.label for q in self.chosen) or "none")

    @property
    def hands_over(self) -> bool:
        """Whether those that it wakes are given their permits."""
        return self.site and self.machine.choices.kick_size == "hand-over"

    def possible(self, room: Expr) -> Expr:
        """Whether this kick is a right one where `room` permits are available after the step."""
        if not self.site or self.chosen is None:
            return boolean(True)
        due = minimum(room, self.machine.waiting)
        first = all_of(q.before < len(self.chosen) for q in self.chosen) if self.hands_over else boolean(True)
        return all_of(q.corked for q in self.chosen) & first & (due == len(self.chosen))

    def rest(self, room: Expr) -> Expr:
        """The permits that are available after the kick, of `room` before it."""
        return room - len(self.chosen) if self.hands_over and self.chosen else room

    def updates(self, also: SQ | None = None, joins: SQ | None = None) -> list[Updates]:
        """What changes for each SQ; `also` is one that is notified whether corked or not, `joins` one that is corked.

        Whoever is still corked moves up in the line.
        """
        changed = []
        if self.hands_over and self.chosen is not None:
            waiting = self.machine.waiting
            for q in self.machine.sqs:
                if q in self.chosen:
                    changed.append(q(granted=True, before=0))
                elif q is joins:
                    changed.append(q(corked=True, before=ite(q.corked, q.before, waiting) - len(self.chosen)))
                elif self.chosen:
                    changed.append(q(before=ite(q.corked, q.before - len(self.chosen), q.before)))
        for q in self.machine.sqs:
            kicked = self.site and (self.chosen is None or q in self.chosen)
            if kicked or q is also:
                changed.append(notified(q, boolean(True) if q is also else q.corked))
            if kicked:
                changed.append(q(corked=False))
        return changed


def notified(q: SQ, condition: Expr) -> Updates:
    """Has an SQ's workers notified where the condition holds: in this step, or in one of its own (`device.deliver`)."""
    return q(called=q.called | condition) if q.has("called") else delivered(q, condition)


def delivered(q: SQ, condition: Expr) -> Updates:
    """A notification reaches an SQ's workers where the condition holds.

    It wakes as many as the device knows entries. If it knows none: one, or all where workers are found by their bits.
    A notification that is spent wakes workers that sleep; one that is kept is answered by whoever falls asleep next.
    """
    if q.registered:
        return _by_bits(q)
    spent = q.choices.notify == "spent"
    if len(q.workers) == 1:
        return q(wakeups=ite(condition & q.asleep if spent else condition, 1, q.wakeups))
    known = q.tail - q.head
    more = ite(known == 0, len(q.workers), known) if spent else maximum(known, 1)
    most = count(worker.asleep for worker in q.workers) if spent else len(q.workers)
    return q(wakeups=ite(condition, minimum(q.wakeups + more, most), q.wakeups))


def _by_bits(q: SQ) -> Updates:
    """All the bits are taken at once, and as many workers woken as there are entries: the other bits are lost."""
    known, before, changed = q.tail - q.head, list[Expr](), Updates()
    for worker in q.registered:
        chosen = worker.idle & ((known == 0) | (count(before) < known))
        before.append(worker.idle)
        changed |= worker(idle=False, woken=worker.woken | chosen)
    return changed


def _outside(choices: Choices, policy: Policy, size: int) -> bool:
    """Whether CQ EventIdx is kept at what no index is."""
    return choices.event_outside != "none" and not policy.writes(size)


class Machine(Remembers):
    """One CQ and its SQs, under some choices and a policy."""

    def __init__(self, choices: Choices, policy: Policy, sqs: int, sq_size: int, cq_size: int) -> None:
        self.choices, self._policy, self._looked = choices, policy, 0
        self._steps: dict[str, Action] = {}
        self.life = Life(choices)
        first = sqs - max(0, choices.happening["create"] - choices.happening["delete"])
        labels = [f"SQ{number}" for number in range(sqs)]
        crew = choices.workers if choices.serve == "all" else 0
        self.crew = [Shared(number, crew, labels) for number in range(crew)]
        self.sqs = [
            SQ(number, sq_size, cq_size, self.life, of=sqs, live=number < first, crew=self.crew)
            for number in range(sqs)
        ]
        self.cq = CQ(cq_size, self.sqs, self.life, outside=_outside(choices, policy, cq_size))
        self.poster = Poster(self.cq) if choices.cq_full == "queue" else None

    def under(self, policy: Policy) -> Machine | None:
        """The same under another policy, with the steps that have nothing to do with it; None if it is not the same."""
        if self.cq.outside != _outside(self.choices, policy, self.cq.size):
            return None
        found = copy(self)
        found._policy = policy
        return found

    @property
    def policy(self) -> Policy:
        """What is written to CQ EventIdx."""
        self._looked += 1
        return self._policy

    def remembered(self, name: str, make: Callable[[], Action]) -> Action:
        """The step of a name, which is made once for all policies if it does not look at them."""
        found = self._steps.get(name)
        if found is None:
            looked = self._looked
            found = make()
            if self._looked == looked:
                self._steps[name] = found
        return found

    @property
    def count(self) -> int | Expr:
        """The number of SQs that there are."""
        return count(q.live for q in self.sqs) if self.sqs[0].has("live") else len(self.sqs)

    def batches(self, q: SQ) -> Iterable[int | Expr]:
        """How many entries one move of the SQ shadow tail may publish."""
        return range(1, min(self.choices.submit_batch, q.capacity) + 1)

    @property
    def buffered(self) -> bool:
        """Whether the doorbell buffer is on."""
        return self.choices.doorbell_buffer == "on"

    @property
    def kicks_on_doorbell(self) -> bool:
        """Whether a CQ doorbell is followed by a kick; where completions queue, it has SQs looked at (`posting`)."""
        return self.choices.kick_on_doorbell == YES and self.poster is None

    def looking(self, q: SQ) -> Expr:
        """Whether a worker of this SQ is in a pop, to its end."""
        return any_of(w.at.among(*IN_POP) for w in q.workers)

    @property
    def permit(self) -> int:
        """How many CQ slots are set aside when a command is taken."""
        return 1 if self.choices.cq_full == "permits" else 0

    @property
    def records(self) -> list[Record]:
        """All variables: the CQ's, then each SQ's."""
        places = [place for buffer in self.buffers for place in buffer.places]
        poster = [self.poster] if self.poster else []
        return [self.cq, *poster, *self.crew, *(record for q in self.sqs for record in q.records), *places, self.life]

    @property
    def buffers(self) -> list[Buffer]:
        """Each thread's store buffer."""
        posters = [self.poster.buffer] if self.poster else []
        threads = [thread.buffer for thread in self.cq.threads]
        return [*(q.buffer for q in self.sqs), self.cq.buffer, *threads, *posters]

    def fence(self, name: str, buffer: Buffer) -> Expr:
        """Whether a thread may go on to a load after a fence (the name of a choice): at once where it is left out."""
        return buffer.drained if self.choices.items()[name] == YES else boolean(True)

    def polls(self) -> list[Updates]:
        """The guest's consumer goes on: the device was told how far it is. Without early free, slots are free now."""
        freed = [q(outstanding=q.outstanding - q.unfreed, unfreed=0) for q in self.sqs if q.has("unfreed")]
        return [self.cq(consumer="poll"), *freed]

    @property
    def corked(self) -> Expr:
        """Whether any SQ is corked."""
        return any_of(q.corked for q in self.sqs)

    @property
    def waiting(self) -> Expr:
        """How many SQs are corked."""
        return count(q.corked for q in self.sqs)

    @property
    def queued(self) -> Expr:
        """Completions that wait for room in the CQ."""
        return total(q.queued for q in self.sqs)

    @property
    def held(self) -> Expr:
        """Permits held by commands in flight and by workers."""
        return total(q.permits for q in self.sqs)

    def kicks(self, site: str) -> Iterator[Kick]:
        """The kicks that may happen at a site (the name of a choice).

        One that kicks nobody if the site does not kick.
        """
        if self.choices.items()[site] != YES:
            yield Kick(self, (), site=False)
        elif self.choices.kick_size == "all":
            yield Kick(self, None)
        else:
            most = min(len(self.sqs), self.cq.capacity) if self.choices.kick_size == "hand-over" else len(self.sqs)
            for size in range(most + 1):
                for chosen in combinations(self.sqs, size):
                    yield Kick(self, chosen)

    def pictures(self) -> tuple[RingPicture, ...]:
        """The rings, with their indices."""
        marks = (("shadow", "S"), ("event", "E"), ("head", "h"), ("tail", "t"))
        sqs = [
            RingPicture(q.label, q.size, tuple((mark, f"{q.name}.{field}") for field, mark in marks)) for q in self.sqs
        ]
        cq = (*marks, ("cursor", "g"))
        return (
            RingPicture("CQ", self.cq.size, tuple((mark, f"cq.{field}") for field, mark in cq), "cq.slots"),
            *sqs,
        )
