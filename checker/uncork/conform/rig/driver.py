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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from uncork_nvme.choices import YES, Choices
from uncork_nvme.shape import Shape

from uncork.conform.rig.harness import Answer, Cursor, Driven
from uncork.conform.rig.qemu_harness import KINDS, LATE
from uncork.conform.rig.qtest import Failed


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

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size
        self.now, self.old = 0, 0
        self.at = "idle"
        self.due, self.put_off = False, False


class Driver:
    """The guest of one CQ and its SQs, from a reset on.

    `cq_event` gives the CQ EventIdx that the guest reads: the device's own, unless another policy is laid over it.
    """

    def __init__(
        self, device: Driven, shape: Shape, choices: Choices, slips: Slips = RIGHT, *, config_first: bool = False
    ) -> None:
        self.device, self.shape, self.choices, self.slips = device, shape, choices, slips
        self.sqs = [_Index(f"SQ{k}", shape.sq_size) for k in range(shape.sqs)]
        self.cq = _Index("CQ", shape.cq_size)
        self.cq_event: Callable[[], int] = lambda: self._event(self.cq)
        self._outstanding: list[dict[int, str]] = [{} for _ in self.sqs]
        self._unfreed: list[int] = [0] * shape.sqs
        self._free: list[deque[int]] = [deque(range(shape.sq_size - 1)) for _ in self.sqs]
        self.cursor, self._consumed = Cursor(shape.cq_size), 0
        self._stirred = False
        self.looked_at = 0
        self.answer = device.ask("reset", config_first=config_first)
        self._visible = self._sees(self.answer)

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
        """Makes a move, and lets the device settle. Returns the model's action, of `wait` an empty text.

        `answer` is what is seen then; the possible moves depend on it. A late command may end at any moment: the driver
        looks until two looks agree, which are so far apart that no handler of QEMU lasts as long.
        """
        words = move.split()
        self._stirred = words[0] != "wait"
        self._settled: Answer | None = None
        action = self._does(words[0], words[1:])
        self.answer = self._settled or self.device.ask("look")
        while self.late:
            before, self.answer = self.answer, self.device.ask("look")
            if self.answer == before:
                break
        self._visible = self._sees(self.answer)
        return action

    def _does(self, verb: str, of: Sequence[str]) -> str:
        match verb:
            case "submit":
                return self._submit(self._index(of[0]), of[1])
            case "check":
                return self._check(self._index(of[0]))
            case "store":
                return self._stored(self._index(of[0]))
            case "ring":
                return self._ring(self._index(of[0]))
            case "take":
                return self._take()
            case "leave":
                self.cq.at = "publish"
                return "leave_loop"
            case "publish":
                return self._publish()
            case "wait":
                self._settled = self.device.ask("wait")
                return ""
        raise ValueError(f"no such move: {verb!r}")

    def _sees(self, answer: Answer) -> bool:
        return self.cursor.new(self.cursor.at, answer.cqes[self.cursor.at])

    def _event(self, index: _Index) -> int:
        return self.answer.words[f"{index.name.lower()}.eventidx"]

    def _index(self, name: str) -> _Index:
        return self.cq if name == "CQ" else self.sqs[int(name.removeprefix("SQ"))]

    def _submit(self, q: _Index, kinds: str) -> str:
        k = self.sqs.index(q)
        for offset, kind in enumerate(kinds):
            cid = self._free[k].popleft()
            self._outstanding[k][cid] = kind
            self.device.ask("entry", sq=k, slot=(q.now + offset) % q.size, cid=cid, kind=kind)
        return self._move(q, (q.now + len(kinds)) % q.size, f"submit({q.name}, {len(kinds)})")

    def _publish(self) -> str:
        self._consumed = 0
        self._unfreed = [0] * len(self.sqs)
        return self._move(self.cq, self.cursor.at, "publish")

    def _move(self, index: _Index, new: int, name: str) -> str:
        if index.put_off:
            index.put_off = False
            self._rings(index, index.now)
        index.old, index.now, index.at = index.now, new, "check"
        if not self.slips.stores_late:
            self._store(index)
        return name

    def _store(self, index: _Index) -> None:
        self.device.ask("store", word=f"{index.name.lower()}.shadow", value=index.now)

    def _rings(self, index: _Index, value: int) -> Answer:
        return self.device.ask("ring", queue=index.name.lower(), value=value)

    def _check(self, index: _Index) -> str:
        self.looked_at = self.cq_event() if index is self.cq else self._event(index)
        event = self.looked_at - self.slips.by_one
        index.due = need_event(event, index.now, index.old, closed=self.choices.need_event == "closed")
        index.at = "store" if self.slips.stores_late else self._after_check(index)
        return self._of(index, "need" if index.due else "elide")

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
        elif self.slips.rings_cq if index is self.cq else self.slips.rings_sq:
            self._settled = self._rings(index, index.old if self.slips.rings_old else index.now)
        return self._of(index, "ring")

    def _of(self, index: _Index, what: str) -> str:
        return f"{what}_cq" if index is self.cq else f"{what}_sq({index.name})"

    def _take(self) -> str:
        entry = self.answer.cqes[self.cursor.at]
        k = entry.sq
        if not 0 <= k < len(self.sqs) or entry.cid not in self._outstanding[k]:
            raise Failed(f"a CQE of no command that was submitted: {entry}")
        if (self._outstanding[k].pop(entry.cid) == "u") != bool(entry.status):
            raise Failed(f"a command has ended otherwise than it has to: {entry}")
        self._free[k].append(entry.cid)
        if self.choices.early_free != YES:
            self._unfreed[k] += 1
        self.cursor.passes()
        self._consumed += 1
        return f"consume(SQ{k})"
