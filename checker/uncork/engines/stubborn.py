"""Stubborn sets: which steps need not be tried in a state, because they may as well come later.

A set of actions is stubborn in a state if it has, with each enabled action of it, every action that shares a variable
which one of the two changes; and with each disabled one, every action that changes a variable of one false conjunct of
its guard. A run that begins with other actions can then be put in another order: the first action of the set comes
first, and leads to the same states (Valmari, "Stubborn sets for reduced state space generation", 1989).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf

from uncork.core.expr import Expr, conjuncts, ite, number, text, variables
from uncork.core.system import Action, System
from uncork.engines.python import Packing, Plain, values

ENABLED = -1
"""The status of an enabled action; of a disabled one it is the number of the first conjunct that is false."""


class Stubborn:
    """The actions of a system, in groups: a group has one action, or a step with any number of entries.

    In a group of several, the first action is enabled whenever another is, and they touch the same variables.
    """

    def __init__(self, system: System, packing: Packing) -> None:
        self.groups = _groups(system.actions)
        self.of = {action.name: which for which, group in enumerate(self.groups) for action in group}
        self._first = [group[0] for group in self.groups]
        self._system, self._packing = system, packing

    def status(self, groups: Sequence[int]) -> Callable[[Plain], tuple[int, ...]]:
        """The function from a packed state to the status of some groups there."""
        return values(self._system, [_first_false(self._first[which]) for which in groups], self._packing)

    def changing(self, names: Collection[str]) -> frozenset[int]:
        """The groups that change one of these variables."""
        return frozenset(
            which for which, action in enumerate(self._first) if not action.updates.keys().isdisjoint(names)
        )

    def _reading(self, names: Collection[str]) -> frozenset[int]:
        return frozenset(which for which, each in enumerate(self._first) if not each.reads.isdisjoint(names))

    def needed(
        self, status: Mapping[int, int], seeds: Iterable[int], within: frozenset[int], below: float = inf
    ) -> list[int] | None:
        """The enabled groups of the least stubborn set with `seeds`, of groups in `within`, at which it is closed.

        None if they are not fewer than `below`.
        """
        inside = set(seeds)
        waiting, enabled = list(inside), list[int]()
        while waiting:
            which = waiting.pop()
            if status[which] == ENABLED:
                if which in within:
                    enabled.append(which)
                    if len(enabled) >= below:
                        return None
                more = self.dependent[which]
            else:
                more = self._enabling[which][status[which]]
            more = (more & within) - inside
            waiting += more
            inside |= more
        return sorted(enabled)

    @functools.cached_property
    def dependent(self) -> list[frozenset[int]]:
        """The groups that share with each group a variable that one of the two changes."""
        return [
            self.changing(each.reads | each.updates.keys()) | self._reading(each.updates.keys()) for each in self._first
        ]

    @functools.cached_property
    def _enabling(self) -> list[list[frozenset[int]]]:
        """For each conjunct of each group's guard, the groups that change one of its variables."""
        return [[self.changing(_names(each)) for each in conjuncts(action.guard)] for action in self._first]


def _names(expr: Expr) -> frozenset[str]:
    return frozenset(str(variable.value) for variable in variables(expr))


def _first_false(action: Action) -> Expr:
    found = number(ENABLED)
    for which, conjunct in reversed([*enumerate(conjuncts(action.guard))]):
        found = ite(conjunct, found, number(which))
    return found


def _groups(actions: Iterable[Action]) -> list[tuple[Action, ...]]:
    found: list[list[Action]] = []
    latest: dict[tuple[str, str], list[Action]] = {}
    for action in actions:
        group = latest.get((action.family, action.actor))
        if group is not None and action.args and type(action.args[-1]) is int and _weaker(group[0], action):
            group.append(action)
        else:
            latest[action.family, action.actor] = [action]
            found.append(latest[action.family, action.actor])
    return [tuple(group) for group in found]


def _weaker(first: Action, other: Action) -> bool:
    """Whether two actions touch the same variables, and the first is enabled whenever the other is."""
    if first.reads != other.reads or first.updates.keys() != other.updates.keys():
        return False
    one, two = conjuncts(first.guard), conjuncts(other.guard)
    return len(one) == len(two) and all(_implied(a, b) for a, b in zip(one, two, strict=True))


def _implied(first: Expr, other: Expr) -> bool:
    """Whether the first is the other, or the same bound with a number that is not smaller."""
    if first is other or text(first) == text(other):
        return True
    bounds = first.op == other.op == "<=" and first.args[1].op == other.args[1].op == "const"
    return bounds and text(first.args[0]) == text(other.args[0]) and first.args[1].value >= other.args[1].value  # type: ignore[operator]  # numbers
