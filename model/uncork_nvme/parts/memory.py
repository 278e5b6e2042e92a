"""Memory: in which order threads see one another's stores, which of them wait in store buffers, and the fences.

A step stores to a shared word by the `Word` of its thread, and asks here for the fences and locks that it waits at.
What these do is decided here, for any device. A thread is what runs the steps, and has one store buffer: if one thread
serves all SQs, its workers, backends and poster share the buffer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from uncork.core.expr import Expr, all_of, boolean
from uncork.core.system import Action

from uncork_nvme.choices import NO, YES, ChoiceError, InstanceError, MemoryChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.state.actors import Completer, Poster, Storing, Visit
from uncork_nvme.state.memory import Buffer, Queue, Stores, Word
from uncork_nvme.state.queues import CQ, SQ, Posted

_Crowd: TypeAlias = "dict[str, list[tuple[Storing | Poster, Sequence[SQ]]]]"
"""The actors of each thread, each with the SQs that it works for."""


class Memory(Part):
    """Sequential consistency, or x86-TSO with a store buffer for each thread."""

    slot = "memory"
    chosen: MemoryChoices

    def check(self) -> None:
        """Refuses several threads without locks: nothing would keep them from storing to the same word."""
        if self.lockless and self.parts.crew.several:
            raise ChoiceError("device_locks=no is of a device with one thread: set threads=one, or device_locks=yes")

    @property
    def waits(self) -> bool:
        """Whether stores wait in buffers."""
        return self.chosen.tso

    @property
    def lockless(self) -> bool:
        """Whether the device takes no locks, so that only fences, and time, empty its buffer."""
        return self.chosen.tso and self.chosen.device_locks == NO

    # -- what a step waits at ------------------------------------------------------------------------------------------
    def guest_fence(self, buffer: Buffer) -> Expr:
        """Whether the guest may go on to EventIdx, after the fence between that load and its store of an index."""
        return self._fence(self.chosen.guest_fence, buffer)

    def sq_fence(self, buffer: Buffer) -> Expr:
        """Whether a worker may read the SQ shadow tail again, after the fence that follows its store of EventIdx."""
        return self._fence(self.chosen.device_fence_sq, buffer)

    def cq_fence(self, buffer: Buffer) -> Expr:
        """Whether a thread may read the CQ shadow head, after the fence that follows its store of EventIdx."""
        return self._fence(self.chosen.device_fence_cq, buffer)

    @staticmethod
    def _fence(stands: str, buffer: Buffer) -> Expr:
        return buffer.drained if stands == YES else boolean(True)

    def may_post(self, thread: Storing) -> Expr:
        """Whether a thread's stores let it take the CQ lock to post."""
        return boolean(True) if self.lockless else thread.buffer.drained

    def may_lock(self, thread: Storing | Poster) -> Expr:
        """Whether a thread's stores let it take another lock: a locked instruction waits until none of them waits.

        By place, the lock that it takes is not free as long as any of its stores wait.
        """
        waits = isinstance(thread.buffer, Queue) and not self.lockless
        return thread.buffer.drained if waits else boolean(True)

    def drained(self, *buffers: Buffer) -> Expr:
        """Whether no store waits in some threads' buffers."""
        return all_of(buffer.drained for buffer in buffers) if self.chosen.tso else boolean(True)

    # -- the buffers ---------------------------------------------------------------------------------------------------
    def pending(self, capacity: int) -> int:
        """The number of stores of a shadow index that can wait at once.

        One if a fence follows each store. Otherwise one for each entry of the queue: a store moves the index by at
        least one, and the device does not go on past entries that it has not seen.
        """
        if not self.chosen.tso or not self.parts.guest.buffered:
            return 0
        return 1 if self.chosen.guest_fence == YES else capacity

    def join(self, cq: CQ, sqs: Sequence[SQ]) -> None:
        """Gives each thread of the device its store buffer."""
        if cq.poster and not self.chosen.tso:
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

    @property
    def _by_place(self) -> bool:
        """Whether each thread stores to each word at most once between two drains, in the order of `_joins`.

        That is known if each actor is a thread, each takes locks that guard all that it has stored, and the parts are
        those of this package.
        """
        if not self.chosen.tso:
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
        waits = self.chosen.tso
        events = waits and self.parts.guest.buffered
        pops, posts = not isinstance(thread, Completer), thread in q.posters
        arms = events and (posts or self.parts.full.arms)
        by = f"by {q.label}'s {thread.label or thread.kind}"
        thread.cqe = Posted(f"{thread.name}.cqe", f"CQE {by}", q, cq, int(waits and posts))
        thread.cq_event = Word(f"{thread.name}.cq_event", f"CQ EventIdx {by}", cq, "event", int(arms))
        thread.sq_event = Word(f"{thread.name}.sq_event", f"SQ EventIdx {by}", q, "event", int(events and pops))
        thread.buffer = Buffer(thread.cqe, thread.cq_event, thread.sq_event)

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
        event = Word(f"{name}.cq_event", f"CQ EventIdx {by}", cq, "event", 0, what="CQ EventIdx")
        entries: dict[str, Posted] = {}
        events: dict[str, Word] = {}
        used: list[Stores] = []
        for actor, of in actors:
            for q in of:
                entry = entries.setdefault(q.label, Posted(f"{name}.cqe", f"CQE of {q.label} {by}", q, cq, 0))
                words = f"{name}.sq_event", f"{q.label} EventIdx {by}"
                word = events.setdefault(q.label, Word(*words, q, "event", 0, what="SQ EventIdx", about=q.label))
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
        places = list(dict.fromkeys(used))
        buffer = Queue(f"{name}.stores", self._room(actors, places, cq), *places) if places else Buffer()
        for actor, _ in actors:
            actor.buffer = buffer

    def _room(self, actors: Sequence[tuple[Storing | Poster, Sequence[SQ]]], places: Sequence[Stores], cq: CQ) -> int:
        """How many stores of a thread can wait at once; a program with more of them is refuted (see `memory`).

        Between two locks that it takes, an actor looks at an SQ and stores CQ EventIdx, if it arms at a cork, and SQ
        EventIdx; or it posts, and stores a CQE and CQ EventIdx. Without locks the guest ends it: behind the oldest
        store that waits it sees no CQE, so it submits no more than its SQs hold, and the CQ's head and tail move by no
        more than a CQ holds, or than the SQs hold if the device does not look for room. CQ EventIdx changes with these;
        if it is written at a cork, to and fro.
        """
        if not self.lockless and not self.parts.own:
            look = int(self.parts.full.arms) + int(not self.parts.reader.never_arms)
            each = {a.worker if isinstance(a, Visit) else a: self._most(a, look) for a, _ in actors}
            return sum(each.values())
        fenced = self.chosen.device_fence_sq == YES and self.parts.reader.rereads
        room, owners = 0, dict.fromkeys(q for _, of in actors for q in of)
        posts = sum(q.capacity for q in owners)
        moves = min(cq.capacity, posts) if self.parts.admission.counts else posts
        for place in places:
            if place.what == "SQ EventIdx":
                room += 1 if fenced else place.size
            elif place.what == "CQ EventIdx":
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
        if not (self.chosen.tso and self.parts.guest.buffered):
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
