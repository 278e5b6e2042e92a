"""A guest driver in Python: its possible moves, and the shadow-doorbell rule as real drivers implement it.

The driver takes the choices of the model's guests, but not the model's code: this module has the rule of the
specification and of Linux in 16-bit arithmetic. A move is one to three words. It may stand for several actions of the
model; the values that the driver finds decide which:

    submit SQ0 rf   two entries, a read and a flush, and the shadow tail past them
    check SQ0       looks at EventIdx: must ring, or not
    ring SQ0        writes the tail doorbell
    take            takes the CQE at the cursor
    leave           stops taking
    publish         moves the shadow head to the cursor
    check CQ        looks at CQ EventIdx: must ring, or not
    ring CQ         writes the head doorbell
    wait            waits until late commands end
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from uncork_nvme.choices import YES, Choices
from uncork_nvme.shape import Shape

from uncork.conform.rig.controller import EVENT, FLUSH, READ, SHADOW, UNKNOWN, WRITE, Controller
from uncork.conform.rig.qtest import Failed
from uncork.core.sorts import Value

LATE = "l"
KINDS = {"r": (READ, 1), "w": (WRITE, 1), "f": (FLUSH, 1), "u": (UNKNOWN, 1), LATE: (READ, 2)}
"""Commands and their namespaces, by their letter in a move.

