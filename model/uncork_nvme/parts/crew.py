"""The crew: the workers, and what a notification does to them.

A step with several outcomes, by the value that it reads or the SQs that it wakes, is several actions. Fairness is owed
to the step (`of`), not to each outcome: a fair run may read the unlucky value every time.

Under x86-TSO, taking a lock is a locked instruction: it waits until the thread's stores are in memory. Releasing a lock
is a plain store. The model counts the lock as free when the stores to the guarded words are visible; a later release
would only mean that the lock is taken later. So after a release only stores to words that the lock does not guard may
still wait. A notification is not counted as a fence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from uncork.core.expr import Expr, any_of, boolean, count, ite, lift, maximum, minimum
from uncork.core.sorts import Bool, Nat, Ring
from uncork.core.system import Action, Declared, Guarded, Updates, step, var, when

from uncork_nvme.choices import NO, YES, Choice, ChoiceError, CrewChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.state.actors import Dealt, Registered, Serving, Shared, Turn, Visit, Worker
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ


class Kept(Part):
    """Workers of one SQ each, or of all SQs. A notification that finds none asleep is kept until one is about to sleep.

    It wakes as many workers as the device knows entries; if it knows none, one.
    """

    slot = "crew"
    chooser = "notify"
    named: ClassVar[tuple[Choice, ...]] = ("kept",)
    chosen: CrewChoices

    def check(self) -> None:
        """Refuses workers that serve every SQ, and doorbells that wake other workers, where that is not described."""
        if self.chosen.doorbell_wakes != "own":
            known: dict[str, Choice] = {"notify": "kept", "kick_delivery": "at-once", "serve": "own"}
            self.only_with(f"doorbell_wakes={self.chosen.doorbell_wakes}", "doorbell_wakes=own", known)
        if self.chosen.poll == "changed":
            seen: dict[str, Choice] = {"notify": "kept", "serve": "own", "workers": 1, "events": "none"}
            self.only_with("poll=changed", "poll=yes or poll=no", seen)
        if self.chosen.serve != "all":
            return
        for name, value, instead in (("threads", "one", "many"), ("poll", YES, NO), ("sq_read", "wake", "each")):
            if self.parts.values[name] == value:
                raise ChoiceError(f"serve=all does not go with {name}={value}: set {name}={instead}, or serve=own")
        if self.parts.life.happening:
            raise ChoiceError("serve=all is not described for queues that come and go: set events=none, or serve=own")

    @property
    def of_each(self) -> int:
        """The number of workers of each SQ, or of all workers if they serve every SQ."""
        return self.chosen.workers

    @property
    def several(self) -> bool:
        """Whether the threads of the device run concurrently."""
        return self.chosen.threads == "many"

    @property
    def polls(self) -> bool:
        """Whether workers look again and again, without a notification."""
        return self.chosen.poll == YES

    @property
    def polls_changes(self) -> bool:
        """Whether a poller looks for SQ shadow tails that have changed since it looked last."""
        return self.chosen.poll == "changed" and self.parts.guest.buffered

    @property
    def shares(self) -> bool:
        """Whether a worker serves every SQ."""
        return self.chosen.serve == "all"

    def of_sq(self, size: int, cq_size: int, sqs: int) -> dict[str, Declared]:
        """Notifications; with several workers, whether one is in a pop."""
        popping = {"popping": var(Bool(), "a worker is in a pop; the other workers of the SQ wait")}
        polled = {"polled": var(Ring(size), "the SQ shadow tail as the poller saw it last")}
        return {
            **(popping if self.chosen.workers > 1 else {}),
            **(polled if self.polls_changes else {}),
            "wakeups": var(Nat(self.chosen.workers), "notifications that no worker has answered yet"),
        }

    def shared(self, sqs: Sequence[str]) -> Sequence[Shared | Dealt]:
        """The workers that serve every SQ or are given to SQs in turn; none if each SQ has its own."""
        number = self.chosen.workers if self.chosen.serve == "all" else 0
        return [Shared(each, number, sqs, self.parts.places) for each in range(number)]

    def workers(self, name: str, number: int, shared: Sequence[Shared | Dealt]) -> Sequence[Serving]:
        """The workers of an SQ, which has this name and number."""
        if self.chosen.serve == "all":
            return [Visit(worker, number) for worker in shared if isinstance(worker, Shared)]
        return [self.worker(name, each) for each in range(self.chosen.workers)]

    def worker(self, name: str, number: int) -> Worker:
        """One worker of an SQ."""
        return Worker(name, number, self.chosen.workers, self.parts.places)

    # -- steps ---------------------------------------------------------------------------------------------------------
    def steps(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """How a worker comes to look at its SQ."""
        yield poll(m, q, w) if self.polls else wake(m, q, w)
        if self.polls_changes:
            yield poll_tail(m, q)

    def may_look(self, m: Machine, q: SQ, w: Serving) -> Expr:
        """Whether a worker may begin to look at its SQ, as far as the SQ goes."""
        free = q.free_to_pop & q.unlocked & m.parts.memory.may_lock(w)
        return (w.at == "reserve") & q.exists & q.served & free & m.life.awake

    def may_reserve(self, m: Machine, q: SQ, w: Serving) -> Expr:
        """Whether a worker may look at its SQ and at the CQ."""
        may = self.lets(q, self.may_look(m, q, w) & m.cq.unlocked)
        may = m.parts.kicks.lets(m, q, may)
        return may if self.several else may & ~m.in_look

    def lets(self, q: SQ, may: Expr) -> Expr:
        """The condition `may`, and what notifications add to it."""
        return may

    def answers(self, m: Machine, q: SQ) -> Updates:
        """A worker answers one notification."""
        return q(wakeups=q.wakeups - 1)

    def called(self, q: SQ, w: Serving) -> Expr:
        """Whether a sleeping worker was notified."""
        return q.wakeups > 0

    def notifies(self, m: Machine, q: SQ) -> list[Updates]:
        """The doorbell of an SQ notifies workers: its own, those of SQ0, or all."""
        woken = {"own": [q], "first": m.sqs[:1], "every": m.sqs}[self.chosen.doorbell_wakes]
        return [self.delivered(each, each.served if each is q else each.exists & each.served) for each in woken]

    def loses(self, q: SQ) -> Expr:
        """Whether a notification that comes now reaches no worker."""
        return boolean(False)

    def settled(self, m: Machine) -> Expr:
        """Whether an SQ may come or go, as far as the workers go."""
        return boolean(True)

    def follows(self, m: Machine, changed: SQ, *, live: bool) -> list[Updates] | None:
        """What the workers do as an SQ comes or goes; None if that is for `life` to say."""
        return None

    def delivered(self, q: SQ, condition: Expr) -> Updates:
        """A notification reaches an SQ's workers if the condition holds."""
        if q.one_worker:
            return q(wakeups=ite(condition, 1, q.wakeups))
        more = maximum(q.tail - q.head, 1)
        return q(wakeups=ite(condition, minimum(q.wakeups + more, q.number_of_workers), q.wakeups))


