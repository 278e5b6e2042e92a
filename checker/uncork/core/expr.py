"""Expressions over typed variables, built by operator overloading and read by every engine and exporter.

A node is plain data: an operator, its arguments and a sort. Mistakes that Python would accept silently (`and`, `if`, a
missing parenthesis, a misspelt name) raise `SlipError` while the model is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from math import inf
from typing import Any, NoReturn

from uncork.core.size import Size, Undecided
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Scalar, SlipError, Sort, Value, did_you_mean


class Expr:
    """One node of an expression.

    `op` is `const` (`value` is the plain value), `var` (`value` is the variable's name), or an operator over `args`:
    `+ - == < <= & | ~ ite`; `wrap`, an integer modulo `value`, which is the size of a ring (a `wrap` whose sort is a
    `Range` is a distance on that ring); `select` (array, position); `store` (array, position, element); `array`, the
    elements in order, which only engines build; and `gap` (see the function `gap`).
    """

    __slots__ = ("args", "op", "sort", "value")

    def __init__(self, op: str, args: tuple[Expr, ...], sort: Sort, value: Value | None = None) -> None:
        self.op, self.args, self.sort, self.value = op, args, sort, value

    # -- arithmetic ------------------------------------------------------------------------------------------------
    def __add__(self, other: Expr | int) -> Expr:
        left, right = _number(self, "+"), _number(other, "+")
        if isinstance(right.sort, Ring):
            left, right = right, left
        if isinstance(left.sort, Ring) and isinstance(right.sort, Range):
            return _wrap(_sum(left, right), left.sort)
        if isinstance(left.sort, Range) and isinstance(right.sort, Range):
            return _sum(left, right)
        raise SlipError(f"{text(self)} + {text(right)}: two positions cannot be added; subtract them for a distance")

    def __radd__(self, other: int) -> Expr:
        return self + other

    def __sub__(self, other: Expr | int) -> Expr:
        _number(self, "-")
        right = _number(other, "-")
        if isinstance(self.sort, Ring) and isinstance(right.sort, Ring):
            if self.sort != right.sort:
                raise SlipError(f"{text(self)} - {text(right)}: positions on rings of different sizes")
            return _wrap(_difference(self, right), Range(0, self.sort.size - 1), self.sort.size)
        if isinstance(self.sort, Ring) and isinstance(right.sort, Range):
            return _wrap(_difference(self, right), self.sort)
        if isinstance(self.sort, Range) and isinstance(right.sort, Range):
            return _difference(self, right)
        raise SlipError(f"{text(self)} - {text(right)}: a position cannot be taken from a number")

    def __rsub__(self, other: int) -> Expr:
        return _number(other, "-") - self

    def _refused(self, other: object) -> NoReturn:
        raise SlipError(
            f"{text(self)} can be added, subtracted and compared; nothing else. Only plain numbers, such as cq.size, "
            "can be multiplied and divided (with //)"
        )

    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refused

    # -- comparison ------------------------------------------------------------------------------------------------
    def __eq__(self, other: object) -> Expr:  # type: ignore[override]  # builds a node, as in every such language
        right = lift(other, self.sort)
        if _known(self) and _known(right):
            return boolean(self.value == right.value)
        return Expr("==", (self, right), _BOOL)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]  # builds a node, as in every such language
        return ~(self == other)

    __hash__ = object.__hash__

    def __lt__(self, other: Expr | int) -> Expr:
        return _ordered("<", self, other)

    def __le__(self, other: Expr | int) -> Expr:
        return _ordered("<=", self, other)

    def __gt__(self, other: Expr | int) -> Expr:
        return _ordered("<", _number(other, ">"), self)

    def __ge__(self, other: Expr | int) -> Expr:
        return _ordered("<=", _number(other, ">="), self)

    def among(self, *names: str) -> Expr:
        """Whether the value of an enumeration is one of `names`."""
        return any_of(self == name for name in names)

    # -- logic -----------------------------------------------------------------------------------------------------
    def __and__(self, other: Expr | bool) -> Expr:
        return _logic("&", self, other, absorbing=False)

    __rand__ = __and__

    def __or__(self, other: Expr | bool) -> Expr:
        return _logic("|", self, other, absorbing=True)

    __ror__ = __or__

    def __invert__(self) -> Expr:
        if not isinstance(self.sort, Bool):
            raise SlipError(f"~ needs a Bool, and {text(self)} is {self.sort}")
        if _const(self):
            return boolean(not self.value)
        return self.args[0] if self.op == "~" else Expr("~", (self,), _BOOL)

    def __bool__(self) -> NoReturn:
        raise SlipError(
            f"the value of ({text(self)}) is not known while the model is built: write & | ~ for and or not, "
            "ite(condition, a, b) for if, and split a chained comparison in two"
        )

    # -- arrays ----------------------------------------------------------------------------------------------------
    def __getitem__(self, position: Expr) -> Expr:
        array, index = _element(self, position)
        return Expr("select", (self, index), array.element)

    def __iter__(self) -> Iterator[Expr]:
        raise SlipError(f"{text(self)} cannot be walked through: index it with a position of its ring")

    def store(self, position: Expr, element: Expr | Value) -> Expr:
        """This array with one element replaced."""
        array, index = _element(self, position)
        stored = lift(element, array.element)
        return Expr("store", (self, index, stored), _either(array, Array(array.size, scalar(stored.sort))))

    def __repr__(self) -> str:
        return f"<{text(self)}: {self.sort}>"


_BOOL = Bool()
_TRUE, _FALSE = Expr("const", (), _BOOL, True), Expr("const", (), _BOOL, False)


def boolean(value: bool) -> Expr:
    """The constant true or false."""
    return _TRUE if value else _FALSE


def number(value: int) -> Expr:
    """A constant number."""
    return Expr("const", (), Range(value, value), value)


def lift(value: object, sort: Sort) -> Expr:
    """`value` as an expression that can be compared with, or assigned to, an expression of this sort.

    Raises `SlipError` if `value` has another sort. A number fits every range, since engines check assigned values.
    """
    if isinstance(value, Expr):
        given = value.sort
        if given is not sort and not (isinstance(given, Range) and isinstance(sort, Range)):
            _either(given, sort, value)
        return value
    match sort:
        case Bool() if isinstance(value, bool):
            return boolean(value)
        case Range() if type(value) is int or isinstance(value, Size):
            return number(value)  # type: ignore[arg-type]  # a size passes for the number it stands for
        case Ring(size) if type(value) is int and 0 <= value < size:
            return Expr("const", (), sort, value)
        case Enum(names) if isinstance(value, str):
            if value not in names:
                raise SlipError(f"no such name: {value!r}{did_you_mean(value, names)}")
            return Expr("const", (), sort, value)
    raise SlipError(f"{value!r} is not of the sort {sort} that is needed")


def gap(to: Expr, since: Expr) -> Expr:
    """The difference of two positions of a ring before they wrap: how often each position was advanced, subtracted.

    Only proofs for all sizes can use a gap, because they unwind a ring into positions that count without bound. The
    states of a system do not contain it, so the interpreter and the other engines reject it.
    """
    if not isinstance(to.sort, Ring) or to.sort != since.sort:
        raise SlipError(f"gap({text(to)}, {text(since)}): two positions of one ring are needed")
    return Expr("gap", (to, since), Range(-inf, inf))  # type: ignore[arg-type]  # a gap has no bounds


def ite(condition: Expr, then: Expr | Value, otherwise: Expr | Value) -> Expr:
    """`then` if the condition holds, else `otherwise`. At least one of the two must be an expression or a number."""
    condition = lift(condition, _BOOL)
    if not isinstance(then, Expr) and not isinstance(otherwise, Expr):
        then = _number(then, "ite")  # type: ignore[arg-type]  # _number says what is wrong with it
    if isinstance(then, Expr):
        otherwise = lift(otherwise, then.sort)
    else:
        assert isinstance(otherwise, Expr)
        then = lift(then, otherwise.sort)
    if _const(condition):
        return then if condition.value else otherwise
    return Expr("ite", (condition, then, otherwise), _either(then.sort, otherwise.sort))


def minimum(a: Expr | int, b: Expr | int) -> Expr:
    """The lesser of two numbers."""
    left, right = _number(a, "minimum"), _number(b, "minimum")
    return ite(left <= right, left, right)


def maximum(a: Expr | int, b: Expr | int) -> Expr:
    """The greater of two numbers."""
    left, right = _number(a, "maximum"), _number(b, "maximum")
    return ite(left <= right, right, left)


def all_of(conditions: Iterable[Expr]) -> Expr:
    """Whether every condition holds (true if there are none)."""
    result = boolean(True)
    for condition in conditions:
        result = result & condition
    return result


def any_of(conditions: Iterable[Expr]) -> Expr:
    """Whether some condition holds (false if there are none)."""
    result = boolean(False)
    for condition in conditions:
        result = result | condition
    return result


def count(conditions: Iterable[Expr]) -> Expr:
    """How many of the conditions hold."""
    return total(ite(condition, 1, 0) for condition in conditions)


def total(numbers: Iterable[Expr]) -> Expr:
    """The sum of the numbers (0 if there are none)."""
    result = number(0)
    for each in numbers:
        result = each if _known(result) and result.value == 0 else result + each
    return result


def conjuncts(condition: Expr) -> list[Expr]:
    """The operands of the `&` at the top of a condition; the condition itself if there is no `&`."""
    if condition.op != "&":
        return [condition]
    return [part for arg in condition.args for part in conjuncts(arg)]


def variables(expression: Expr) -> list[Expr]:
    """The variables that an expression reads, without duplicates, in the order in which they occur."""
    found: dict[Value | None, Expr] = {}
    for node in nodes([expression]):
        if node.op == "var":
            found.setdefault(node.value, node)
    return list(found.values())


def nodes(expressions: Iterable[Expr]) -> Iterator[Expr]:
    """Every node of the expressions, in the order in which they occur. A shared node is given once."""
    seen: set[int] = set()
    waiting = [*expressions][::-1]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting += node.args[::-1]


# -- how an expression reads -------------------------------------------------------------------------------------------
_BINDS = {"|": 1, "&": 2, "~": 3, "==": 4, "<": 4, "<=": 4, "+": 5, "-": 5}


def text(expression: Expr, outer: int = 0) -> str:
    """The expression as people read it; `wrap` is left out. `outer` is how tightly the surrounding operator binds."""
    op, args = expression.op, expression.args
    if op == "wrap":
        return text(args[0], outer)
    if op in ("const", "var"):
        return str(expression.value)
    if op == "ite":
        return f"(if {text(args[0])} then {text(args[1])} else {text(args[2])})"
    if op == "array":
        return f"[{', '.join(text(arg) for arg in args)}]"
    if op == "gap":
        return f"gap({text(args[0])}, {text(args[1])})"
    if op == "select":
        return f"{text(args[0], 6)}[{text(args[1])}]"
    if op == "store":
        inner = f"{text(args[0])} with [{text(args[1])}] = {text(args[2])}"
        return f"({inner})" if outer else inner
    if op == "~" and args[0].op == "==":
        inner = f"{text(args[0].args[0], 5)} != {text(args[0].args[1], 5)}"
        return f"({inner})" if outer >= _BINDS["=="] else inner
    if op == "~":
        return f"~{text(args[0], 4)}"
    binds = _BINDS[op]
    left = text(args[0], binds if op not in ("==", "<", "<=") else 5)
    right = text(args[1], binds + (op in ("+", "-")))  # k + (a - b) is not (k + a) - b if a - b wraps
    inner = f"{left} {op} {right}"
    return f"({inner})" if outer > binds or (outer == binds and op in ("==", "<", "<=")) else inner


# -- construction ------------------------------------------------------------------------------------------------------
def _const(node: Expr) -> bool:
    return node.op == "const"


def _known(node: Expr) -> bool:
    """Whether a node is a constant other than a symbolic size."""
    return node.op == "const" and not isinstance(node.value, Size)


def _number(value: Expr | int, op: str) -> Expr:
    if isinstance(value, Expr):
        if isinstance(value.sort, Range | Ring):
            return value
        raise SlipError(f"{op} needs numbers or positions, and {text(value)} is {value.sort}")
    if type(value) is int or isinstance(value, Size):
        return number(value)
    raise SlipError(f"{op} needs numbers or positions, not {value!r}")


def _either(one: Sort, other: Sort, value: Expr | None = None) -> Sort:
    """The sort of a value that may have either sort: the union of two ranges, also as elements of arrays.

    Raises `SlipError`, naming `value`, if the sorts do not mix.
    """
    if one is other:
        return one
    if isinstance(one, Range) and isinstance(other, Range):
        return Range(_bound(min, one.low, other.low, -inf), _bound(max, one.high, other.high, inf))
    if isinstance(one, Array) and isinstance(other, Array) and one.size == other.size and one.element != other.element:
        return Array(one.size, scalar(_either(one.element, other.element, value)))
    if one != other:
        raise SlipError(f"{text(value) if value is not None else one} is {one}, where {other} is needed")
    return one


def _bound(which: Any, one: int, other: int, beyond: float) -> Any:
    """The lesser or greater of two bounds (`which` is min or max); `beyond` if the answer depends on the sizes."""
    try:
        return which(one, other)
    except Undecided:
        return beyond


def _bounds(node: Expr) -> tuple[int, int]:
    if _const(node):
        assert isinstance(node.value, int | Size)
        return node.value, node.value
    sort = node.sort
    if isinstance(sort, Ring):
        return 0, sort.size - 1
    assert isinstance(sort, Range)
    return sort.low, sort.high


def _sum(left: Expr, right: Expr) -> Expr:
    if _known(right) and right.value == 0 and isinstance(left.sort, Range):
        return left
    (a, b), (c, d) = _bounds(left), _bounds(right)
    return _fold("+", left, right, Range(a + c, b + d))


def _difference(left: Expr, right: Expr) -> Expr:
    (a, b), (c, d) = _bounds(left), _bounds(right)
    return _fold("-", left, right, Range(a - d, b - c))


def _fold(op: str, left: Expr, right: Expr, sort: Range) -> Expr:
    if _const(left) and _const(right):
        return Expr("const", (), sort, sort.low)  # both constant: the range is the one value
    return Expr(op, (left, right), sort)


def _wrap(inner: Expr, sort: Ring | Range, size: int = 0) -> Expr:
    size = sort.size if isinstance(sort, Ring) else size
    if _known(inner):
        assert isinstance(inner.value, int)
        return Expr("const", (), sort, inner.value % size)
    return Expr("wrap", (inner,), sort, size)


def _ordered(op: str, left: Expr, other: Expr | int) -> Expr:
    right = _number(other, op)
    if not isinstance(left.sort, Range) or not isinstance(right.sort, Range):
        raise SlipError(f"{text(left)} {op} {text(right)}: only numbers have an order; compare distances of positions")
    if _const(left) and _const(right):
        (a, _), (b, _) = _bounds(left), _bounds(right)
        with suppress(Undecided):
            return boolean(a < b if op == "<" else a <= b)
    return Expr(op, (left, right), _BOOL)


def _logic(op: str, left: Expr, other: Expr | bool, *, absorbing: bool) -> Expr:
    right = boolean(other) if isinstance(other, bool) else other
    if not isinstance(left.sort, Bool) or not isinstance(getattr(right, "sort", None), Bool):
        shown = text(other) if isinstance(other, Expr) else repr(other)
        raise SlipError(f"{op} joins Bools, not {text(left)} and {shown}: put each comparison in parentheses")
    if left.op == "const":
        return boolean(absorbing) if left.value is absorbing else right
    if right.op == "const":
        return boolean(absorbing) if right.value is absorbing else left
    return Expr(op, (left, right), _BOOL)


def _element(array: Expr, position: Expr) -> tuple[Array, Expr]:
    if not isinstance(array.sort, Array):
        raise SlipError(f"{text(array)} is {array.sort}, which has no elements")
    return array.sort, lift(position, Ring(array.sort.size))


def scalar(sort: Sort) -> Scalar:
    """The sort itself. Raises `SlipError` if it is an array."""
    if isinstance(sort, Array):
        raise SlipError("an array cannot stand here")
    return sort
