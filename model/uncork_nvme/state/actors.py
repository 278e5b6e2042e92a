"""The actors of the device: workers, backends and the poster, each with its stores to shared words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from uncork.core.expr import Expr, ite, lift
from uncork.core.sorts import Bool, Enum, Range
from uncork.core.system import Declared, Record, Updates, var

from uncork_nvme.state.memory import Buffer, Content, Stores, Unlock, Word

IN_POST = ("post read", "post arm")
"""Where an actor stands while it posts and holds the CQ lock."""

IN_CORK = ("cork arm", "cork recheck")
"""The positions of a worker that corks its SQ and holds the CQ lock."""


class Entry(Stores):
    """A CQE that a device thread has written and the guest cannot see yet."""

    rest: Content | None = None
    """What the phase does not tell of the CQE, if that may be in memory after the phase."""

    def store(self) -> Updates:
        """The update of a thread that writes an entry of its SQ at the tail."""
        raise NotImplementedError


class Storing:
    """A thread of the device that stores to shared words."""

    kind = "worker"
    name: str
    label = ""
    number: int | None = None
    """Which of several workers."""
    at: Expr
    cqe: Entry
    cq_event: Word
    sq_event: Word
    buffer: Buffer
    unlock: Unlock | None = None
    """A lock that the thread takes and gives back between its stores."""

    @property
    def places(self) -> tuple[str, ...]:
        """All positions of the thread."""
        assert isinstance(self.at.sort, Enum)
        return self.at.sort.names


class Thread(Storing, Record):
    """A thread of the device with variables of its own."""


IN_POP = (*IN_CORK, "fetch", "arm", "reread", "remit")
"""The positions of a worker in a pop, after its first step; parts may add some (`Part.places`)."""

PLACES = ("asleep", "reserve", *IN_POP, "run", *IN_POST)
"""All positions of a worker."""


class Worker(Thread):
    """A device worker of one SQ. With the in-worker backend it also runs the command it took, and posts."""

    after = "sleeps"
    """The text for a worker that has nothing more to do for its SQ."""

    def __init__(self, sq: str, number: int, of: int, places: Sequence[str] = (), **more: Declared) -> None:
        self.number = number if of > 1 else None
        self.label = f"worker {number}" if of > 1 else ""
        self.pops = (*IN_POP, *places)
        name = f"{sq}.worker{number if of > 1 else ''}"
        super().__init__(name, at=var(Enum((*PLACES, *places)), "what the worker does next"), **more)

    @property
    def asleep(self) -> Expr:
        """Whether the worker sleeps until notified."""
        return self.at == "asleep"

    @property
    def in_pop(self) -> Expr:
        """Whether the worker is in a pop; a notification of its SQ waits for the end of the pop."""
        return self.at.among(*self.pops)

    def wakes(self) -> Updates:
        """The worker answers a notification: goes to look at its SQ."""
        return self(at="reserve")

    def looks(self) -> Updates:
        """The worker has taken or run a command of its SQ, and looks for another."""
        return self(at="reserve")

    def leaves(self) -> Updates:
        """The worker has nothing more to do for its SQ: sleeps."""
        return self(at="asleep")


class Registered(Worker):
    """A worker that notifications find by a bit, which it sets when it falls asleep; at first all workers sleep."""

    def __init__(self, sq: str, number: int, of: int, places: Sequence[str] = ()) -> None:
        super().__init__(
            *(sq, number, of, places),
            idle=var(Bool(), "its bit is set: a notification finds it asleep", True),
            woken=var(Bool(), "it was woken, and has not looked since"),
        )

    @property
    def forgotten(self) -> Expr:
        """Whether the worker sleeps, and no notification will find it."""
        return self.asleep & ~self.idle & ~self.woken

    def wakes(self) -> Updates:
        """The worker was woken: goes to look at its SQ."""
        return self(at="reserve", woken=False)

    def leaves(self) -> Updates:
        """The worker has nothing more to do for its SQ: sets its bit and sleeps."""
        return self(at="asleep", idle=True)


class Shared(Record):
    """A device worker that serves every SQ in turn, and sleeps after a whole round without an entry."""

    def __init__(self, number: int, of: int, sqs: Sequence[str], places: Sequence[str] = ()) -> None:
        self.number = number if of > 1 else None
        self.pops = (*IN_POP, *places)
        self.label = f"worker {number}" if of > 1 else ""
        self.sqs = sqs
        super().__init__(
            f"worker{number if of > 1 else ''}",
            at=var(Enum((*PLACES, *places)), "what the worker does next"),
            on=var(Enum(tuple(sqs)), "the SQ that the worker looks at, works for, or looks at next"),
            left=var(Range(1, len(sqs)), "how many SQs the worker looks at, from `on` on, before it sleeps", len(sqs)),
        )


class Visit(Storing):
    """A shared worker from the view of one SQ: at this SQ, or as good as asleep."""

    after = "goes on to the next SQ, or sleeps"

    def __init__(self, worker: Shared, number: int) -> None:
        self.worker, self.name, self.label, self.number = worker, worker.name, worker.label, worker.number
        self._every, self.pops = len(worker.sqs), worker.pops
        self._here, self._next = worker.sqs[number], worker.sqs[(number + 1) % self._every]
        self.at = ite(worker.on == self._here, worker.at, "asleep")

    @property
    def asleep(self) -> Expr:
        """Whether the worker sleeps until notified, and is not at another SQ."""
        return self.worker.at == "asleep"

    @property
    def in_pop(self) -> Expr:
        """Whether the worker is between SQs or in a pop; a notification waits, as its bit may be set already."""
        return self.worker.at.among(*self.pops) | (self.worker.at == "reserve") & (self.worker.left < self._every)

    def __call__(self, *, at: str) -> Updates:
        """The update of what the worker does next for this SQ."""
        return self.worker(at=at, **({"left": self._every} if at == "run" else {}))

    def wakes(self) -> Updates:
        """The worker answers a notification of this SQ: goes to look at all SQs, at this SQ first."""
        return self.worker(at="reserve", on=self._here, left=self._every)

    def looks(self) -> Updates:
        """The worker has taken or run a command of this SQ: looks at all SQs again, at this SQ last."""
        return self.worker(at="reserve", on=self._next, left=self._every)

    def leaves(self) -> Updates:
        """The worker has nothing more to do for this SQ: goes to the next SQ, or sleeps after a whole round."""
        at, left = self.worker.at, self.worker.left
        more = left > 1
        onward = ite(more, lift("reserve", at.sort), "asleep")
        return self.worker(at=onward, on=self._next, left=ite(more, left - 1, self._every))


class Dealt(Record):
    """A device worker that is given another SQ as SQs come and go. A bit at each SQ says that it slept there."""

    def __init__(self, number: int, sqs: Sequence[str], at_first: str, places: Sequence[str] = ()) -> None:
        self.number, self.label, self.sqs = number, f"worker {number}", sqs
        self.pops = (*IN_POP, *places)
        bits = {
            f"idle{k}": var(Bool(), f"its bit at {name}: a notification there counts on it", name == at_first)
            for k, name in enumerate(sqs)
        }
        super().__init__(
            f"worker{number}",
            at=var(Enum((*PLACES, *places)), "what the worker does next"),
            on=var(Enum(tuple(sqs)), "the SQ that the worker looks at or works for, or did last"),
            given=var(Enum(("none", *sqs)), "the SQ that the worker is given to", at_first),
            woken=var(Bool(), "it was woken, and has not looked since"),
            **bits,
        )


class Turn(Storing):
    """A worker that is given to SQs in turn, from the view of one SQ: at this SQ, or as good as asleep."""

    after = "sleeps"

    def __init__(self, worker: Dealt, sq: int) -> None:
        self.worker, self.name, self.label, self.number = worker, worker.name, worker.label, worker.number
        self.pops, self._bit, self._here = worker.pops, f"idle{sq}", worker.sqs[sq]
        self.given = worker.given == self._here
        here = ite(worker.at == "reserve", self.given, worker.on == self._here)
        self.at = ite(here, worker.at, "asleep")

    @property
    def asleep(self) -> Expr:
        """Whether the worker sleeps, wherever."""
        return self.worker.at == "asleep"

    @property
    def in_pop(self) -> Expr:
        """Whether the worker is in a pop of this SQ."""
        return self.at.among(*self.pops)

    @property
    def idle(self) -> Expr:
        """Whether the worker's bit at this SQ is set."""
        bit: Expr = getattr(self.worker, self._bit)
        return bit

    @property
    def called(self) -> Expr:
        """Whether the worker was woken and will look at this SQ."""
        return self.worker.woken & self.given

    def __call__(self, *, at: str) -> Updates:
        """The update of what the worker does next for this SQ."""
        return self.worker(at=at, on=self._here)

    def counted(self, chosen: Expr) -> Updates:
        """A notification of this SQ takes the worker's bit, and wakes the worker if it sleeps."""
        return self.worker(**{self._bit: self.idle & ~chosen, "woken": self.worker.woken | chosen & self.asleep})

    def wakes(self) -> Updates:
        """The worker was woken: goes to look at its SQ."""
        return self.worker(at="reserve", woken=False)

    def looks(self) -> Updates:
        """The worker has taken or run a command: looks for another in the SQ that it is given to now."""
        return self.worker(at="reserve")

    def leaves(self) -> Updates:
        """The worker has nothing more to do for this SQ: sets its bit there and sleeps."""
        return self.worker(at="asleep", on=self._here, **{self._bit: True})


Serving: TypeAlias = Worker | Visit | Turn
"""A worker from the view of an SQ: the SQ's own, one that serves all SQs, or one that is given to SQs in turn."""


class Completer(Thread):
    """The backend of one SQ, if completions do not come from the workers."""

    kind = "backend"

    def __init__(self, sq: str) -> None:
        super().__init__(f"{sq}.backend", at=var(Enum(("run", *IN_POST)), "what the backend does next"))


class Poster(Record):
    """Posts the queued completions of every SQ: QEMU's bottom half of a CQ. `entries` are its CQEs, by SQ."""

    entries: Mapping[str, Entry]
    cq_event: Word
    buffer: Buffer
    unlock: Unlock | None = None

    def __init__(self) -> None:
        super().__init__(
            "poster",
            at=var(Enum(("idle", *IN_POST, "post")), "what the poster does next"),
            scheduled=var(Bool(), "the poster will look for queued completions"),
        )
