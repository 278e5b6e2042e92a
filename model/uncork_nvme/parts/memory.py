"""Memory: in which order threads see one another's stores, which of them wait in store buffers, and the fences.

A step stores to a shared word by the `Word` of its thread, and asks here for the fences and locks that it waits at.
What these do is decided here, for any device. A thread is what runs the steps, and has one store buffer: if one thread
serves all SQs, its workers, backends and poster share the buffer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from uncork.core.expr import Expr, all_of, boolean, variables
from uncork.core.system import Action, Sentence, Updates

from uncork_nvme.choices import NO, YES, Choice, ChoiceError, InstanceError, MemoryChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.state.actors import Completer, Entry, Poster, Storing, Visit
from uncork_nvme.state.memory import Buffer, Content, Queue, Sight, Stores, Unlock, Word
from uncork_nvme.state.queues import CQ, SQ, Posted

ORDERS: Mapping[str, Choice] = {
    **{"device_load_fence": YES, "sqe_store": "fenced", "sqe_load": "fenced"},
    **{"cqe_store": "release", "cqe_load": "fenced"},
}
"""The choices that are about Arm only, and the values that leave out no order."""
UNORDERED = ("plain", "whole")
"""How a CQE is stored that waits for earlier CQEs only."""
EVENTS = ("SQ EventIdx", "CQ EventIdx")
"""What stands in a line of stores besides CQEs."""
_Crowd: TypeAlias = "dict[str, list[tuple[Storing | Poster, Sequence[SQ]]]]"
"""The actors of each thread, each with the SQs that it works for."""


class Memory(Part):
    """Sequential consistency; or x86-TSO or Arm's memory, with a store buffer for each thread."""

    slot = "memory"
    chosen: MemoryChoices

    def check(self) -> None:
        """Refuses several threads without locks: nothing would keep them from storing to the same word.

        On Arm, refuses what has no bound on how many stores wait, and orders left out as queues come and go.
        """
        if self.lockless and self.parts.crew.several:
            raise ChoiceError("device_locks=no is of a device with one thread: set threads=one, or device_locks=yes")
        after, store = self.chosen.device_lock_after, self.chosen.cqe_store
        if self.overtakes and after == "nothing":
            raise ChoiceError(
                f"with cqe_store={store} and device_locks=no nothing bounds how many stores of the device wait: set "
                "device_lock_after=post or device_lock_after=take, or cqe_store=release, cqe_store=before or "
                "device_locks=yes"
            )
        if self.overtakes and after == "take":
            self.only_with("device_lock_after=take", "device_lock_after=post", {"cqe_store": "whole"})
        for name, ordered in ORDERS.items() if self.chosen.arm else ():
            if self.parts.values[name] != ordered:
                known = {"events": "none"} | ({"guest_fence": YES} if name == "sqe_store" else {})
                self.only_with(f"{name}={self.parts.values[name]}", f"{name}={ordered}", known)

    @property
    def waits(self) -> bool:
        """Whether stores wait in buffers."""
        return self.chosen.weak

    @property
    def lockless(self) -> bool:
        """Whether the device takes no locks, so that only fences, and time, empty its buffer."""
        return self.waits and self.chosen.device_locks == NO

    @property
    def overtakes(self) -> bool:
        """Whether a CQE may overtake any number of stores to EventIdx, unless the device takes a lock between them."""
        return self.chosen.arm and self.lockless and self.chosen.cqe_store in UNORDERED

    @property
    def arm(self) -> bool:
        """Whether memory is Arm's."""
        return self.chosen.arm

    @property
    def lags(self) -> bool:
        """Whether the device may read a shadow index as it was before."""
        return self.chosen.arm and self.chosen.device_load_fence == NO and self.parts.guest.buffered

    # -- what a step waits at ------------------------------------------------------------------------------------------
    def guest_fence(self, buffer: Buffer, views: Sequence[Sight]) -> Expr:
        """Whether the guest may go on to EventIdx, after the fence between that load and its store of an index."""
        return self._fence(self.chosen.guest_fence, buffer, views)

    def sq_fence(self, buffer: Buffer, views: Sequence[Sight]) -> Expr:
        """Whether a worker may read the SQ shadow tail again, after the fence that follows its store of EventIdx."""
        return self._fence(self.chosen.device_fence_sq, buffer, views)

    def cq_fence(self, buffer: Buffer, views: Sequence[Sight]) -> Expr:
        """Whether a thread may read the CQ shadow head, after the fence that follows its store of EventIdx."""
        return self._fence(self.chosen.device_fence_cq, buffer, views)

    @staticmethod
    def _fence(stands: str, buffer: Buffer, views: Sequence[Sight]) -> Expr:
        """A load that follows a fence reads what is in memory then: here both are one step, which waits for that.

        It does not wait for ever: meanwhile the other side stores no more often than the queue has entries.
        """
        passes = buffer.drained if stands == YES else boolean(True)
        for view in views if stands == YES else ():
            passes = passes & ~view.waiting
        return passes

    def may_post(self, thread: Storing) -> Expr:
        """Whether a thread's stores let it take the CQ lock to post."""
        return self._may_go_on(thread) if self.lockless else thread.buffer.drained

    def may_lock(self, thread: Storing | Poster) -> Expr:
        """Whether a thread's stores let it take another lock: a locked instruction waits until none of them waits.

        By place, the lock that it takes is not free as long as any of its stores wait. On Arm to take a lock waits for
        none of them, but that lock is not free either.
        """
        waits = isinstance(thread.buffer, Queue) and not self.lockless and not self.chosen.arm
        return thread.buffer.drained if waits else self._may_go_on(thread)

    @staticmethod
    def _may_go_on(thread: Storing | Poster) -> Expr:
        """Whether a thread has taken the lock, where it takes one of its host's: it does no more before that."""
        return thread.unlock.taken if thread.unlock else boolean(True)

    def takes(self, thread: Storing) -> list[Updates]:
        """What a thread stores as it takes a command: it hands the command on, and gives a lock back for that."""
        after = self.chosen.device_lock_after == "take"
        return [thread.unlock.enter(1)] if thread.unlock and after else []

    def drained(self, *buffers: Buffer) -> Expr:
        """Whether no store waits in some threads' buffers."""
        return all_of(buffer.drained for buffer in buffers) if self.waits else boolean(True)

    # -- what a thread has seen ----------------------------------------------------------------------------------------
    def sight(self, name: str, index: Word, *, looks: bool = True) -> Sight:
        """What the device may miss of a shadow index, if it ever `looks` at it.

        It reads the index under a lock, or by its one thread. So it misses only stores that are in memory since that
        lock was given back last; and none at a fence, or once a doorbell has carried the index. How often it reads in
        between does not matter: no load of a word misses what an earlier load of that word has seen. A poller beside
        the workers takes a lock before each run (the workqueue's), and loads the index once in it. So what it reads is
        no older than its run, which is one step here, as with the other memories.
        """
        sight = Sight(name, index.label, index.size, index.size - 1 if self.lags and looks else 0)
        return _missed(sight, index)

    def sqes(self, sq: str, label: str, index: Word, depth: int) -> tuple[Content, Sight]:
        """The SQEs of an SQ that are not in memory though their tail may be; and those that the device may miss."""
        late = Content(f"{sq}.sqes", f"SQEs of {label}", index.size, depth if self._tears("sqe_store") else 0)
        missed = self._tears("sqe_load") and self.parts.guest.buffered
        view = Sight(f"{sq}.sqe_view", f"SQEs of {label}", index.size, index.size - 1 if missed else 0)
        return late, _missed(view, late if late.depth else index)

    def cqe_view(self, size: int) -> Sight:
        """The CQEs that the guest may miss though it sees their phase."""
        return Sight("cq.cqe_view", "CQEs", size, size - 1 if self._tears("cqe_load") else 0)

    def _tears(self, choice: str) -> bool:
        """Whether the order is missing that has an entry be seen as it was written."""
        return self.chosen.arm and self.parts.values[choice] not in (ORDERS[choice], "whole")

    @property
    def misses(self) -> bool:
        """Whether the device may miss anything that is in memory."""
        return self.lags or (self._tears("sqe_load") and self.parts.guest.buffered)

    def locking(self, steps: Iterable[Action], rings: Sequence[SQ | CQ]) -> Iterator[Action]:
        """The steps. One that gives a lock back ends what the device misses of what the lock guards.

        A step gives a lock back that says so, or that waits for the lock and does not say that it keeps it.
        """
        for each in steps:
            if not self.misses:
                yield each
                continue
            waits = {str(variable.value) for variable in variables(each.guard)}
            updates, told = Updates(each.updates), each.told
            for ring in rings:
                if {variable.name for variable in ring.sight.variables} & each.reads:
                    newer = Sentence(f"{told.said}; {ring.index.label} in memory is {{}}", (*told.blanks, ring.word))
                    told = replace(told, instead=(*told.instead, (ring.sight.waiting, newer)))
                lock = f"{ring.name}.locked"
                if not self.lockless and (lock in updates or lock in waits):
                    for view in ring.views:
                        updates |= view.clears(updates.get(lock, False))
            yield replace(each, updates=updates, told=told)

    # -- the buffers ---------------------------------------------------------------------------------------------------
    def pending(self, capacity: int) -> int:
        """The number of stores of a shadow index that can wait at once.

        One if a fence follows each store. Otherwise one for each entry of the queue: a store moves the index by at
        least one, and the device does not go on past entries that it has not seen.
        """
        if not self.waits or not self.parts.guest.buffered:
            return 0
        return 1 if self.chosen.guest_fence == YES else capacity

    def join(self, cq: CQ, sqs: Sequence[SQ]) -> None:
        """Gives each thread of the device its store buffer."""
        if cq.poster and not self.waits:
            cq.poster.entries = {q.label: Posted("poster.cqe", "CQE", q, cq, 0) for q in sqs}
            cq.poster.cq_event = Word("poster.cq_event", "CQ EventIdx", cq, "event", 0)
            cq.poster.buffer = Buffer()
        if self._by_place:
            for q in sqs:
                for thread in q.threads:
                    self._joins(thread, q, cq)
        else:
            for name, actors in self._crowds(cq, sqs).items():
                self._lines_up(name, actors, cq)
        for q in sqs:
            for thread in q.threads:
                thread.sq_event.lock = self._lock(q)
                thread.cqe.lock = thread.cq_event.lock = self._lock(cq)
        for place in (*cq.poster.entries.values(), cq.poster.cq_event) if cq.poster else ():
            place.lock = self._lock(cq)

    @property
    def _by_place(self) -> bool:
        """Whether each thread stores to each word at most once between two drains, in the order of `_joins`.

        That is known if each actor is a thread, each takes locks that guard all that it has stored, and the parts are
        those of this package.
        """
        if not self.waits:
            return True
        crew, kicks, reader = self.parts.crew, self.parts.kicks, self.parts.reader
        apart = crew.several and not crew.shares and self.parts.admission.corks and not self.parts.own
        return apart and not self.lockless and not kicks.hands_over and not reader.way(taken=False).stages

    def _joins(self, thread: Storing, q: SQ, cq: CQ) -> None:
        """Gives a thread of one SQ a store buffer by place.

        A thread takes the CQ lock, which drains the buffer, before it writes a CQE; then it stores the CQE and CQ
        EventIdx, once each. After CQ EventIdx at a cork it may go on to SQ EventIdx, which it stores once before it
        takes a lock again.
        """
        waits = self.waits
        events = waits and self.parts.guest.buffered
        pops, posts = not isinstance(thread, Completer), thread in q.posters
        arms = events and (posts or self.parts.full.arms)
        by = f"by {q.label}'s {thread.label or thread.kind}"
        thread.cqe = Posted(f"{thread.name}.cqe", f"CQE {by}", q, cq, int(waits and posts))
        thread.cq_event = Word(f"{thread.name}.cq_event", f"CQ EventIdx {by}", cq, "event", int(arms))
        thread.sq_event = Word(f"{thread.name}.sq_event", f"SQ EventIdx {by}", q, "event", int(events and pops))
        rests = self._rests(thread.name, [thread.cqe] if posts else [], by, cq, 1)
        thread.buffer = Buffer(thread.cqe, thread.cq_event, thread.sq_event, *rests, fifo=not self.arm)

    def _crowds(self, cq: CQ, sqs: Sequence[SQ]) -> _Crowd:
        """The actors of each thread."""
        crowds: _Crowd = {}
        actors: list[tuple[Storing | Poster, Sequence[SQ]]] = [(thread, [q]) for q in sqs for thread in q.threads]
        for actor, of in [*actors, *([(cq.poster, sqs)] if cq.poster else [])]:
            name = actor.name if self.parts.crew.several else "device"
            crowds.setdefault(name, []).append((actor, of))
        return crowds

    def _lines_up(self, name: str, actors: Sequence[tuple[Storing | Poster, Sequence[SQ]]], cq: CQ) -> None:
        """Gives a thread, which is these actors, one line of stores to all the places that they store to."""
        buffered = self.parts.guest.buffered
        by = f"by {self._called(*actors[0])}"
        event = Word(f"{name}.cq_event", f"CQ EventIdx {by}", cq, "event", 0, what=EVENTS[1])
        entries: dict[str, Posted] = {}
        events: dict[str, Word] = {}
        used: list[Stores] = []
        unlock = Unlock(f"{name}.unlock", f"the host's lock {by}", 2, 0) if self.overtakes else None
        for actor, of in actors:
            actor.unlock = unlock
            for q in of:
                entry = entries.setdefault(q.label, Posted(f"{name}.cqe", f"CQE of {q.label} {by}", q, cq, 0))
                entry.release, entry.in_turn = self.chosen.cqe_store not in UNORDERED, True
                entry.then = unlock if self.chosen.device_lock_after == "post" else None
                words = f"{name}.sq_event", f"{q.label} EventIdx {by}"
                word = events.setdefault(q.label, Word(*words, q, "event", 0, what=EVENTS[0], about=q.label))
                posts = isinstance(actor, Poster) or actor in q.posters
                looks = not isinstance(actor, Poster | Completer)
                used += [entry] if posts else []
                used += [event] if buffered and (posts or (looks and self.parts.full.arms)) else []
                used += [word] if buffered and looks and not self.parts.reader.never_arms else []
                if not isinstance(actor, Poster):
                    actor.cqe, actor.sq_event = entry, word
            if isinstance(actor, Poster):
                actor.entries = entries
            actor.cq_event = event
        places = list(dict.fromkeys([*used, *([unlock] if unlock else [])]))
        posted = [place for place in places if isinstance(place, Posted)]
        rests = self._rests(name, posted, by, cq, cq.size if self.lockless else 1)
        room = self._room(actors, places, cq)
        buffer = Queue(f"{name}.stores", room, *places, fifo=not self.arm, besides=rests) if places else Buffer()
        for actor, _ in actors:
            actor.buffer = buffer

    def _rests(self, thread: str, posted: Sequence[Entry], by: str, cq: CQ, most: int) -> list[Content]:
        """What a thread has stored of its CQEs and is not in memory, though their phase may be; empty if nothing is so.

        Whichever arrives last of a CQE is what the guest may miss.
        """
        rests = []
        if posted and self._tears("cqe_store"):
            rests = [Content(f"{thread}.rest", f"rest of CQEs {by}", cq.size, most)]
            rests[0].left = lambda: cq.tail - cq.cursor
        for entry in posted:
            entry.rest = rests[0] if rests else None
        for last in rests or posted:
            last.sights, last.lock = (cq.cqe_view,) if cq.cqe_view.depth else (), self._lock(cq)
        return rests

    def _lock(self, ring: SQ | CQ) -> tuple[Sequence[Sight], Expr] | None:
        """What is read under a ring's lock, and whether the lock is held; None if that is nothing, or there is none."""
        return (ring.views, ring.locked) if self.misses and not self.lockless else None

    def _room(self, actors: Sequence[tuple[Storing | Poster, Sequence[SQ]]], places: Sequence[Stores], cq: CQ) -> int:
        """How many stores of a thread can wait at once; a program with more of them is refuted (see `memory`).

        Between two locks that it takes, an actor looks at an SQ and stores CQ EventIdx, if it arms at a cork, and SQ
        EventIdx; or it posts, and stores a CQE and CQ EventIdx. Without locks the guest ends it: behind the oldest
        store that waits it sees no CQE, so it submits no more than its SQs hold, and the CQ's head and tail move by no
        more than a CQ holds, or than the SQs hold if the device does not look for room. CQ EventIdx changes with these;
        if it is written at a cork, to and fro.

        On Arm CQEs may overtake EventIdx, and then the lock of the host ends it (`device_lock_after`). It has been
        given back where the thread did so three times ago. Since then the thread has posted (taken) twice, and it takes
        (posts) as often as that and as its SQs hold: the guest has no more slots. Each of these is a CQE or an SQ
        EventIdx. Besides, one SQ EventIdx is older; and CQ EventIdx follows posts, or is older.
        """
        if not self.lockless and not self.parts.own:
            look = int(self.parts.full.arms) + int(not self.parts.reader.never_arms)
            each = {a.worker if isinstance(a, Visit) else a: self._most(a, look) for a, _ in actors}
            return sum(each.values())
        fenced = self.chosen.device_fence_sq == YES and self.parts.reader.rereads
        room, owners = 0, dict.fromkeys(q for _, of in actors for q in of)
        posts = sum(q.capacity for q in owners)
        if self.overtakes and not self.parts.full.arms:
            sq_events, cq_events = (sum(place.what == what for place in places) for what in EVENTS)
            armed = 3 if self.chosen.device_lock_after == "post" else posts + 3
            return 2 + (posts + 2) + sq_events + cq_events * armed
        moves = min(cq.capacity, posts) if self.parts.admission.counts else posts
        for place in places:
            if place.what == EVENTS[0]:
                room += 1 if fenced else place.size
            elif place.what == EVENTS[1]:
                room += 3 * cq.size if self.parts.full.arms else 2 * max(cq.capacity, moves) + 1
        return room + moves

    def _called(self, actor: Storing | Poster, of: Sequence[SQ]) -> str:
        """What a thread is called, of which this is an actor."""
        if not self.parts.crew.several:
            return "the device's thread"
        if isinstance(actor, Visit | Poster):
            return actor.label or "the worker" if isinstance(actor, Visit) else "the backend"
        return f"{of[0].label}'s {actor.label or actor.kind}"

    @staticmethod
    def _most(actor: Storing | Poster, look: int) -> int:
        """The most stores of an actor between two locks that it takes: those of a look, or two of a post."""
        return 2 if isinstance(actor, Poster | Completer) else max(look, 2)

    def watched(self, steps: Iterable[Action], shared: Iterable[str]) -> Iterator[Action]:
        """The steps, none of which stores to a shared word past its thread's buffer; raises `InstanceError`.

        Events may: they wait until nothing is in the buffers concerned.
        """
        if not (self.waits and self.parts.guest.buffered):
            yield from steps
            return
        names = frozenset(shared)
        for each in steps:
            past = names & each.updates.keys()
            if past and each.family not in self.parts.life.at_rest:
                raise InstanceError(
                    f"{each.name} stores to {', '.join(sorted(past))} past the store buffer of its thread: write "
                    "w.cq_event.store(value) or the like, or leave memory at sc"
                )
            yield each


def _missed(view: Sight, place: Stores) -> Sight:
    """The view of a thread that may miss what is stored to a place, if it misses anything."""
    if view.depth:
        place.sights = (*place.sights, view)
        place.arrived = "the store reaches memory, where it may still be missed"
    return view
