"""Dead variables: what nobody will read before it is written need not be told apart.

A variable that no guard, property or living variable ever reads is dead for ever. Another may be dead for a while: say
p is an enumeration, as a program counter is. A variable x is live where p is v if

- a property reads x there, or an action does that may happen there: in its guard, or in the next value of a variable
  that is not dead for ever; or
- an action that may happen there does not write x, and leads to where p is v' and x is live.

The least such set is the live variables of a compiler (Kildall, A unified approach to global program optimization,
POPL 1973), along one variable in place of a flow graph. Where p has any other value, two states that differ in x only
satisfy the same properties and have the same actions, which lead to equal states or to two such states again: they are
bisimilar. An enumeration is never dead for a while, so what it tells is the same before and after others are buried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from uncork.core.expr import Expr, any_of, ite, variables
from uncork.core.sorts import Array, Enum, default
from uncork.core.system import Action, System, Variable


def buried(system: System, conditions: Sequence[Expr]) -> dict[str, Expr]:
    """For each variable that may be dead, its value with the default in place of what nobody will read."""
    living = _living(system, conditions)
    counters = [_Counter(v, system, conditions, living) for v in system.variables if isinstance(v.sort, Enum)]
    result: dict[str, Expr] = {}
    for variable in system.variables:
        nothing = Expr("const", (), variable.sort, default(variable.sort))
        if variable.name not in living and not isinstance(variable.sort, Array):
            result[variable.name] = nothing
        elif not isinstance(variable.sort, Array | Enum):
            dead = any_of(c.is_at(value) for c in counters for value in c.dead(variable.name))
            if dead.op != "const":
                result[variable.name] = ite(dead, nothing, _var(variable))
    return result


class _Counter:
    """An enumeration, and what happens at each of its values."""

    def __init__(self, variable: Variable, system: System, conditions: Sequence[Expr], living: set[str]) -> None:
        self.variable, self.known = variable, variable.name in living
        self.values = [str(value) for value in variable.sort.values()]
        self.read: dict[str, set[str]] = {}  # by variable, where somebody reads it
        self.ways: list[tuple[Action, set[tuple[str, str]]]] = []  # from where an action leads to where
        for condition in conditions:
            self._reads(condition, set(self.values))
        for action in system.actions:
            where = self._where(action.guard)
            self._reads(action.guard, where)
            for changed, value in action.updates.items():
                if changed in living:
                    self._reads(value, where)
            after = action.updates.get(variable.name, _var(variable))
            self.ways.append((action, {(value, to) for value in where for to in self._leads(after, value)}))

    def is_at(self, value: str) -> Expr:
        """Whether it has a value."""
        return _var(self.variable) == value

    def dead(self, name: str) -> list[str]:
        """The values at which nobody will read a variable before it is written."""
        live = set(self.read.get(name, ()))
        ways = {way for action, found in self.ways if name not in action.updates for way in found}
        while more := {value for value, to in ways if to in live} - live:
            live |= more
        return [value for value in self.values if value not in live and self.known]

    def _reads(self, node: Expr, where: set[str]) -> None:
        """Notes where it matters to an expression what its variables are; it counts only where a condition may hold."""
        if node.op == "&":
            where = where & self._where(node)
        if node.op == "var":
            self.read.setdefault(str(node.value), set()).update(where)
        for arg in node.args:
            self._reads(arg, where)

    def _where(self, condition: Expr) -> set[str]:
        """The values at which a condition may hold."""
        op, args = condition.op, condition.args
        if op == "&":
            return self._where(args[0]) & self._where(args[1])
        if op == "|":
            return self._where(args[0]) | self._where(args[1])
        if op == "~" and self._compares(args[0]):
            return set(self.values) - self._where(args[0])
        if self._compares(condition):
            return {str(side.value) for side in args if side.op == "const"}
        return set(self.values)

    def _compares(self, condition: Expr) -> bool:
        """Whether a condition is that the enumeration has some value."""
        sides = {(side.op, side.value if side.op == "var" else "") for side in condition.args}
        return condition.op == "==" and sides == {("var", self.variable.name), ("const", "")}

    def _leads(self, after: Expr, value: str) -> set[str]:
        """What `after` may be where the enumeration is at `value`."""
        if after.op == "ite":
            return self._leads(after.args[1], value) | self._leads(after.args[2], value)
        if after.op == "const":
            return {str(after.value)}
        return {value} if after.value == self.variable.name else set(self.values)


# -- dead for ever -----------------------------------------------------------------------------------------------------
def _living(system: System, conditions: Sequence[Expr]) -> set[str]:
    sources = {name: set[str]() for name in system.initial}
    living = _names([*conditions, *(action.guard for action in system.actions)])
    for action in system.actions:
        for name, value in action.updates.items():
            sources[name] |= _names([value])
            living |= {name} if _may_stray(system, name, value) else set()
    while found := {source for name in living for source in sources[name]} - living:
        living |= found
    return living


def _may_stray(system: System, name: str, value: Expr) -> bool:
    """Whether an update may leave its variable's sort; such a variable is watched by the in-range property."""
    sort = next(v.sort for v in system.variables if v.name == name)
    if sort == value.sort or value.op == "const":
        return False
    low, high = (getattr(value.sort, each, None) for each in ("low", "high"))
    return low is None or high is None or low < getattr(sort, "low", 0) or high > getattr(sort, "high", -1)


def _names(expressions: Iterable[Expr]) -> set[str]:
    return {str(v.value) for expression in expressions for v in variables(expression)}


def _var(variable: Variable) -> Expr:
    return Expr("var", (), variable.sort, variable.name)
