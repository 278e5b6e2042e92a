"""Reductions: which states need not be told apart, and why not; derived from the system, refused where unsound.

*Rotation*: positions on a ring count only relative to one another, so a state may be turned until one of them is 0; see
`rotation`.

*Permutation*: interchangeable records (`System.replicas`) may be put in any order. Sound if the permuted system is the
same system: each action and property has a partner that is equal but for the order of sums and conditions. Fairness
and properties tell the replicas apart, so loops are sought in the graph unfolded by the permutations that are noted on
its edges, as in the annotated quotient of Emerson and Sistla (Utilizing symmetry when model checking under fairness
assumptions, TOPLAS 1997).

*Dead variables*: what nobody will read before it is written is set to a fixed value; see `dead`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import permutations

from uncork.core.expr import Expr, ite
from uncork.core.property import Cover, InRange, Property, Repeatedly
from uncork.core.sorts import Array, Enum, Ring, Value
from uncork.core.system import Action, System
from uncork.core.transform import Renaming
from uncork.engines.explicit.reduction.dead import buried
from uncork.engines.explicit.reduction.flow import Flow
from uncork.engines.explicit.reduction.rotation import turned


@dataclass(frozen=True)
class Refusal:
    """A reduction that is not used, or not for some variables, and the reason."""

    reduction: str
    reason: str


@dataclass
class Reduction:
    """What makes a state canonical: next-state values that turn and bury, and the permutations of the replicas.

    `renamings[k]` puts the replica at place i to place `orders[k][i]`; `partners[k][a]` is what action a becomes. The
    first of each changes nothing. `refusals` says what is not used.
    """

    normalise: dict[str, Expr] = field(default_factory=dict)
    orders: list[tuple[int, ...]] = field(default_factory=lambda: [()])
    renamings: list[Renaming] = field(default_factory=lambda: [Renaming({})])
    partners: list[list[int]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def trivial(self) -> bool:
        """Whether every state is canonical."""
        return not self.normalise and len(self.orders) == 1

    def after(self, first: int, second: int) -> int:
        """The permutation that is the `first` and then the `second`."""
        one, two = self.orders[first], self.orders[second]
        return self.orders.index(tuple(two[place] for place in one))

    def inverse(self, of: int) -> int:
        """The permutation that undoes another."""
        order = self.orders[of]
        return self.orders.index(tuple(order.index(place) for place in range(len(order))))


def none(system: System) -> Reduction:
    """The reduction that tells all states apart."""
    return Reduction(partners=[list(range(len(system.actions)))])


def reduce(
    system: System, properties: Sequence[Property], covers: Sequence[Cover], wanted: frozenset[str]
) -> Reduction:
    """The wanted reductions that are sound for the system and for everything that is asked of it."""
    conditions = [p.condition for p in (*properties, *covers) if not isinstance(p, InRange | Repeatedly)]
    found, flow = none(system), Flow(system, conditions)
    if "dead" in wanted:
        found.normalise |= buried(flow)
    if "rotation" in wanted:
        turns, reasons = turned(flow, found.normalise)
        found.normalise |= turns
        found.refusals += [Refusal("rotation", reason) for reason in reasons]
    if "permutation" in wanted and len(system.replicas) > 1:
        _permute(system, properties, covers, found)
    return found


# -- permutation -------------------------------------------------------------------------------------------------------
_MOST = 4
"""Replicas that are put in order. Of five there are 120 orders, each of which is made and tried at every step."""


def _permute(system: System, properties: Sequence[Property], covers: Sequence[Cover], found: Reduction) -> None:
    if len(system.replicas) > _MOST:
        reason = f"{len(system.replicas)} records: their orders are tried one by one, of {_MOST} at most"
        found.refusals.append(Refusal("permutation", reason))
        return
    places = range(len(system.replicas))
    orders = list(permutations(places))
    renamings = [renaming(system, order) for order in orders]
    partners: list[list[int]] = []
    known = {_signature(action, system.unchanged): index for index, action in enumerate(system.actions)}
    for change in renamings:
        images = [known.get(_signature(action, change)) for action in system.actions]
        reason = _why_not(system, properties, covers, change, images)
        if reason:
            found.refusals.append(Refusal("permutation", reason))
            return
        partners.append([image for image in images if image is not None])
    found.orders, found.renamings, found.partners = orders, renamings, partners


def renaming(system: System, order: Sequence[int]) -> Renaming:
    """The renaming that puts the replica at place i to place `order[i]`."""
    records = {system.replicas[i][0]: system.replicas[order[i]][0] for i in range(len(order))}
    names = {system.replicas[i][1]: system.replicas[order[i]][1] for i in range(len(order))}
    return Renaming(records, names)


def _signature(action: Action, change: Renaming) -> tuple[object, ...]:
    updates = sorted((change.variable(name), change.normal(value)) for name, value in action.updates.items())
    return action.family, action.fairness, change.normal(action.guard), tuple(updates)


def _why_not(
    system: System,
    properties: Sequence[Property],
    covers: Sequence[Cover],
    change: Renaming,
    images: Sequence[int | None],
) -> str:
    sorts = {v.name: v.sort for v in system.variables}
    if any(sorts.get(change.variable(name)) != sort for name, sort in sorts.items()):
        return "the records have different variables"
    if change.state(system.initial) != system.initial:
        return "the records start differently"
    if any(isinstance(s, Array) and isinstance(s.element, Ring) for s in sorts.values()):
        return "an array of positions"
    for action, image in zip(system.actions, images, strict=True):
        if image is None:
            return f"{action.name} has no partner"
    duties: dict[str, str] = {}
    for action, image in zip(system.actions, images, strict=True):
        if (
            image is not None
            and duties.setdefault(action.duty, system.actions[image].duty) != system.actions[image].duty
        ):
            return f"the outcomes of {action.duty} are told apart"
    for prop in (*properties, *covers):
        if partner(system, prop, change, [*properties, *covers], images) is None:
            return f"{prop.name} has no partner"
    return ""


def partner(
    system: System,
    prop: Property | Cover,
    change: Renaming,
    among: Sequence[Property | Cover],
    images: Sequence[int | None],
) -> Property | Cover | None:
    """What a property becomes under a renaming: one of the others, or None."""
    if isinstance(prop, InRange):
        return prop
    taken = _taken(prop)
    if taken:
        named = (action.name for action in system.actions)
        steps = {name: system.actions[k].name for name, k in zip(named, images, strict=True) if k is not None}
        taken = {steps.get(name, name) for name in taken}
    told = _told(prop, change)
    return next(
        (
            other
            for other in among
            if type(other) is type(prop) and _taken(other) == taken and _told(other, system.unchanged) == told
        ),
        None,
    )


def _told(of: Property | Cover, change: Renaming) -> str:
    condition = getattr(of, "condition", None)
    return "" if condition is None else change.remembered(condition)


def _taken(of: Property | Cover) -> Set[str]:
    found: Set[str] = getattr(of, "without", getattr(of, "steps", frozenset()))
    return found


def permuted(system: System, change: Renaming) -> dict[str, Expr]:
    """The next-state values that carry out a renaming: each variable takes its partner's value."""
    back = {change.variable(v.name): v for v in system.variables}
    result: dict[str, Expr] = {}
    for variable in system.variables:
        value = Expr("var", (), variable.sort, back[variable.name].name)
        if change.concerns(variable.sort):
            value = _exchanged(value, change)
        result[variable.name] = value
    return result


def _exchanged(value: Expr, change: Renaming) -> Expr:
    sort = value.sort
    if isinstance(sort, Array):
        positions = [Expr("const", (), Ring(sort.size), k) for k in range(sort.size)]
        return Expr("array", tuple(_exchanged(value[position], change) for position in positions), sort)
    assert isinstance(sort, Enum)
    result = value
    for old, new in _pairs(change, sort):
        result = ite(value == old, Expr("const", (), sort, new), result)
    return result


def _pairs(change: Renaming, sort: Enum) -> Iterator[tuple[str, Value]]:
    return ((name, change.names[name]) for name in sort.names if change.names.get(name, name) != name)
