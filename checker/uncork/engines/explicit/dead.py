"""Dead variables: what nobody will read before it is written need not be told apart.

A variable that is dead at every place (see `flow`) is so for ever. Another may be for a while: there it is set to its
default, which is exact. Take two states at one place that differ in variables only that are dead there. They satisfy
the same properties and have the same actions; each leads both to one place, and to two such states again: what is live
after a step was written with what was live before it, or was live before and kept. So the two are bisimilar, and no
property, fair or not, tells them apart. A variable that tells where others are dead is not set itself, so whether they
are is the same before and after: any number of variables is set in one step, each because of places of its own.

Of the places that there might be only those are tried that can say something: of a small variable that everybody looks
at, or writes with, who reads the other; of that and a truth value that has a say in where it goes from there; of two
numbers that are compared with one another.
"""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.expr import Expr, any_of, ite
from uncork.core.sorts import Array, Bool, default
from uncork.core.system import Variable
from uncork.engines.explicit.flow import Flow, Places, small

_WORK = 10_000
"""Steps that are looked at, each once for every places that are tried: about a second. Few systems have so many."""


def buried(flow: Flow) -> dict[str, Expr]:
    """For each variable that may be dead, its value with the default in place of what nobody will read."""
    living = [v for v in flow.system.variables if flow.places().live[v.name]]
    dead: dict[str, list[tuple[Places, int]]] = {}
    telling: set[str] = set()
    for places in [flow.places(*names) for names in _tried(flow, living)]:
        for variable in living:
            name = variable.name
            if name in telling | places.names or places.names & dead.keys() or isinstance(variable.sort, Array):
                continue
            where = places.reached & ~places.live[name]
            for fewer, known in dead.get(name, ()):
                if fewer.names < places.names:
                    where &= ~places.widened(fewer, known)
            if where:
                dead.setdefault(name, []).append((places, where))
                telling |= places.names
    result: dict[str, Expr] = {}
    for variable in flow.system.variables:
        nothing = Expr("const", (), variable.sort, default(variable.sort))
        if variable.name in dead:
            where_dead = any_of(places.are_in(where) for places, where in dead[variable.name])
            result[variable.name] = ite(where_dead, nothing, Expr("var", (), variable.sort, variable.name))
        elif variable not in living and not isinstance(variable.sort, Array):
            result[variable.name] = nothing
    return result


def _tried(flow: Flow, living: list[Variable]) -> list[tuple[str, ...]]:
    """The variables whose places are tried: one alone before two."""
    telling = frozenset(v.name for v in living if small(v))
    compared = {each for action in flow.system.actions for each in _pairs(flow, action.guard) if each <= telling}
    found: set[frozenset[str]] = set()
    for name in [v.name for v in living if not isinstance(v.sort, Array)]:
        near = [names & telling - {name} for names in _readers(flow, name, living)]
        common = frozenset.intersection(*near) if near else frozenset[str]()
        found |= {frozenset((one,)) for one in common}
        found |= {pair for pair in compared if near and name not in pair and all(pair & names for names in near)}
        for action in flow.system.actions:
            if name not in action.updates:
                also = [each for each in flow.names(action.guard) & telling - {name} if _is_bool(flow, each)]
                moved = [one for one in common & action.updates.keys() if not _is_bool(flow, one)]
                found |= {frozenset((one, each)) for one in moved for each in also}
    tried = sorted((tuple(sorted(names)) for names in found), key=lambda names: (len(names), names))
    return tried[: max(1, _WORK // len(flow.system.actions))] if flow.system.actions else []


def _readers(flow: Flow, name: str, living: list[Variable]) -> Iterator[frozenset[str]]:
    """For each condition and action that reads a variable, all that it reads; what the variable alone becomes aside."""
    alive = {v.name for v in living}
    yield from (names for names in map(flow.names, flow.conditions) if name in names)
    for action in flow.system.actions:
        guard = flow.names(action.guard)
        written = {each: flow.names(value) for each, value in action.updates.items() if each in alive}
        if name in guard or any(name in names for each, names in written.items() if each != name):
            yield guard.union(*written.values())


def _pairs(flow: Flow, condition: Expr) -> Iterator[frozenset[str]]:
    """Two variables that are compared somewhere in a condition."""
    if condition.op in ("&", "|", "~"):
        for arg in condition.args:
            yield from _pairs(flow, arg)
    elif len(names := flow.names(condition)) == 2:
        yield names


def _is_bool(flow: Flow, name: str) -> bool:
    return isinstance(flow.variables[name].sort, Bool)
