"""EventIdx policies: what the device writes to CQ EventIdx after a post, and at a cork if it arms there.

A policy is a function from the device's knowledge of the CQ to a position on the CQ, or `LEAVE`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import NoReturn, overload

from uncork.core.expr import Expr, boolean, ite, lift, maximum, minimum
from uncork.core.frozen import frozen
from uncork.core.sorts import Bool, Nat, Ring, SlipError, did_you_mean


@frozen
class CQView:
    """The device's knowledge of the CQ that a policy may use, with the post in progress counted.

    `head`, `tail`: positions. `occupied`: the number of entries not known to be consumed. `permits`: the number of
    available permits, that is capacity - occupied - permits held. `corked`: whether any SQ is corked or about to be
    corked. `corking`: plain True if the policy is asked at a cork, plain False after a post. `size` and `capacity`
    (size - 1) are plain integers. `sqs`, the number of SQs, is a plain integer unless SQs come and go.
    """

    head: Expr
    tail: Expr
    occupied: Expr
    permits: Expr
    corked: Expr
    size: int
    sqs: int | Expr
    corking: bool = False

    def __getattr__(self, name: str) -> NoReturn:
        known = [*(field.name for field in fields(self)), "capacity"]
        raise AttributeError(f"a policy cannot look at {name!r}{did_you_mean(name, known)}")

    @property
    def capacity(self) -> int:
        """The number of entries that the CQ can hold."""
        return self.size - 1


@frozen
class EventIdx:
    """A value for EventIdx, and the condition under which the device writes it."""

    value: Expr | None
    written: Expr


LEAVE = EventIdx(None, boolean(False))
"""The device does not write EventIdx."""


def leave_if(condition: Expr, value: Expr) -> EventIdx:
    """Writes `value` to EventIdx unless the condition holds."""
    return EventIdx(value, ~lift(condition, Bool()))


Formula = Callable[[CQView], Expr | EventIdx]


@frozen
class Policy:
    """A named policy: `formula` gives EventIdx after a post, and with `at_cork` at a cork, too."""

    name: str
    doc: str
    formula: Formula
    source: str = ""
    at_cork: bool = False

    def writes(self, size: int) -> bool:
        """Whether this policy ever writes CQ EventIdx."""
        head, tail = (Expr("var", (), Ring(size), name) for name in ("head", "tail"))
        occupied, permits = (Expr("var", (), Nat(size - 1), name) for name in ("occupied", "permits"))
        return self.event_idx(CQView(head, tail, occupied, permits, boolean(False), size, 1)).value is not None

    def event_idx(self, view: CQView, *, corking: bool = False) -> EventIdx:
        """The EventIdx that this policy gives; raises `SlipError` if the formula gives no position on the CQ."""
        if corking and not self.at_cork:
            return LEAVE
        result = self.formula(replace(view, corking=corking))
        if isinstance(result, EventIdx):
            result = EventIdx(result.value, result.written)
        elif isinstance(result, Expr):
            result = EventIdx(result, boolean(True))
        else:
            raise SlipError(f"policy {self.name} gives {result!r}: return a position such as cq.tail - 1, or LEAVE")
        if result.value is not None and result.value.sort != Ring(view.size):
            raise SlipError(
                f"policy {self.name} gives a number ({result.value.sort}), and EventIdx is a position: start "
                f"from cq.head or "
                "cq.tail, as in cq.head + 1"
            )
        return result


POLICIES: dict[str, Policy] = {}
"""The policies by name."""


@overload
def policy(formula: Formula) -> Policy: ...
@overload
def policy(*, source: str = "", at_cork: bool = False) -> Callable[[Formula], Policy]: ...


def policy(
    formula: Formula | None = None, *, source: str = "", at_cork: bool = False
) -> Policy | Callable[[Formula], Policy]:
    """Makes a `Policy` of a function; the function's name and docstring become the policy's."""

    def make(function: Formula) -> Policy:
        name = function.__name__.replace("_", "-")
        return Policy(name, " ".join((function.__doc__ or "").split()), function, source, at_cork)

    return make(formula) if formula is not None else make


def _known(*, source: str, at_cork: bool = False) -> Callable[[Formula], Policy]:
    def register(function: Formula) -> Policy:
        made = policy(source=source, at_cork=at_cork)(function)
        POLICIES[made.name] = made
        return made

    return register


@_known(source="Oxide Propolis before PR #1026 (6dae4dc3)")
def tail(cq: CQView) -> Expr:
    """The tail: the guest never rings for entries that it consumes up to the tail."""
    return cq.tail


@_known(source="Oxide Propolis since PR #1026 (e25e56ee)")
def tail_lag(cq: CQView) -> EventIdx:
    """One behind the tail; not written while at most one entry is unread."""
    return leave_if(cq.occupied <= 1, cq.tail - 1)


@_known(source="Oxide Propolis PR #1026, without its early return")
def tail_1(cq: CQView) -> Expr:
    """One behind the tail, always."""
    return cq.tail - 1


@_known(source="QEMU hw/nvme")
def head(cq: CQView) -> Expr:
    """The head as the device knows it (before its read, if it arms first): the guest rings for its next publish."""
    return cq.head


@_known(source='the "more careful treatment" of Oxide Propolis PR #1026 and issue #1043, counting capacity')
def reserve_slots(cq: CQView) -> Expr:
    """The tail, but at most head + (capacity - n), so that at least one entry per SQ is left."""
    return cq.head + minimum(cq.occupied, maximum(cq.capacity - cq.sqs, 0))


@_known(source="Oxide Propolis issue #1043, in its own words: head + (size - n)")
def reserve_slots_size(cq: CQView) -> Expr:
    """The tail, but at most head + (size - n). For one SQ this is the tail."""
    return cq.head + minimum(cq.occupied, maximum(cq.size - cq.sqs, 0))


@_known(source="Oxide Propolis issue #1043, counting permits")
def reserve_permits(cq: CQView) -> Expr:
    """The tail while a permit is left for every SQ, else the head."""
    return ite(cq.permits >= cq.sqs, cq.tail, cq.head)


@_known(source="the arm-when-full of QEMU and OpenVMM (since #1582)", at_cork=True)
def arm_on_cork(cq: CQView) -> Expr:
    """The head if any SQ is corked, else the tail. A device that arms when it corks writes the head there.

    An SQ counts as corked until it is kicked, even if its worker found a permit since.
    """
    return ite(cq.corked, cq.head, cq.tail)


@_known(source="QEMU 7.1 (3f7fe8de3d49), fixed by fa5db2aa168b")
def never(_: CQView) -> EventIdx:
    """Never written: EventIdx keeps the value in the guest's page."""
    return LEAVE


@_known(source="OpenVMM vm/devices/storage/nvme/src/queue.rs since #1582: CompletionQueue::poll_ready")
def head_when_full(cq: CQView) -> EventIdx:
    """The head if the CQ is full and a completion waits for room; not written while there is room."""
    return leave_if(cq.occupied < cq.capacity, cq.head)


@_known(source="the nvme-mdev proposal (Linux RFC, 2019)")
def half(cq: CQView) -> Expr:
    """Half a ring past the head, wherever the tail is."""
    return cq.head + cq.size // 2


@_known(source="FEMU hw/femu/nvme-io.c: nvme_process_cq_cpl")
def head_1(cq: CQView) -> Expr:
    """One behind the head: a guest passes EventIdx only once a lap."""
    return cq.head - 1


__all__ = ["LEAVE", "POLICIES", "CQView", "EventIdx", "Policy", "ite", "leave_if", "maximum", "minimum", "policy"]
