"""Rotation: positions on a ring count only relative to one another, so a state may be turned until one of them is 0.

Variables belong to the same ring if they are compared, subtracted, assigned or used as an index together. All that the
language can do with positions (a distance, a step, a comparison, an index) commutes with turning, for every size of
ring; only a constant position does not. A ring is turned everywhere if nobody looks at one.

A guest that sets a queue up afresh does: its indices become 0. That is no harm where a step leaves nothing of the ring
to tell by how much it was turned: each of its variables is a constant then, or nobody will read it before it is written
(`flow`). So a ring is turned at such places of some small variables that every step that may be taken there either
commutes and leads to such places again, or leaves nothing of it. A state there and the state turned are bisimilar: a
step leads both to two such states again, or to two that differ in dead variables at most. It is decided by the places
as a run has them, so a queue that will not be set up again is turned from then on, if not before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from uncork.core.expr import Expr, boolean, ite, text
from uncork.core.sorts import Array, Ring
from uncork.core.system import Action
from uncork.core.transform import mapped
from uncork.engines.explicit.reduction.flow import Flow, Places, small


def turned(flow: Flow, buried: Mapping[str, Expr]) -> tuple[dict[str, Expr], list[str]]:
    """The values of positions and arrays after their rings were turned, and why others are not turned."""
    rings = _Rings(flow)
    members: dict[str, list[str]] = {}
    for name, variable in flow.variables.items():
        if isinstance(variable.sort, Ring | Array):
            members.setdefault(rings.root(name), []).append(name)
    sorts = {name: variable.sort for name, variable in flow.variables.items()}
    result: dict[str, Expr] = {}
    reasons: list[str] = []
    for names in members.values():
        anchor = next((n for n in names if isinstance(sorts[n], Ring) and n not in buried), None)
        looks = rings.looks(names[0])
        where = _where(flow, names, looks)
        if where.op == "const" and not where.value:
            reasons.append(f"{', '.join(names)}: {looks[0].told()}")
        elif anchor is not None:
            for name in names:
                value = ite(where, _turned(sorts, name, anchor), Expr("var", (), sorts[name], name))
                result[name] = mapped(buried[name], _in_place(name, value)) if name in buried else value
    return result, reasons


# -- where a ring is turned --------------------------------------------------------------------------------------------
class _Look(NamedTuple):
    """Where somebody looks at a position by itself: on which ring, who, to write what, and in what."""

    root: str
    action: Action | None
    writes: str | None
    of: Expr
    note: str = ""

    def told(self) -> str:
        """Where that is, for people."""
        return f"{self.action.name + ': ' if self.action else ''}{text(self.of)}{self.note}"

    @property
    def wipes(self) -> bool:
        """Whether it is no harm if the ring is as good as constant then."""
        return self.writes == self.root


def _where(flow: Flow, names: Sequence[str], looks: Sequence[_Look]) -> Expr:
    """Where a ring may be turned: at the places, of all that are tried, that are the greatest part of theirs."""
    if not looks or any(look.action is None for look in looks):
        return boolean(not looks)
    guards = 0
    for look in looks:
        guards |= flow.reads(look.action.guard) if look.action else 0
    tried = [
        flow.places(0),
        *(flow.places(flow.bits[name]) for name in sorted(flow.names(guards)) if small(flow.variables[name])),
    ]
    tried += [places for places in flow.known.values() if len(places.variables) > 1 and places.some & guards]
    parts = [(_free(places, names, looks), places) for places in tried]
    free, places = max(parts, key=lambda part: part[0].bit_count() / part[1].reached.bit_count())
    return boolean(True) if free == places.reached else places.are_in(free)


def _free(places: Places, names: Sequence[str], looks: Sequence[_Look]) -> int:
    """The places at which a ring may be turned: the most such that every step keeps to them or wipes the ring."""
    looking = {look.action.name for look in looks if look.action}
    wary = {look.action.name for look in looks if look.action and not look.wipes}
    wiped: list[int] = []
    ways = [(step.action, places.way(step)) for step in places.flow.steps]
    for action, way in ways:
        live = [name for name in names if name not in action.updates or not _constant(action.updates[name])]
        where = 0 if action.name in wary else way.where
        for name in live if where else ():
            where &= ~way.before(places.live(places.flow.bits[name]))
        wiped.append(where)
    free, before = places.reached, 0
    while free != before:
        before = free
        for (action, way), where in zip(ways, wiped, strict=True):
            harms = way.where if action.name in looking else way.before(places.everywhere & ~free)
            free &= ~harms | where
    return free


def _constant(value: Expr) -> bool:
    """Whether a position is the same in any case, or what is in an array."""
    stored = set()
    while value.op == "store" and value.args[1].op == value.args[2].op == "const":
        stored.add(value.args[1].value)
        value = value.args[0]
    return value.op == "const" or (isinstance(value.sort, Array) and len(stored) == value.sort.size)


# -- which variables are on the same ring ------------------------------------------------------------------------------
class _Rings:
    """Which variables lie on the same ring, and on which rings a position is looked at by itself."""

    def __init__(self, flow: Flow) -> None:
        self._parent: dict[str, str] = {}
        self._looks: list[_Look] = []
        self._now: tuple[Action | None, str | None, Expr]
        for condition in flow.conditions:
            self._now = None, None, condition
            self.visit(condition)
        for action in flow.system.actions:
            self._now = action, None, action.guard
            self.visit(action.guard)
            for name, value in action.updates.items():
                on_ring = isinstance(value.sort, Ring | Array)
                self._now = action, name if on_ring else None, value
                found = self.visit(value)
                if on_ring:
                    self.join(self.root(name), found)

    def looks(self, name: str) -> list[_Look]:
        """Where a position is looked at by itself on the ring of a variable."""
        root = self.root(name)
        found = [each._replace(root=self.root(each.root)) for each in self._looks]
        return [each._replace(writes=each.writes and self.root(each.writes)) for each in found if each.root == root]

    def root(self, name: str) -> str:
        while self._parent.setdefault(name, name) != name:
            name = self._parent[name]
        return name

    def join(self, one: str | None, other: str | None) -> str | None:
        """Two positions meet; None is a constant one, which fixes the ring of the other."""
        if one is None or other is None:
            if one is not None or other is not None:
                self._fix(self.root(one or other or ""))
            return one or other
        a, b = self.root(one), self.root(other)
        if a != b:
            self._parent[b] = a
        return a

    def _fix(self, name: str, note: str = "") -> None:
        self._looks.append(_Look(name, *self._now, note))

    def visit(self, node: Expr) -> str | None:
        """Looks through an expression.

        The ring of a position or array, None for a constant position or anything else.
        """
        op, args = node.op, node.args
        if op == "var":
            return self.root(str(node.value)) if isinstance(node.sort, Ring | Array) else None
        if op == "const":
            return None
        found = [self.visit(arg) for arg in args]
        rings = [isinstance(arg.sort, Ring | Array) for arg in args]
        if op == "ite":
            return self.join(found[1], found[2]) if rings[1] else None
        if op == "==" and rings[0]:
            self.join(found[0], found[1])
            return None
        if op in ("select", "store"):
            ring = self.join(found[0], found[1])
            if isinstance(node.sort, Ring) or (op == "store" and rings[2]):
                self._fix(self.root(ring or ""), " (positions in an array)")
                if op == "store" and found[2] is not None:  # it stays as it is where its ring is turned
                    self._fix(found[2], " (positions in an array)")
            return ring if op == "store" else None
        if op in ("+", "-") and any(rings):
            if all(rings):
                self.join(found[0], found[1])
                return None
            return found[0] if rings[0] else found[1]
        if op == "wrap":
            return found[0] if isinstance(node.sort, Ring) else None
        return None


# -- turning -----------------------------------------------------------------------------------------------------------
def _in_place(name: str, turned: Expr) -> Callable[[Expr], Expr]:
    return lambda leaf: turned if leaf.op == "var" and leaf.value == name else leaf


def _turned(sorts: Mapping[str, object], name: str, anchor: str) -> Expr:
    """The variable's value after its ring was turned until `anchor` is 0."""
    sort, ring = sorts[name], sorts[anchor]
    assert isinstance(ring, Ring)
    zero = Expr("var", (), ring, anchor)
    if isinstance(sort, Array):
        array = Expr("var", (), sort, name)
        return Expr("array", tuple(Expr("select", (array, zero + k), sort.element) for k in range(sort.size)), sort)
    assert isinstance(sort, Ring)
    distance = Expr("var", (), sort, name) - zero
    return Expr(distance.op, distance.args, sort, distance.value)
