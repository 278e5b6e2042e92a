"""Who acts in the device: workers, backends and the poster, each with its stores to shared words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from uncork.core.expr import Expr, ite, lift
from uncork.core.sorts import Bool, Enum, Range
from uncork.core.system import Declared, Record, Updates, var

from uncork_nvme.state.memory import Buffer, Stores, Word

IN_POST = ("post read", "post arm")
"""Where an actor stands while it posts and holds the CQ lock."""


class Entry(Stores):
    """The CQE that a device thread has written and the guest cannot see yet; the CQ lock holds the tail behind it."""

    def store(self) -> Updates:
        """The thread writes an entry of its SQ at the tail."""
        raise NotImplementedError


class Storing:
    """What stores to shared words: a thread of the device."""

    kind = "worker"
    name: str
    label = ""
    number: int | None = None
    """Which of several workers."""
    cqe: Entry
    cq_event: Word
    sq_event: Word
    buffer: Buffer


class Thread(Storing, Record):
    """A thread of the device, and its stores to shared words."""


IN_POP = ("cork arm", "cork recheck", "fetch", "arm", "reread", "remit")
"""Where a worker stands in a pop, after its first step and to its end."""

PLACES = ("asleep", "reserve", *IN_POP, "run", *IN_POST)
"""Where a worker may stand."""


class Worker(Thread):
    """A device worker of one SQ. With the in-worker backend it also runs the command it took, and posts."""

    after = "sleeps"
    """What it does when it has nothing more to do for its SQ."""

    def __init__(self, sq: str, number: int, of: int, **more: Declared) -> None:
        self.number = number if of > 1 else None
        self.label = f"worker {number}" if of > 1 else ""
        name = f"{sq}.worker{number if of > 1 else ''}"
        super().__init__(name, at=var(Enum(PLACES), "what the worker does next"), **more)

    @property
    def asleep(self) -> Expr:
        """Whether it sleeps until notified."""
        return self.at == "asleep"

    @property
    def in_pop(self) -> Expr:
        """Whether it is in a pop, which a notification of its SQ waits for."""
        return self.at.among(*IN_POP)

    def wakes(self) -> Updates:
        """It answers a notification: goes to look at its SQ."""
        return self(at="reserve")

    def looks(self) -> Updates:
        """It has taken a command from its SQ, or run it, and looks for another."""
        return self(at="reserve")

    def leaves(self) -> Updates:
        """It has nothing more to do for its SQ: sleeps."""
        return self(at="asleep")


class Registered(Worker):
    """A worker that is woken by a bit of its own, which it sets as it falls asleep; at first all of them sleep."""

    def __init__(self, sq: str, number: int, of: int) -> None:
        super().__init__(
            *(sq, number, of),
            idle=var(Bool(), "its bit is set: a notification finds it asleep", True),
            woken=var(Bool(), "it was woken, and has not looked since"),
        )

    @property
    def forgotten(self) -> Expr:
        """Whether it sleeps, and no notification will find it."""
        return self.asleep & ~self.idle & ~self.woken

    def wakes(self) -> Updates:
        """It was woken: goes to look at its SQ."""
        return self(at="reserve", woken=False)

    def leaves(self) -> Updates:
        """It has nothing more to do for its SQ: sets its bit and sleeps."""
        return self(at="asleep", idle=True)


class Shared(Record):
    """A device worker that serves every SQ: it looks at one after the other, and sleeps when all had nothing for it."""

    def __init__(self, number: int, of: int, sqs: Sequence[str]) -> None:
        self.number = number if of > 1 else None
        self.label = f"worker {number}" if of > 1 else ""
        self.sqs = sqs
        super().__init__(
            f"worker{number if of > 1 else ''}",
            at=var(Enum(PLACES), "what the worker does next"),
            on=var(Enum(tuple(sqs)), "the SQ that it does it for, or looks at first when it has no other reason"),
            left=var(Range(1, len(sqs)), "how many SQs it looks at, from this one on, before it sleeps", len(sqs)),
        )


class Visit(Storing):
    """A shared worker as one SQ sees it: there, or as good as asleep."""

    after = "goes on to the next SQ, or sleeps"

    def __init__(self, worker: Shared, number: int) -> None:
        self.worker, self.name, self.label, self.number = worker, worker.name, worker.label, worker.number
        self._every = len(worker.sqs)
        self._here, self._next = worker.sqs[number], worker.sqs[(number + 1) % self._every]
        self.at = ite(worker.on == self._here, worker.at, "asleep")

    @property
    def asleep(self) -> Expr:
        """Whether the worker sleeps until notified, and is not with another SQ either."""
        return self.worker.at == "asleep"

    @property
    def in_pop(self) -> Expr:
        """Whether it goes from SQ to SQ, which a notification waits for: its bit for this one may be set already."""
        return self.worker.at.among(*IN_POP) | (self.worker.at == "reserve") & (self.worker.left < self._every)

    def __call__(self, *, at: str) -> Updates:
        """What the worker does next for this SQ."""
        return self.worker(at=at, **({"left": self._every} if at == "run" else {}))

    def wakes(self) -> Updates:
        """It answers a notification of this SQ: goes to look at all of them, at this one first."""
        return self.worker(at="reserve", on=self._here, left=self._every)

    def looks(self) -> Updates:
        """It has taken a command from this SQ, or run it: looks at all of them again, at this one last."""
        return self.worker(at="reserve", on=self._next, left=self._every)

    def leaves(self) -> Updates:
        """It has nothing more to do for this SQ: on to the next, or to sleep if it has looked at all of them."""
        at, left = self.worker.at, self.worker.left
        more = left > 1
        onward = ite(more, lift("reserve", at.sort), "asleep")
        return self.worker(at=onward, on=self._next, left=ite(more, left - 1, self._every))


Serving: TypeAlias = Worker | Visit
"""A worker as the SQ sees it that it looks at: its own, or a shared one."""


class Completer(Thread):
    """The backend of one SQ, where completions do not come from its workers."""

    kind = "backend"

    def __init__(self, sq: str) -> None:
        super().__init__(f"{sq}.backend", at=var(Enum(("run", *IN_POST)), "what the backend does next"))


class Poster(Record):
    """Posts what has completed, of every SQ, where completions queue for the CQ: QEMU's bottom half of a CQ.

    Its stores never wait: where completions queue, memory is sequentially consistent.
    """

    def __init__(self, cq: Record) -> None:
        super().__init__(
            "poster",
            at=var(Enum(("idle", *IN_POST, "post")), "what the poster does next"),
            scheduled=var(Bool(), "it will look for queued completions"),
        )
        self.cq_event = Word("poster.cq_event", "CQ EventIdx by the backend", cq, "event", 0)
        self.buffer = Buffer(self.cq_event)