An unknown command completes when it is fetched, a late one some moves later, the others soon after the fetch.
"""


@dataclass(frozen=True)
class Slips:
    """The mistakes of a driver. A driver with none of them follows the rule."""

    rings_sq: bool = True
    rings_cq: bool = True
    stores_late: bool = False
    """Looks at EventIdx before its store of a shadow index is visible, as without a fence: `store SQ0`, a move."""
    by_one: bool = False
    """Counts EventIdx as passed if it is in (old, new]: off by one."""
    ring_late: bool = False
    """Delays a due doorbell until the next move of the index; never rings the last one."""
    rings_old: bool = False
    """Rings with the index before its last move."""


RIGHT = Slips()


def need_event(event: int, new: int, old: int, *, closed: bool = False) -> bool:
    """Returns whether a move from `old` to `new` passed EventIdx: NVMe Base Specification 2.0, B.5.

    16-bit arithmetic as in Linux (nvme_dbbuf_need_event); with `closed` as in SPDK (nvme_pcie_qpair_need_event).
    """
    moved = (new - old) & 0xFFFF
    return (new - event) & 0xFFFF <= moved if closed else (new - event - 1) & 0xFFFF < moved


class _Index:
    """An index that the guest moves, and the state of its doorbell."""

    def __init__(self, name: str, number: int, size: int, *, cq: bool = False) -> None:
        self.name, self.number, self.size, self.cq = name, number, size, cq
        self.now, self.old = 0, 0
        self.at = "idle"
        self.due, self.put_off = False, False


class Driver:
    """The guest of one CQ and its SQs on a real controller set up by `restart`.

    `cq_event` gives the CQ EventIdx that the guest reads: the device's own, unless another policy is laid over it.
    """

    def __init__(self, controller: Controller, shape: Shape, choices: Choices, slips: Slips = RIGHT) -> None:
        self.controller, self.shape, self.choices, self.slips = controller, shape, choices, slips
        self.sqs = [_Index(f"SQ{k}", k + 1, shape.sq_size) for k in range(shape.sqs)]
        self.cq = _Index("CQ", Controller.CQ, shape.cq_size, cq=True)
        self.cq_event: Callable[[], int] = self.own_cq_event
        self._outstanding: list[dict[int, str]] = [{} for _ in self.sqs]
        self._unfreed: list[int] = [0] * shape.sqs
        self._stirred, self._visible, self.looked_at = False, False, 0
        self._free: list[deque[int]] = [deque(range(shape.sq_size - 1)) for _ in self.sqs]
        self._cursor, self._phase, self._consumed = 0, 1, 0

    # -- possible moves ------------------------------------------------------------------------------------------------
    def moves(self) -> Iterator[str]:
        """Yields the possible moves. `submit SQ0 **` stands for two entries of any kind."""
        for k, q in enumerate(self.sqs):
            if q.at == "idle":
                room = self.shape.sq_size - 1 - len(self._outstanding[k]) - self._unfreed[k]
                for entries in range(1, min(room, self.choices.submit_batch) + 1):
                    yield f"submit {q.name} {'*' * entries}"
            else:
                yield f"{q.at} {q.name}"
        yield from self._consumer_moves()
        if self.late and self._stirred:
            yield "wait"

    def _consumer_moves(self) -> Iterator[str]:
        if self.cq.at != "idle":
            yield "publish" if self.cq.at == "publish" else f"{self.cq.at} CQ"
            return
        drain, seen = self.choices.drain, self._visible
        full = isinstance(drain, int) and self._consumed >= drain
        if seen and not full:
            yield "take"
        if self._consumed and (drain == "any" or full or not seen):
            yield "leave"

    @property
    def waiting(self) -> int:
        """The number of commands submitted and not seen completed."""
        return sum(map(len, self._outstanding))

    @property
    def late(self) -> bool:
        """Whether a late command has not been seen completed."""
        return any(LATE in kinds.values() for kinds in self._outstanding)

    def draw(self, move: str, kinds: str, chosen: random.Random) -> str:
        """Returns a move with its commands drawn from `kinds`."""
        return "".join(chosen.choice(kinds) if char == "*" else char for char in move)

    def allows(self, move: str) -> bool:
        """Returns whether the guest may make this move now."""
        verb, _, rest = move.partition(" ")
        if verb == "submit":
            name, _, kinds = rest.partition(" ")
            return KINDS.keys() >= set(kinds) and f"submit {name} {'*' * len(kinds)}" in self.moves()
        return move in self.moves()

    # -- making moves --------------------------------------------------------------------------------------------------
    def do(self, move: str) -> str:
        """Makes a move. Returns the name of the model's action; the empty string for `wait`, which is no action."""
        words = move.split()
        self._stirred = words[0] != "wait"
        match words[0]:
            case "submit":
                return self._submit(self._sq(words[1]), words[2])
            case "check":
                return self._check(self.cq if words[1] == "CQ" else self._sq(words[1]))
            case "store":
                return self._stored(self.cq if words[1] == "CQ" else self._sq(words[1]))
            case "ring":
                return self._ring(self.cq if words[1] == "CQ" else self._sq(words[1]))
            case "take":
                return self._take()
            case "leave":
                self.cq.at = "publish"
                return "leave_loop"
            case "publish":
                return self._publish()
            case "wait":
                self.controller.qemu.wait()
                return ""
        raise ValueError(f"no such move: {move!r}")

    def look(self) -> dict[str, Value]:
        """Lets the device settle and returns the values seen: EventIdx of every queue, and the SQs of new CQEs by slot.

        The possible moves depend on these values. A late command may end at any moment: the driver looks until two
        looks agree, with a round trip between them that outlasts every handler in QEMU.
        """
        self.controller.qemu.settle()
        seen = self._seen()
        while self.late:
            self.controller.qemu.ask("endianness")
            before, seen = seen, self._seen()
            if seen == before:
                break
        slots = seen["CQEs"]
        self._visible = isinstance(slots, tuple) and slots[self._cursor] != "none"
        return seen

    def _seen(self) -> dict[str, Value]:
        words: dict[str, Value] = {f"{q.name} EventIdx": self._event(q) for q in self.sqs}
        fresh = [self._fresh(slot) for slot in range(self.cq.size)]
        slots = tuple("none" if of is None else f"SQ{of - 1}" for of in fresh)
        return {**words, "CQ EventIdx": self.own_cq_event(), "CQEs": slots}

    def own_cq_event(self) -> int:
        """Returns CQ EventIdx as the device wrote it."""
        return self._event(self.cq)

    def _event(self, index: _Index) -> int:
        return self.controller.word(EVENT, index.number, cq=index.cq)

    def _sq(self, name: str) -> _Index:
        return self.sqs[int(name.removeprefix("SQ"))]

    def _submit(self, q: _Index, kinds: str) -> str:
        k = q.number - 1
        for offset, letter in enumerate(kinds):
            cid = self._free[k].popleft()
            self._outstanding[k][cid] = letter
            opcode, nsid = KINDS[letter]
            self.controller.put(q.number, (q.now + offset) % q.size, opcode, cid, nsid)
        return self._move(q, (q.now + len(kinds)) % q.size, f"submit({q.name}, {len(kinds)})")

    def _publish(self) -> str:
        self._consumed = 0
        for k, unfreed in enumerate(self._unfreed):
            self._unfreed[k] -= unfreed
        return self._move(self.cq, self._cursor, "publish")

    def _move(self, index: _Index, new: int, name: str) -> str:
        if index.put_off:
            index.put_off = False
            self.controller.ring(index.number, index.now, cq=index.cq)
        index.old, index.now, index.at = index.now, new, "check"
        if not self.slips.stores_late:
            self._store(index)
        return name

    def _store(self, index: _Index) -> None:
        self.controller.set_word(SHADOW, index.number, index.now, cq=index.cq)

    def _check(self, index: _Index) -> str:
        self.looked_at = self.cq_event() if index.cq else self._event(index)
        event = self.looked_at - self.slips.by_one
        index.due = need_event(event, index.now, index.old, closed=self.choices.need_event == "closed")
        index.at = "store" if self.slips.stores_late else self._after_check(index)
        what = "need" if index.due else "elide"
        return f"{what}_cq" if index.cq else f"{what}_sq({index.name})"

    def _after_check(self, index: _Index) -> str:
        return "ring" if index.due else "idle"

    def _stored(self, index: _Index) -> str:
        self._store(index)
        index.at = self._after_check(index)
        return f"store({index.name})"

    def _ring(self, index: _Index) -> str:
        index.at = "idle"
        if self.slips.ring_late:
            index.put_off = True
        elif self.slips.rings_cq if index.cq else self.slips.rings_sq:
            told = index.old if self.slips.rings_old else index.now
            self.controller.ring(index.number, told, cq=index.cq)
        return "ring_cq" if index.cq else f"ring_sq({index.name})"

    def _fresh(self, slot: int) -> int | None:
        """Returns the number of the SQ whose new CQE is in a slot, judged by the phase tag."""
        entry = self.controller.completion(slot)
        expected = self._phase if slot >= self._cursor else self._phase ^ 1
        return entry.sqid if entry.phase == expected else None

    def _take(self) -> str:
        entry = self.controller.completion(self._cursor)
        k = entry.sqid - 1
        if not 0 <= k < len(self.sqs) or entry.cid not in self._outstanding[k]:
            raise Failed(f"a CQE of no command that was submitted: {entry}")
        if (self._outstanding[k].pop(entry.cid) == "u") != bool(entry.status):
            raise Failed(f"a command has ended otherwise than it has to: {entry}")
        self._free[k].append(entry.cid)
        if self.choices.early_free != YES:
            self._unfreed[k] += 1
        self._cursor = (self._cursor + 1) % self.cq.size
        self._phase ^= self._cursor == 0
        self._consumed += 1
        return f"consume(SQ{k})"