class Spent(Kept):
    """As Propolis: a notification that finds no worker asleep is spent.

    It waits for a look under way, and wakes as many workers as the device knows entries; if it knows none, all.
    """

    named: ClassVar[tuple[Choice, ...]] = ("spent",)

    def check(self) -> None:
        """Refuses notifications that wait for no look: they are what loses one."""
        super().check()
        self.only_with(f"notify={self.chosen.notify}", "notify=kept", {"kick_delivery": "deferred"})

    def loses(self, q: SQ) -> Expr:
        """Whether no worker is asleep."""
        return ~any_of(w.asleep for w in q.workers)

    def answers(self, m: Machine, q: SQ) -> Updates:
        """Answers one notification; of other SQs at most as many notifications stay as workers sleep."""
        answered = super().answers(m, q)
        if self.chosen.serve == "all":
            left = count(w.asleep for w in q.workers) - 1
            for other in m.sqs:
                if other is not q:
                    answered |= other(wakeups=minimum(other.wakeups, left))
        return answered

    def delivered(self, q: SQ, condition: Expr) -> Updates:
        """Wakes sleeping workers only."""
        if q.one_worker:
            return q(wakeups=ite(condition & q.asleep, 1, q.wakeups))
        known = q.tail - q.head
        more, most = ite(known == 0, q.number_of_workers, known), q.sleepers
        return q(wakeups=ite(condition, minimum(q.wakeups + more, most), q.wakeups))


class Dropped(Spent):
    """A notification that finds no worker asleep is gone, and waits for no look."""

    named = ("dropped",)

    def check(self) -> None:
        """Refuses notifications that wait for a look."""
        Kept.check(self)
        known: dict[str, Choice] = {"kick_delivery": "at-once", "serve": "own", "events": "none"}
        self.only_with("notify=dropped", "notify=kept", known)


