"""What a few variables say of the rest: what may happen, where that leads, and what is read before it is written.

The values that one or two small variables have together are *places*, as those of a program counter are. A set of
places is a whole number, with a bit for each. What may be is always found; some of what is found may never be.

A variable is *live* at a place if somebody may read it before it is written: if a property or a guard reads it there,
or a step that may be taken there, to write what is live where it leads or what tells the places apart; or if a step
that does not write it leads to where it is live. The least such sets are the live variables of a compiler (Kildall, A
unified approach to global program optimization, POPL 1973), less those that are read for nothing (Giegerich, Moencke
and Wilhelm, Invariance of approximative semantics with respect to program transformations, 1981), along some variables
in place of a flow graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import product

from uncork.core.evaluate import evaluate
from uncork.core.expr import Expr, any_of, boolean
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Sort, Value
from uncork.core.system import Action, System, Variable

_LARGE = 16
"""Values of a variable that is not small any more, and tells no places apart."""

_BOTH: frozenset[Value | None] = frozenset((False, True))
_UNKNOWN: frozenset[Value | None] = frozenset((None,))


class Flow:
    """A system and the conditions that are asked of it."""

    def __init__(self, system: System, conditions: Sequence[Expr]) -> None:
        self.system, self.conditions = system, conditions
        self.variables = {v.name: v for v in system.variables}
        self.known: dict[frozenset[str], Places] = {}
        self._names: dict[int, frozenset[str]] = {}

    def names(self, node: Expr) -> frozenset[str]:
        """The variables in an expression of the system."""
        found = self._names.get(id(node))
        if found is None:
            own = (str(node.value),) if node.op == "var" else ()
            found = self._names[id(node)] = frozenset(own).union(*map(self.names, node.args))
        return found

    def places(self, *names: str) -> Places:
        """The places of some variables; of none, there is one place."""
        key = frozenset(names)
        if key not in self.known:
            self.known[key] = Places(self, [v for v in self.system.variables if v.name in key])
        return self.known[key]


class Way:
    """Where something may happen, and to which places it may lead from each; nothing is said of what stays."""

    def __init__(self, where: int, leads: Mapping[int, int] | None = None) -> None:
        self.where, self.leads = where, leads or {}

    def before(self, where: int) -> int:
        """From where it may lead to some places."""
        if not self.leads:
            return self.where & where
        return sum(1 << place for place, after in self.leads.items() if after & where)


class Places:
    """The places of a few variables."""

    def __init__(self, flow: Flow, variables: Sequence[Variable]) -> None:
        self.flow, self.variables = flow, variables
        self.names = frozenset(v.name for v in variables)
        self._values = [_values(v.sort) for v in variables]
        self._numbers = {values: place for place, values in enumerate(product(*self._values))}
        self.states = [{v.name: value for v, value in zip(variables, each, strict=True)} for each in self._numbers]
        self.everywhere = (1 << len(self.states)) - 1
        self._where: dict[tuple[int, bool], int] = {}
        self._wider: dict[Places, list[int]] = {}

    # -- what may be -----------------------------------------------------------------------------------------------
    def where(self, condition: Expr, value: bool = True) -> int:
        """Where a condition of the system may be true, or false."""
        found = self._where.get((id(condition), value))
        if found is None:
            found = self._where[id(condition), value] = self._look(condition, value)
        return found

    def _look(self, condition: Expr, value: bool) -> int:
        op, args = condition.op, condition.args
        if op == "~":
            return self.where(args[0], not value)
        if op in ("&", "|"):
            one, other = (self.where(arg, value) for arg in args)
            return one & other if (op == "&") == value else one | other
        concerned = self.flow.names(condition) & self.names
        if concerned != self.names:
            fewer = self.flow.places(*concerned)
            return self.widened(fewer, fewer.where(condition, value))
        return _those(value in self._may_be(condition, state) for state in self.states)

    def _may_be(self, node: Expr, state: Mapping[str, Value]) -> frozenset[Value | None]:
        """What an expression may be at a place; None is among it if nothing is known."""
        names, op, args = self.flow.names(node), node.op, node.args
        if names <= self.names:
            return frozenset((evaluate(node, state),))
        if op == "ite":
            truths = self._may_be(args[0], state)
            branches = [arg for truth, arg in zip((True, False), args[1:], strict=True) if truth in truths]
            return frozenset(value for branch in branches for value in self._may_be(branch, state))
        if op == "==":
            one, other = (self._may_be(arg, state) for arg in args)
            return _BOTH if None in one | other else frozenset(a == b for a, b in product(one, other))
        return _BOTH if isinstance(node.sort, Bool) else _UNKNOWN

    def widened(self, fewer: Places, where: int) -> int:
        """The places at which some of the variables are at some places of theirs."""
        masks = self._wider.get(fewer)
        if masks is None:
            masks = self._wider[fewer] = [0] * len(fewer.states)
            for place, state in enumerate(self.states):
                masks[fewer._numbers[tuple(state[v.name] for v in fewer.variables)]] |= 1 << place
        return sum(mask for number, mask in enumerate(masks) if where >> number & 1)

    def are_in(self, where: int) -> Expr:
        """Whether the variables are in some places."""
        return _are_among(self.variables, [each for each, place in self._numbers.items() if where >> place & 1])

    @cached_property
    def ways(self) -> list[tuple[Action, Way]]:
        """Every action, and where it may happen and lead."""
        return [(action, self._way(action)) for action in self.flow.system.actions]

    def _way(self, action: Action) -> Way:
        where, leads = self.where(action.guard), dict[int, int]()
        if self.names.isdisjoint(action.updates):
            return Way(where)
        for place, state in enumerate(self.states):
            if where >> place & 1:
                after: list[Sequence[Value]] = []
                for variable, values in zip(self.variables, self._values, strict=True):
                    value = action.updates.get(variable.name)
                    may = frozenset((state[variable.name],)) if value is None else self._may_be(value, state)
                    after.append(values if None in may else [each for each in may if each is not None])
                found = {self._numbers.get(each) for each in product(*after)}  # what strays leads nowhere
                leads[place] = sum(1 << number for number in found if number is not None)
        return Way(where, leads)

    @cached_property
    def reached(self) -> int:
        """The places that a run may come to."""
        initial = self.flow.system.initial
        reached, before = 1 << self._numbers[tuple(initial[v.name] for v in self.variables)], 0
        while reached != before:
            before = reached
            for _, way in self.ways:
                for place, after in way.leads.items():
                    reached |= after if reached >> place & 1 else 0
        return reached

    # -- what is read ----------------------------------------------------------------------------------------------
    @cached_property
    def live(self) -> dict[str, int]:
        """Where each variable may be read before it is written: where it is not dead."""
        live = dict.fromkeys(self.flow.variables, 0)
        copies: list[tuple[str, Way, dict[str, int]]] = []
        for condition in self.flow.conditions:
            self._reads(condition, self.everywhere, live)
        for action, way in self.ways:
            self._reads(action.guard, self.everywhere, live)
            for name, value in action.updates.items():
                if value.op != "const":
                    watched = name in self.names or _may_stray(self.flow.variables[name].sort, value)
                    read = live if watched else dict[str, int]()
                    self._reads(value, way.where, read)
                    copies += [] if watched else [(name, way, read)]
        before: dict[str, int] = {}
        while live != before:
            before = dict(live)
            for action, way in self.ways:
                if way.leads:
                    for name, where in live.items():
                        if where not in (0, self.everywhere) and name not in action.updates:
                            live[name] |= way.before(where)
            for name, way, read in copies:
                where = way.before(live[name])
                for each, there in read.items() if where else ():
                    live[each] |= there & where
        return live

    def _reads(self, node: Expr, where: int, read: dict[str, int]) -> None:
        """Notes where it matters to an expression what its variables are: not where it is the same in any case."""
        names, op, args = self.flow.names(node), node.op, node.args
        if op == "var" or names.isdisjoint(self.names):
            for name in names if where else ():
                read[name] = read.get(name, 0) | where
            return
        if isinstance(node.sort, Bool):
            where &= self.where(node, True) & self.where(node, False)
        elif op == "ite":
            where &= ~_those(_is_one(self._may_be(node, state)) for state in self.states)
        wheres = [where] * len(args)
        if op == "ite":
            wheres[1:] = [where & self.where(args[0], True), where & self.where(args[0], False)]
        for arg, there in zip(args, wheres, strict=True):
            if there:
                self._reads(arg, there, read)


def small(variable: Variable) -> bool:
    """Whether a variable may tell places apart: one of few values that is no position, for positions are turned."""
    return not isinstance(variable.sort, Array | Ring) and 1 < len(_values(variable.sort)) <= _LARGE


def _values(sort: Sort) -> Sequence[Value]:
    match sort:
        case Enum(names):
            return names
        case Bool():
            return (False, True)
        case Range(low, high):
            return range(low, high + 1)
        case _:
            return ()


def _may_stray(sort: Sort, value: Expr) -> bool:
    """Whether an update may leave its variable's sort; such a variable is watched by the in-range property."""
    if sort == value.sort or value.op == "const":
        return False
    low, high = (getattr(value.sort, each, None) for each in ("low", "high"))
    return low is None or high is None or low < getattr(sort, "low", 0) or high > getattr(sort, "high", -1)


def _those(chosen: Iterable[bool]) -> int:
    return sum(1 << place for place, so in enumerate(chosen) if so)


def _is_one(values: frozenset[Value | None]) -> bool:
    return len(values) == 1 and None not in values


def _are_among(variables: Sequence[Variable], states: Sequence[tuple[Value, ...]]) -> Expr:
    """Whether some variables have together one of some lists of values."""
    if not variables:
        return boolean(bool(states))
    rests: dict[Value, list[tuple[Value, ...]]] = {}
    for value, *rest in states:
        rests.setdefault(value, []).append(tuple(rest))
    alike: dict[tuple[tuple[Value, ...], ...], list[Value]] = {}
    for value, found in rests.items():
        alike.setdefault(tuple(found), []).append(value)
    return any_of(_is_among(variables[0], v) & _are_among(variables[1:], rest) for rest, v in alike.items())


def _is_among(variable: Variable, values: Sequence[Value]) -> Expr:
    node, others = Expr("var", (), variable.sort, variable.name), [v for v in _values(variable.sort) if v not in values]
    if isinstance(variable.sort, Bool) and others:
        return node if values[0] else ~node
    if len(others) < len(values):
        return ~any_of(node == value for value in others)
    return any_of(node == value for value in values)
