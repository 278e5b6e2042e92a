"""What a few variables say of the rest: what may happen, where that leads, and what is read before it is written.

The values that one or two small variables have together are *places*, as those of a program counter are. A set of
places is a whole number with a bit for each place, and a set of variables is one with a bit for each variable. What may
be is always found; some of what is found may never be.

A variable is *live* at a place if somebody may read it before it is written: if a property or a guard reads it there,
or a step that may be taken there, to write what is live where it leads or what tells the places apart; or if a step
that does not write it leads to where it is live. The least such sets are the live variables of a compiler (Kildall, A
unified approach to global program optimization, POPL 1973), less those that are read for nothing (Giegerich, Moencke
and Wilhelm, Invariance of approximative semantics with respect to program transformations, 1981), along some variables
in place of a flow graph. Any sets that are closed under these rules will do, so a variable that is read somewhere
without what tells the places apart is taken as live everywhere, and only the others are followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import product
from typing import NamedTuple, TypeAlias

from uncork.core.evaluate import evaluate
from uncork.core.expr import Expr, any_of, boolean
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Sort, Value
from uncork.core.system import Action, System, Variable

_LARGE = 16
"""Values of a variable that is not small any more, and tells no places apart."""

May: TypeAlias = "dict[Value | None, int]"
"""Where something may have which value; where it may have any, under None."""


class Step(NamedTuple):
    """An action, with sets of variables: what its guard reads, what it writes, and all that it reads or writes.

    `values` has the next values that are not constant: what is written, the value, what that reads, and whether it is
    looked at by the in-range property.
    """

    action: Action
    guard: int
    changes: int
    concerns: int
    values: list[tuple[int, Expr, int, bool]]


class Flow:
    """A system and the conditions that are asked of it."""

    def __init__(self, system: System, conditions: Sequence[Expr]) -> None:
        self.system, self.conditions = system, conditions
        self.variables = {v.name: v for v in system.variables}
        self.bits = {name: 1 << number for number, name in enumerate(self.variables)}
        self.known: dict[int, Places] = {}
        self._reads: dict[int, int] = {}
        self.steps = [self._step(action) for action in system.actions]

    def names(self, some: int) -> list[str]:
        """The names of some variables."""
        return [name for name, bit in self.bits.items() if bit & some]

    def reads(self, node: Expr) -> int:
        """The variables in an expression of the system."""
        found = self._reads.get(id(node))
        if found is None:
            found = self.bits[str(node.value)] if node.op == "var" else 0
            for arg in node.args:
                found |= self.reads(arg)
            self._reads[id(node)] = found
        return found

    def _step(self, action: Action) -> Step:
        guard, changes, values = self.reads(action.guard), 0, []
        concerns = guard
        for name, value in action.updates.items():
            bit = self.bits[name]
            changes |= bit
            if value.op != "const":
                values.append((bit, value, reads := self.reads(value), _may_stray(self.variables[name].sort, value)))
                concerns |= reads
        return Step(action, guard, changes, concerns | changes, values)

    @cached_property
    def living(self) -> int:
        """The variables that somebody may read: the others are dead for ever."""
        living = 0
        for condition in self.conditions:
            living |= self.reads(condition)
        for step in self.steps:
            living |= step.guard
            for _, _, reads, watched in step.values:
                living |= reads if watched else 0
        before = -1
        while living != before:
            before = living
            for step in self.steps:
                for bit, _, reads, _ in step.values:
                    living |= reads if bit & living else 0
        return living

    @cached_property
    def readers(self) -> list[tuple[int, int]]:
        """For each condition and action, all variables in it, and those whose value it passes on or acts on.

        A variable that is read for its own next value only is not among the latter.
        """
        found = {(reads, reads) for reads in map(self.reads, self.conditions)}
        for step in self.steps:
            concerned = passed = step.guard
            for bit, _, reads, watched in step.values:
                if watched or bit & self.living:
                    concerned |= reads
                    passed |= reads if watched else reads & ~bit
            found.add((concerned, passed))
        return [*found]

    def beside(self, some: int) -> int:
        """The variables that may be dead at places of some others: nobody reads them without one of the others."""
        found = self.living & ~some
        for concerned, passed in self.readers:
            if not concerned & some:
                found &= ~passed
        return found

    def places(self, some: int) -> Places:
        """The places of some variables; of none, there is one place."""
        if some not in self.known:
            self.known[some] = Places(self, some)
        return self.known[some]


class Way(NamedTuple):
    """Where something may happen, and which places may lead to which; without `leads` each leads to itself."""

    where: int
    leads: Sequence[tuple[int, int]] | None = None

    def before(self, where: int) -> int:
        """From where it may lead to some places."""
        if self.leads is None:
            return self.where & where
        found = 0
        for sources, after in self.leads:
            if after & where:
                found |= sources
        return found


class Places:
    """The places of a few variables."""

    def __init__(self, flow: Flow, some: int) -> None:
        self.flow, self.some = flow, some
        self.variables = [flow.variables[name] for name in flow.names(some)]
        self.states = list(product(*[_values(v.sort) for v in self.variables]))
        self.everywhere = (1 << len(self.states)) - 1
        self._at: dict[str, May] = {v.name: {} for v in self.variables}
        for number, state in enumerate(self.states):
            for at, value in zip(self._at.values(), state, strict=True):
                at[value] = at.get(value, 0) | 1 << number
        self._truths: dict[int, tuple[int, int]] = {}
        self._ways: dict[str, Way] = {}
        self._wider: dict[int, list[int]] = {}

    # -- what may be -----------------------------------------------------------------------------------------------
    def truths(self, condition: Expr) -> tuple[int, int]:
        """Where a condition of the system may be true, and where it may be false."""
        found = self._truths.get(id(condition))
        if found is None:
            found = self._truths[id(condition)] = self._look(condition)
        return found

    def _look(self, condition: Expr) -> tuple[int, int]:
        op, args, concerned = condition.op, condition.args, self.flow.reads(condition) & self.some
        if not concerned and op != "const":
            return self.everywhere, self.everywhere
        if op in ("~", "&", "|"):
            true, false = self.truths(args[0])
            if op == "~":
                return false, true
            other, wrong = self.truths(args[1])
            return (true & other, false | wrong) if op == "&" else (true | other, false & wrong)
        if concerned != self.some:
            fewer = self.flow.places(concerned)
            true, false = fewer.truths(condition)
            return self.widened(fewer, true), self.widened(fewer, false)
        if op == "==":
            one, other_one = self._may_be(args[0]), self._may_be(args[1])
            true = false = one.get(None, 0) | other_one.get(None, 0)
            for value, where in one.items():
                for other_value, there in other_one.items():
                    if value == other_value:
                        true |= where & there
                    else:
                        false |= where & there
            return true, false
        may = self._may_be(condition)
        unknown = may.get(None, 0)
        return may.get(True, 0) | unknown, may.get(False, 0) | unknown

    def _may_be(self, node: Expr) -> May:
        """Where an expression may have which value; None if nothing is known."""
        op, args, reads = node.op, node.args, self.flow.reads(node)
        if op == "var" and reads & self.some:
            return self._at[str(node.value)]
        found: May = {}
        if op == "ite":
            for where, branch in zip(self.truths(args[0]), args[1:], strict=True):
                for value, there in self._may_be(branch).items():
                    found[value] = found.get(value, 0) | where & there
        elif op in ("~", "&", "|", "=="):
            found[True], found[False] = self.truths(node)
        elif op == "const":
            found[node.value] = self.everywhere
        elif reads & ~self.some:
            found[None] = self.everywhere
        else:
            for number, state in enumerate(self.states):
                value = evaluate(node, dict(zip(self._at, state, strict=True)))
                found[value] = found.get(value, 0) | 1 << number
        return found

    def _is_known(self, node: Expr) -> int:
        """Where an expression has the same value in any case."""
        once = twice = 0
        for value, where in self._may_be(node).items():
            twice |= where if value is None else once & where
            once |= where
        return once & ~twice

    def widened(self, fewer: Places, where: int) -> int:
        """The places at which some of the variables are at some places of theirs."""
        masks = self._wider.get(fewer.some)
        if masks is None:
            each = [zip(fewer.variables, state, strict=True) for state in fewer.states]
            masks = self._wider[fewer.some] = [self._all_at(values) for values in each]
        found = 0
        for mask in masks:
            if where & 1:
                found |= mask
            where >>= 1
        return found

    def _all_at(self, values: Iterable[tuple[Variable, Value]]) -> int:
        found = self.everywhere
        for variable, value in values:
            found &= self._at[variable.name].get(value, 0)
        return found

    def are_in(self, where: int) -> Expr:
        """Whether the variables are in some places."""
        return _are_among(self.variables, [each for number, each in enumerate(self.states) if where >> number & 1])

    def way(self, step: Step) -> Way:
        """Where a step may happen and lead."""
        name = step.action.name
        if name not in self._ways:
            self._ways[name] = self._way(step)
        return self._ways[name]

    def _way(self, step: Step) -> Way:
        where = self.truths(step.action.guard)[0]
        if not step.changes & self.some:
            return Way(where)
        leads = [(where, self.everywhere)]
        for name, at in self._at.items():
            value = step.action.updates.get(name)
            may = at if value is None else self._may_be(value)
            leads = [
                (sources & there, after if to is None else after & at.get(to, 0))
                for sources, after in leads
                for to, there in may.items()
                if sources & there
            ]
        return Way(where, [(sources, after) for sources, after in leads if after])  # what strays leads nowhere

    @cached_property
    def reached(self) -> int:
        """The places that a run may come to."""
        initial, moves = self.flow.system.initial, [s for s in self.flow.steps if s.changes & self.some]
        reached, before = self._all_at((v, initial[v.name]) for v in self.variables), 0
        leads = [lead for step in moves for lead in self.way(step).leads or ()]
        while reached != before:
            before = reached
            for sources, after in leads:
                if sources & reached:
                    reached |= after
        return reached

    # -- what is read ----------------------------------------------------------------------------------------------
    def live(self, bit: int) -> int:
        """Where a variable may be read before it is written: where it is not dead."""
        return self._live.get(bit, self.everywhere if bit & self.flow.living else 0)

    @cached_property
    def _live(self) -> dict[int, int]:
        followed = self.flow.beside(self.some)
        live = dict.fromkeys(each(followed), 0)
        if not live:
            return live
        copies: list[tuple[int, Way, dict[int, int]]] = []
        moves: list[tuple[int, Way]] = []
        for condition in self.flow.conditions:
            self._notes(condition, self.everywhere, followed, live)
        for step in self.flow.steps:
            if not step.concerns & self.some:  # it leads to the same place, and what is followed is kept or written
                continue
            way = self.way(step)
            self._notes(step.action.guard, self.everywhere, followed, live)
            for bit, node, reads, watched in step.values:
                if watched or bit & (self.some | self.flow.living & ~followed):
                    self._notes(node, way.where, followed, live)
                elif bit & followed and reads & followed:
                    read = dict[int, int]()
                    self._notes(node, way.where, followed, read)
                    copies.append((bit, way, read))
            if step.changes & self.some:
                moves.append((step.changes, way))
        before: dict[int, int] = {}
        while live != before:
            before = dict(live)
            for changes, way in moves:
                for bit, where in live.items():
                    if not bit & changes and where not in (0, self.everywhere):
                        live[bit] |= way.before(where)
            for bit, way, read in copies:
                where = way.before(live[bit])
                for other, there in read.items() if where else ():
                    live[other] |= there & where
        return live

    def _notes(self, node: Expr, where: int, followed: int, read: dict[int, int]) -> None:
        """Notes where it matters to an expression what its variables are: not where it is the same in any case."""
        reads, op, args = self.flow.reads(node), node.op, node.args
        if not reads & followed or not where:
            return
        if op == "var" or not reads & self.some:
            for bit in each(reads & followed):
                read[bit] = read.get(bit, 0) | where
            return
        if isinstance(node.sort, Bool):
            true, false = self.truths(node)
            where &= true & false
        elif op == "ite":
            where &= ~self._is_known(node)
        wheres = [where] * len(args)
        if op == "ite":
            true, false = self.truths(args[0])
            wheres[1:] = [where & true, where & false]
        for arg, there in zip(args, wheres, strict=True):
            self._notes(arg, there, followed, read)


def each(some: int) -> Iterator[int]:
    """The elements of a set of variables."""
    while some:
        bit = some & -some
        yield bit
        some ^= bit


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
    if sort is value.sort or sort == value.sort or value.op == "const":
        return False
    low, high = (getattr(value.sort, each, None) for each in ("low", "high"))
    return low is None or high is None or low < getattr(sort, "low", 0) or high > getattr(sort, "high", -1)


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