class LostBits(Spent):
    """Each worker sets a bit as it falls asleep. A notification takes all bits, and loses those that it does not use.

    A worker that looks while another's bit is set is turned away.
    """

    named = ("lost-bits",)

    def check(self) -> None:
        """Refuses one worker, and workers that do not sleep at an SQ of their own."""
        super().check()
        if self.chosen.workers == 1:
            raise ChoiceError("notify=lost-bits is about which of several workers is woken: set workers=2, or more")
        self.only_with("notify=lost-bits", "notify=spent", {"serve": "own", "poll": NO, "events": "none"})

    def worker(self, name: str, number: int) -> Worker:
        """A worker with a bit."""
        return Registered(name, number, self.chosen.workers, self.parts.places)

    def steps(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """A worker is woken, and may be turned away."""
        yield from super().steps(m, q, w)
        yield turn_away(m, q, w)

    def lets(self, q: SQ, may: Expr) -> Expr:
        """No other worker's bit is set."""
        return may & ~_turned_away(q)

    def answers(self, m: Machine, q: SQ) -> Updates:
        """The worker's own `woken` is all there is."""
        return Updates()

    def called(self, q: SQ, w: Serving) -> Expr:
        """Whether this worker was woken."""
        assert isinstance(w, Registered)
        return w.woken

    def delivered(self, q: SQ, condition: Expr) -> Updates:
        """Takes all bits at once, and wakes as many workers as there are entries; the other bits are lost."""
        known, before, changed = q.tail - q.head, list[Expr](), Updates()
        for worker in q.registered:
            chosen = worker.idle & ((known == 0) | (count(before) < known))
            before.append(worker.idle)
            changed |= worker(idle=False, woken=worker.woken | chosen)
        return changed


class GivenAnew(Spent):
    """As Propolis's static strategy: all workers are dealt to the SQs that exist, anew whenever one comes or goes.

    A notification takes the bits at its SQ, one after another, until it has woken as many sleeping workers as the
    device knows entries, or all.
    """

    named = ("dealt", "stale-bits")

    def check(self) -> None:
        """Refuses what is not described together with workers that are given another SQ."""
        super().check()
        known: dict[str, Choice] = {"serve": "own", "poll": NO, "threads": "many", "sq_read": "each", "memory": "sc"}
        self.only_with(f"notify={self.chosen.notify}", "notify=spent", known | {"activation": "at-once"})
        if self.parts.life.happening["recreate"]:
            raise ChoiceError(
                f"notify={self.chosen.notify} is not described with events=recreate: leave it out, or set notify=spent"
            )

    def shared(self, sqs: Sequence[str]) -> Sequence[Shared | Dealt]:
        """All workers; at first each sleeps at the SQ that it is given to."""
        number = self.chosen.workers
        if number < len(sqs):
            raise ChoiceError(
                f"notify={self.chosen.notify} gives each of {len(sqs)} SQs a worker, and there are {number}: set "
                f"workers={len(sqs)}, or more"
            )
        first = sqs[: self.parts.life.first(len(sqs))]
        given = [first[k % len(first)] if k < _even(number, len(first)) else "none" for k in range(number)]
        return [Dealt(k, sqs, sq, self.parts.places) for k, sq in enumerate(given)]

    def workers(self, name: str, number: int, shared: Sequence[Shared | Dealt]) -> Sequence[Serving]:
        """All workers, each from the view of the SQ."""
        return [Turn(worker, number) for worker in shared if isinstance(worker, Dealt)]

    def called(self, q: SQ, w: Serving) -> Expr:
        """Whether this worker was woken, and is given to this SQ."""
        assert isinstance(w, Turn)
        return w.called

    def answers(self, m: Machine, q: SQ) -> Updates:
        """The worker's own `woken` is all there is."""
        return Updates()

    def loses(self, q: SQ) -> Expr:
        """Whether no worker with a bit here is asleep."""
        return ~any_of(w.idle & w.asleep for w in q.turns)

    def delivered(self, q: SQ, condition: Expr) -> Updates:
        """Takes bits and wakes those workers, whichever SQ they are given to now."""
        known, before, changed = q.tail - q.head, list[Expr](), Updates()
        for worker in q.turns:
            changed |= worker.counted(condition & worker.idle & ((known == 0) | (count(before) < known)))
            before.append(worker.idle & worker.asleep)
        return changed

    def settled(self, m: Machine) -> Expr:
        """Whether no worker is in a pop: a worker is given another SQ under a lock that it holds through its pop."""
        return ~m.in_look

    def follows(self, m: Machine, changed: SQ, *, live: bool) -> list[Updates]:
        """Every worker is given the SQ that is its turn now, and is woken if it sleeps."""
        exist = [boolean(live) if q is changed else q.exists for q in m.sqs]
        clears, updates = self.chosen.notify == "dealt", list[Updates]()
        for worker in m.crew:
            assert isinstance(worker, Dealt) and worker.number is not None
            given = lift("none", worker.given.sort)
            for place, q in enumerate(m.sqs):
                turns = [
                    (count(exist) == some) & (count(exist[:place]) == worker.number % some)
                    for some in range(1, len(m.sqs) + 1)
                    if worker.number < _even(self.chosen.workers, some)
                ]
                given = ite(exist[place] & any_of(turns), q.label, given)
            gone = m.sqs if clears else [changed]
            bits = {f"idle{q.number}": False for q in gone}
            updates.append(worker(given=given, woken=worker.woken | (worker.at == "asleep"), **bits))
        return updates


def _even(workers: int, sqs: int) -> int:
    """How many of the workers are dealt to so many SQs: every SQ gets the same number."""
    return workers // sqs * sqs if sqs else 0


@step("worker {}")
def wake(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Answers a notification, and goes to look at its SQ."""
    crew = m.parts.crew
    reads = m.parts.reader.wakes(q)
    return when(w.asleep & crew.called(q, w) & q.served & m.life.awake, w.wakes(), crew.answers(m, q), reads).says(
        "wakes up"
    )


def _turned_away(q: SQ) -> Expr:
    return any_of(w.idle for w in q.registered)


@step("worker {}", of="reserve")
def turn_away(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Finds the bit of another worker set, treats its SQ as empty, sets its own bit and sleeps."""
    here = m.parts.crew.may_look(m, q, w) & _turned_away(q)
    return when(here, w.leaves()).says("finds another's bit set: does not look, sleeps")


@step("worker {}")
def poll(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Looks at its SQ, whether or not it was notified and the SQ is corked."""
    looks = [w.wakes(), q(wakeups=0, corked=False), m.parts.reader.wakes(q)]
    return when(w.asleep & m.life.awake, *looks).says("polls")


@step("poller {}")
def poll_tail(m: Machine, q: SQ) -> Guarded:
    """Reads the SQ shadow tail, and notifies the worker if it is not the one seen last and there are entries."""
    changed = q.exists & q.served & m.life.awake & (q.seen != q.polled)
    more = q.seen != q.head
    told = when(changed, q(polled=q.seen), m.parts.crew.delivered(q, more)).says(
        f"sees SQ tail[ {{}}], before {{}}: notifies the worker of {q.label}", q.seen, q.polled
    )
    return told.but_where(~more, "sees SQ tail[ {}], before {}: all is taken", q.seen, q.polled)


@step("doorbell handler {}")
def notify(m: Machine, q: SQ) -> Guarded:
    """Notifies the SQ's workers."""
    told, crew = f"notifies the worker of {q.label}", m.parts.crew
    if not q.has("called"):
        told = {"own": told, "first": f"notifies the worker of {m.sqs[0].label}", "every": "notifies every worker"}[
            crew.chosen.doorbell_wakes
        ]
        notifies = when(q.submitter == "notify", q(submitter="idle"), *crew.notifies(m, q)).says(told)
        notifies = notifies.but_where(~q.served, told + ", which does not serve it yet: lost")
        return notifies.but_where(crew.loses(q), told + ", which runs: dropped")
    awake = m.life.awake  # a notification during a pause is delivered at the resume
    reaches = [crew.delivered(q, awake & q.served), *([q(called=q.called | ~awake)] if m.life.events["pause"] else [])]
    notifies = when((q.submitter == "notify") & (q.settled | ~awake), q(submitter="idle"), *reaches).says(told)
    notifies = notifies.but_where(awake & ~q.served, told + ", which does not serve it yet: lost")
    return notifies.but_where(awake & crew.loses(q), told + ", which runs: spent")


@step("doorbell handler {}")
def deliver(m: Machine, q: SQ) -> Guarded:
    """A kick reaches the SQ's workers, once no look at the SQ is under way."""
    told, crew = f"the kick reaches {q.label}'s worker", m.parts.crew
    reaches = crew.delivered(q, q.served)
    delivers = when(q.called & q.settled & m.life.awake, q(called=False), reaches).says(told)
    return delivers.but_where(crew.loses(q), told + ", which runs: spent")
