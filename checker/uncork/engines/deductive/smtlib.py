"""Translates obligations to SMT-LIB 2, for other solvers and for people.

Every obligation is between a push and a pop, and an echo gives its name. The expected answer is `unsat`. Positions are
unwound as in `unwind`. A value of an enumeration is the index of its name, and a comment lists the names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

from uncork.core.expr import Expr
from uncork.core.questions.argument import Argument, Lemma
from uncork.core.size import Size
from uncork.core.sorts import Bool, Enum, Range, Ring
from uncork.core.system import Variable
from uncork.engines.deductive.obligations import Obligation
from uncork.engines.deductive.unwind import LARGEST, symbols

_NAMES = {"&": "and", "|": "or", "~": "not", "==": "=", "gap": "-"}
_REMAINDER = """\
; the remainder of a difference d of two positions on a ring of n that are less than two rings apart
(define-fun remainder ((d Int) (n Int)) Int
  (ite (< d 0) (ite (< d (- n)) (+ d n n) (+ d n)) (ite (< d n) d (- d n))))
"""


def script(argument: Argument, lemmas: Sequence[Lemma], wanted: Sequence[Obligation]) -> str:
    """A complete SMT-LIB script for the obligations `wanted`: declarations, lemmas as functions, and queries."""
    variables = argument.system.variables
    nodes = [Expr("var", (), v.sort, v.name) for v in variables]
    nodes += [lemma.condition for lemma in lemmas]  # they are defined whether or not a query uses them
    sizes = symbols([*nodes, *(node for each in wanted for node in (*each.given, each.goal))])
    lines = ["(set-logic QF_LIA)", ""]
    for symbol in sizes:
        lines.append(f"(declare-const {symbol.name} Int)")
        lines.append(f"(assert (<= {symbol.least} {symbol.name} {LARGEST}))")
    lines += [line for v in variables for line in _declared(v, v.name in argument.inputs)]
    lines += ["", _REMAINDER]
    known: dict[int, str] = {}
    for lemma in lemmas:
        lines += [f"; {lemma.says}", f"(define-fun {_quoted(lemma.name)} () Bool {_text(lemma.condition)})"]
        known[id(lemma.condition)] = _quoted(lemma.name)
    lines += ["", f"(define-fun |every lemma| () Bool (and true {' '.join(known.values())}))"]
    for each in wanted:
        lines += ["", "(push 1)", f'(echo "{each.name}")']
        others = [given for given in each.given if id(given) not in known]
        lines += ["(assert |every lemma|)"] if len(others) < len(each.given) else []
        lines += [f"(assert {_text(given)})" for given in others]
        lines += [f"(assert (not {_text(each.goal)}))", "(check-sat)", "(pop 1)"]
    return "\n".join(lines) + "\n"


def _declared(variable: Variable, chosen: bool) -> list[str]:
    name, sort = _quoted(variable.name), variable.sort
    lines = [f"(declare-const {name} {'Bool' if isinstance(sort, Bool) else 'Int'}) ; {variable.doc}"]
    if isinstance(sort, Enum):
        lines.append(f"(assert (<= 0 {name} {len(sort.names) - 1})) ; {', '.join(sort.names)}")
    elif chosen and isinstance(sort, Range):
        bounds = [_number(sort.low), name, *([] if isinstance(sort.high, float) else [_number(sort.high)])]
        lines.append(f"(assert (<= {' '.join(bounds)}))")
    return lines


def _quoted(name: str) -> str:
    return f"|{name}|"


def _number(value: object) -> str:
    if isinstance(value, Size):
        parts = [symbol.name if times == 1 else f"(* {_number(times)} {symbol.name})" for symbol, times in value.terms]
        parts += [_number(value.number)] if value.number else []
        return parts[0] if len(parts) == 1 else f"(+ {' '.join(parts)})"
    return str(value) if cast(int, value) >= 0 else f"(- {-cast(int, value)})"


def _text(root: Expr) -> str:
    """An expression as an SMT-LIB term. Subterms that occur more than once are bound by `let`."""
    uses: Counter[int] = Counter()
    order: list[Expr] = []

    def count(node: Expr) -> None:
        uses[id(node)] += 1
        if uses[id(node)] == 1:
            for arg in node.args:
                count(arg)
            order.append(node)

    count(root)
    names: dict[int, str] = {}
    bound: list[tuple[str, str]] = []
    for node in order:
        if node.args and uses[id(node)] > 1 and node.op != "wrap":
            name = f"?{len(bound)}"
            bound.append((name, _node(node, names)))
            names[id(node)] = name
    body = _node(root, names)
    for name, said in reversed(bound):
        body = f"(let (({name} {said})) {body})"
    return body


def _node(node: Expr, names: dict[int, str]) -> str:
    op, args = node.op, node.args

    def inner(arg: Expr) -> str:
        return names.get(id(arg)) or _node(arg, names)

    if op == "const":
        if isinstance(node.sort, Bool):
            return "true" if node.value else "false"
        return str(node.sort.names.index(str(node.value))) if isinstance(node.sort, Enum) else _number(node.value)
    if op == "var":
        return _quoted(str(node.value))
    if op == "wrap":
        said = inner(args[0])
        return said if isinstance(node.sort, Ring) else f"(remainder {said} {_number(node.value)})"
    if op == "==" and isinstance(args[0].sort, Ring):
        return f"(= 0 (remainder (- {inner(args[0])} {inner(args[1])}) {_number(args[0].sort.size)}))"
    return f"({_NAMES.get(op, op)} {' '.join(map(inner, args))})"
