"""Memory: in which order threads see one another's stores, which of them wait in store buffers, and the fences."""

from __future__ import annotations

from uncork.core.expr import Expr, boolean

from uncork_nvme.choices import NO, YES, ChoiceError, MemoryChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.state.actors import Storing, Worker
from uncork_nvme.state.memory import Buffer, Word
from uncork_nvme.state.queues import CQ, SQ, Posted

_UNDER_TSO = {
    "cq_full": ("permits", "ignore-in-flight"),
    "threads": ("many",),
    "cork": ("park", "arm-recheck"),
    "poll": (NO,),
    "sq_arm": ("each",),
    "sq_event": ("head",),
    "sq_reread": (YES,),
    "sq_read": ("each",),
    "serve": ("own",),
    "kick_size": ("all", "room"),
    "notify": ("kept", "spent"),
    "pool": ("none",),
    "events": ("none",),
}
"""What the order of a thread's stores (`memory.Buffer`) is known for; other values are refused with memory=tso."""


class Memory(Part):
    """Sequential consistency, or x86-TSO with a store buffer for each thread."""

    slot = "memory"
    chosen: MemoryChoices

    def check(self) -> None:
        """Refuses x86-TSO where the order of a thread's stores is not known."""
        for name, known in _UNDER_TSO.items() if self.chosen.tso else ():
            value = self.parts.values[name]
            if value not in known:
                raise ChoiceError(
                    f"memory=tso is not modelled with {name}={value}: set {name} to {' or '.join(map(str, known))}, or "
                    "leave memory at sc"
                )

    def pending(self, capacity: int) -> int:
        """The number of stores of a shadow index that can wait at once.

        One if a fence follows each store. Otherwise one for each entry of the queue: a store moves the index by at
        least one, and the device does not go on past entries that it has not seen.
        """
        if not self.chosen.tso or not self.parts.guest.buffered:
            return 0
        return 1 if self.chosen.guest_fence == YES else capacity

    def joins(self, thread: Storing, q: SQ, cq: CQ) -> None:
        """Gives a thread its store buffer.

        A thread takes the CQ lock, which drains the buffer, before it writes a CQE; then it stores the CQE and CQ
        EventIdx, once each. After CQ EventIdx at a cork it may go on to SQ EventIdx, which it stores once before it
        takes a lock again.
        """
        waits = self.chosen.tso
        events = waits and self.parts.guest.buffered
        pops, posts = isinstance(thread, Worker), thread in q.posters
        arms = events and (posts or self.parts.full.arms)
        by = f"by {q.label}'s {thread.label or thread.kind}"
        thread.cqe = Posted(f"{thread.name}.cqe", f"CQE {by}", q, cq, int(waits and posts))
        thread.cq_event = Word(f"{thread.name}.cq_event", f"CQ EventIdx {by}", cq, "event", int(arms))
        thread.sq_event = Word(f"{thread.name}.sq_event", f"SQ EventIdx {by}", q, "event", int(events and pops))
        thread.buffer = Buffer(thread.cqe, thread.cq_event, thread.sq_event)

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
