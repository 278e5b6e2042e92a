"""TLA+: a system as a module, and the configuration with which TLC checks it.

TLA+ identifies a step by its states and not by its action. So TLA+ cannot express two things: a fair action that
changes nothing, and a property that names an action if another action can lead to the same state. Both are rejected,
unless trying all values of the few variables concerned shows that they cannot happen.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from math import prod

from uncork.core.evaluate import holds
from uncork.core.expr import Expr, any_of, conjuncts, variables
from uncork.core.property import Always, Cover, InRange, NotForever, Property, Sometimes
from uncork.core.sorts import Array, Bool, Enum, Range, Ring, Sort, Value
from uncork.core.system import Action, Fairness, System
from uncork.core.transform import mapped
from uncork.export import Inexpressible

_WIDTH = 110
_FEW = 1 << 14
"""The most valuations that are tried to show that something cannot happen."""

_RESERVED = (
    "ACTION ASSUME ASSUMPTION AXIOM BOOLEAN BY CASE CHOOSE CONSTANT CONSTANTS COROLLARY DEF DEFINE DEFS DOMAIN ELSE "
    "ENABLED EXCEPT EXTENDS FALSE HAVE HIDE IF IN INSTANCE LAMBDA LEMMA LET LOCAL MODULE NEW OBVIOUS OMITTED ONLY "
    "OTHER PICK PROOF PROPOSITION PROVE QED RECURSIVE STATE STRING SUBSET SUFFICES TAKE TEMPORAL THEN THEOREM TRUE "
    "UNCHANGED UNION USE VARIABLE VARIABLES WITH WITNESS Int Nat "
    "Any JavaTime Permutations Print PrintT RandomElement SortSeq TLCEval TLCGet TLCSet ToString Assert "
    "Fairness Init Next Spec TypeOK Unfair i vars"
)

_BINDS = {"&": 3, "|": 3, "~": 4, "==": 5, "<": 5, "<=": 5, "wrap": 9, "+": 10, "-": 11}
_SPELT = {"&": "/\\", "|": "\\/", "==": "=", "<": "<", "<=": "<="}
_DENIED = {"=": "#", "<": ">=", "<=": ">"}
_TURNED = {"=": "=", "#": "#", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_LOOSE, _ATOM = 1, 16


def module_name(system: System) -> str:
    """The name of the module, which TLC requires as the name of its file and of its configuration's file."""
    return _identifier(system.name)


def module(
    system: System, properties: Sequence[Property], covers: Sequence[Cover] = (), *, weak: bool = False
) -> tuple[str, str]:
    """The text of the module, and of a configuration that checks every property and always the types.

    TLC's time is exponential in the number of strongly fair steps that other steps can disable. With `weak`, these
    steps are weakly fair: what TLC then proves is proved, but a refutation may be an unfair run. Raises
    `Inexpressible`.
    """
    writer = _Writer(system, weak)
    stated = [(p, "TypeOK" if isinstance(p, InRange) else writer.name(_camel(p.name))) for p in properties]
    covered = [(c, writer.name(f"Cover{_camel(c.name)}")) for c in covers]
    parts = [*writer.machine(), *(writer.property(p, name) for p, name in stated if not isinstance(p, InRange))]
    if covered:
        parts += [_COVERS, *(writer.cover(c, name) for c, name in covered)]
        if any(not isinstance(c, Sometimes) for c in covers):
            parts.append("Unfair == Init /\\ [][Next]_vars")
    header = f"---- MODULE {module_name(system)} ----\n\\* {_line(system.name)}\nEXTENDS {writer.extends()}"
    return "\n\n".join([header, *parts, "====\n"]), _configuration(stated, covered)


_COVERS = """\
\\* Covers: each denies what some run must show. Take one as the only invariant (or property, of the specification
\\* Unfair): TLC must find it violated, and shows the run."""

_FAIRNESS = """\
\\* Fairness is owed to a step, and not to each of its outcomes. Where no other action can disable a step, WF says
\\* the same as SF, and TLC copes with it better.
"""

_WEAKENED = """\
\\* NOTE: the other steps, which need SF, have WF too, for TLC to cope at all. What is proved is proved; what is
\\* refuted may be refuted by a run that strong fairness rules out.
"""


class _Writer:
    def __init__(self, system: System, weak: bool) -> None:
        if not system.variables:
            raise Inexpressible(f"{system.name} has no variables, and a TLA+ specification needs one")
        self.system, self.weak = system, weak
        self.taken = {*_RESERVED.split(), module_name(system)}
        self.vars = {v.name: self.name(_identifier(v.name)) for v in system.variables}
        self.actions = {a.name: self.name(_identifier(a.name)) for a in system.actions}
        self.groups = self.grouped()
        self.reads = {v.name: Expr("var", (), v.sort, v.name) for v in system.variables}
        self.pairs = False
        self.changed = {action.name: self.surely_changed(action) for action in system.actions}
        for action in system.actions:
            if action.fair:
                self.must_change(action)

    def name(self, wanted: str) -> str:
        """An unused identifier, `wanted` if possible."""
        name, number = wanted, 1
        while name in self.taken:
            number += 1
            name = f"{wanted}_{number}"
        self.taken.add(name)
        return name

    def grouped(self) -> dict[str, list[str]]:
        """The variables by record, which keeps UNCHANGED lists short. A variable without a record is its own group."""
        records: dict[str, list[str]] = {}
        for variable, name in self.vars.items():
            records.setdefault(variable.rpartition(".")[0], []).append(name)
        if len(records) == 1:
            return {name: [name] for name in self.vars.values()}
        return {
            names[0] if len(names) == 1 else self.name(_identifier(record)): names for record, names in records.items()
        }

    def extends(self) -> str:
        """The standard modules to extend. The module TLC is needed only if the elements of an array are listed."""
        return "Integers, TLC" if self.pairs else "Integers"

    # -- the machine -----------------------------------------------------------------------------------------------
    def machine(self) -> Iterator[str]:
        variables = [(self.vars[v.name], v) for v in self.system.variables]
        width = max(len(name) for name, _ in variables) + 2
        commas = [*("," for _ in variables[1:]), ""]
        lines = [
            f"    {name + comma:{width}} \\* {_line(v.doc)}" for (name, v), comma in zip(variables, commas, strict=True)
        ]
        yield "\n".join(["VARIABLES", *lines])
        groups = [_tuple(f"{group} == ", names) for group, names in self.groups.items() if names != [group]]
        yield "\n".join([*groups, _tuple("vars == ", self.groups)])
        yield _all("TypeOK", (f"{name} \\in {_set(v.sort)}" for name, v in variables))
        yield _all("Init", (f"{name} = {self.value(v.initial, v.sort)}" for name, v in variables))
        yield from map(self.action, self.system.actions)
        yield "\n".join(["Next ==", *(f"    \\/ {name}" for name in self.actions.values() or ["FALSE"])])
        yield from self.fairness()

    def action(self, action: Action) -> str:
        guard = [self.block(part, 7) for part in conjuncts(action.guard) if part.value is not True]
        changed = [f"{self.vars[name]}' = {self.text(value, 6)}" for name, value in action.updates.items()]
        assigned = {self.vars[name] for name in action.updates}
        kept = [
            name
            for group, names in self.groups.items()
            for name in ([group] if assigned.isdisjoint(names) else [each for each in names if each not in assigned])
        ]
        frame = [f"UNCHANGED {kept[0]}" if len(kept) == 1 else _tuple("UNCHANGED ", kept, 7)] if kept else []
        comment = f"\\* {_line(action.actor)}: {_line(action.doc)}\n"
        return comment + _all(self.actions[action.name], [*guard, *changed, *frame])

    def fairness(self) -> Iterator[str]:
        owed, weakened = [], False
        for duty, actions in self.system.duties.items():
            if not actions[0].fair:
                continue
            strong = actions[0].fairness is Fairness.STRONG and not self.lasts(actions)
            weakened |= strong and self.weak
            kind = "SF" if strong and not self.weak else "WF"
            owed.append(f"{kind}_vars({self.any_of(a.name for a in actions)})  \\* {_line(duty)}")
        if not owed:
            yield "Spec == Init /\\ [][Next]_vars"
            return
        yield _FAIRNESS + (_WEAKENED if weakened else "") + _all("Fairness", owed)
        yield "Spec == Init /\\ [][Next]_vars /\\ Fairness"

    # -- what is asked ---------------------------------------------------------------------------------------------
    def property(self, prop: Always | NotForever, name: str) -> str:
        head = f"\\* {_line(prop.doc)}\n{name} ==\n    "
        if isinstance(prop, Always):
            return head + self.block(prop.condition, 4)
        if not prop.without:
            return f"{head}[]<>{self.block(~prop.condition, 8, _ATOM)}"
        return f"{head}\\/ []<>{self.block(~prop.condition, 11, _ATOM)}\n    \\/ {self.repeatedly(prop.without)}"

    def cover(self, cover: Cover, name: str) -> str:
        head = f"\\* {_line(cover.doc or cover.name)}\n{name} ==\n    "
        if isinstance(cover, Sometimes):
            return head + self.block(~cover.condition, 4)
        return f"{head}~{self.repeatedly(cover.steps)}"

    def repeatedly(self, names: frozenset[str]) -> str:
        """The formula that one of these actions is taken infinitely often."""
        chosen = [action for action in self.system.actions if action.name in names]
        for action in chosen:
            self.must_change(action)
            for other in self.system.actions:
                if other.name not in names and not self.distinct(action, other):
                    raise Inexpressible(
                        f"{action.name} and {other.name} may change just the same, and TLA+ knows no names"
                    )
        return f"[]<><<{self.any_of(a.name for a in chosen)}>>_vars"

    def any_of(self, names: Iterable[str]) -> str:
        return " \\/ ".join(self.actions[name] for name in names) or "FALSE"

    # -- what a step changes ---------------------------------------------------------------------------------------
    def surely_changed(self, action: Action) -> set[str]:
        """The variables that an action always changes, as far as `_never` can show."""
        guard = conjuncts(action.guard)
        return {name for name, value in action.updates.items() if _never(guard, self.reads[name] == value)}

    def must_change(self, action: Action) -> None:
        if not self.changed[action.name]:
            raise Inexpressible(f"{action.name} may change nothing, and TLA+ does not take that for a step")

    def distinct(self, one: Action, other: Action) -> bool:
        """Whether the two actions never lead from one state to the same state, as far as `_never` can show."""
        if self.changed[one.name] - other.updates.keys() or self.changed[other.name] - one.updates.keys():
            return True
        guards = [*conjuncts(one.guard), *conjuncts(other.guard)]
        return any(
            _never(guards, one.updates.get(name, self.reads[name]) == other.updates.get(name, self.reads[name]))
            for name in {**one.updates, **other.updates}
        )

    def lasts(self, actions: Sequence[Action]) -> bool:
        """Whether no other step disables a step, as far as `_never` can show."""
        enabled = any_of(action.guard for action in actions)
        read = {v.value for v in variables(enabled)}
        return all(
            _never(conjuncts(other.guard), enabled & ~_after(enabled, other))
            for other in self.system.actions
            if other.duty != actions[0].duty and read & other.updates.keys()
        )

    # -- expressions -----------------------------------------------------------------------------------------------
    def block(self, node: Expr, column: int, outer: int = 0) -> str:
        """A condition that starts at a column: on one line, or as a bulleted list if the line is too long."""
        line = self.text(node, outer)
        if len(line) <= _WIDTH - column:
            return line
        if node.op == "~":
            return f"~{self.block(node.args[0], column + 1, _ATOM)}"
        if node.op not in ("&", "|"):
            return line
        if outer > _BINDS[node.op]:
            return f"({self.block(node, column + 1)})"
        parts = (self.block(part, column + 3) for part in _parts(node, node.op))
        return f"\n{' ' * column}".join(f"{_SPELT[node.op]} {part}" for part in parts)

    def text(self, node: Expr, outer: int = 0) -> str:
        """An expression, in parentheses if the surrounding operator binds more tightly (`outer`)."""
        op, args = node.op, node.args
        if op == "const":
            assert node.value is not None
            return self.value(node.value, node.sort)
        if op == "var":
            return self.vars[str(node.value)]
        if op == "select":
            return f"{self.text(args[0], _ATOM)}[{self.text(args[1])}]"
        if op == "store":
            return f"[{self.text(args[0], _LOOSE)} EXCEPT ![{self.text(args[1])}] = {self.text(args[2], _LOOSE)}]"
        if op == "array":
            return self.listed([self.text(arg, _ATOM) for arg in args])
        if op == "ite":
            inner = f"IF {self.text(args[0], _LOOSE)} THEN {self.text(args[1], _LOOSE)} ELSE {self.text(args[2])}"
            return f"({inner})" if outer else inner
        binds = _BINDS[op]
        if op == "wrap":
            inner = f"{self.text(args[0], _ATOM)} % {node.value}"
        elif op == "~" and _SPELT.get(args[0].op) in _DENIED:
            binds, inner = _BINDS["=="], self.relation(_DENIED[_SPELT[args[0].op]], *args[0].args)
        elif op == "~":
            inner = f"~{self.text(args[0], binds + 1)}"
        elif op in ("&", "|"):  # TLA+ does not let the two mix without parentheses
            inner = f" {_SPELT[op]} ".join(self.text(arg, binds + (arg.op != op)) for arg in args)
        elif op in ("+", "-"):
            inner = f"{self.text(args[0], binds)} {op} {self.text(args[1], binds + (op == '-'))}"
        else:
            inner = self.relation(_SPELT[op], *args)
        return f"({inner})" if outer > binds else inner

    def relation(self, sign: str, left: Expr, right: Expr) -> str:
        """A comparison, with a constant on the right."""
        if left.op == "const":
            left, right, sign = right, left, _TURNED[sign]
        return f"{self.text(left, _BINDS['=='] + 1)} {sign} {self.text(right, _BINDS['=='] + 1)}"

    def value(self, value: Value, sort: Sort) -> str:
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, tuple):
            assert isinstance(sort, Array)
            each = [self.value(v, sort.element) for v in value]
            if len(set(each)) == 1:
                return f"[i \\in 0..{sort.size - 1} |-> {each[0]}]"
            return self.listed(each)
        if isinstance(value, str):
            return _quoted(value)
        return str(value) if value >= 0 else f"({value})"

    def listed(self, elements: Sequence[str]) -> str:
        """An array as the list of its elements."""
        self.pairs = True
        return f"({' @@ '.join(f'{k} :> {element}' for k, element in enumerate(elements))})"


def _after(condition: Expr, action: Action) -> Expr:
    """The condition that holds before an action exactly if `condition` holds after it."""
    return mapped(condition, lambda leaf: action.updates.get(str(leaf.value), leaf) if leaf.op == "var" else leaf)


def _never(guard: Iterable[Expr], claim: Expr) -> bool:
    """Whether a claim is false wherever the conditions of a guard hold, by trying all values that the claim reads.

    The answer is False if there are too many values, or if the reason is a condition on other variables.
    """
    read = {str(v.value): list(islice(v.sort.values(), _FEW + 1)) for v in variables(claim)}
    if any(len(values) > _FEW for values in read.values()):
        return False
    conditions = []
    for condition in [*guard, *conjuncts(claim)]:
        names = [str(v.value) for v in variables(condition)]
        if len(names) == 1 and names[0] in read:
            (name,) = names
            read[name] = [value for value in read[name] if holds(condition, {name: value})]
        elif all(name in read for name in names):
            conditions.append(condition)
    if prod(map(len, read.values())) > _FEW:
        return False
    states = (dict(zip(read, values, strict=True)) for values in product(*read.values()))
    return not any(all(holds(condition, state) for condition in conditions) for state in states)


def _configuration(stated: Sequence[tuple[Property, str]], covered: Sequence[tuple[Cover, str]]) -> str:
    lasting = [name for prop, name in stated if isinstance(prop, NotForever)]
    safe = ["TypeOK", *(name for prop, name in stated if not isinstance(prop, NotForever))]
    lines = [
        "SPECIFICATION Spec",
        "\\* A state in which nothing can happen is judged by the properties.",
        "CHECK_DEADLOCK FALSE",
    ]
    lines += [f"INVARIANT {name}" for name in dict.fromkeys(safe)]
    lines += [f"PROPERTY {name}" for name in lasting]
    lines += [f"\\* {'INVARIANT' if isinstance(c, Sometimes) else 'PROPERTY'} {name}" for c, name in covered]
    return "\n".join(lines) + "\n"


def _set(sort: Sort) -> str:
    match sort:
        case Bool():
            return "BOOLEAN"
        case Enum(names):
            return f"{{{', '.join(map(_quoted, names))}}}"
        case Ring(size):
            return f"0..{size - 1}"
        case Range(low, high):
            if low <= -(2**31) or high >= 2**31:
                raise Inexpressible(f"TLC's numbers have 32 bits, which is too few for {sort}")
            return f"{low}..{high}"
        case Array(size, element):
            return f"[0..{size - 1} -> {_set(element)}]"


def _parts(node: Expr, op: str) -> list[Expr]:
    return [node] if node.op != op else [part for arg in node.args for part in _parts(arg, op)]


def _all(name: str, conditions: Iterable[str]) -> str:
    return "\n".join([f"{name} ==", *(f"    /\\ {condition}" for condition in conditions)])


def _tuple(head: str, names: Iterable[str], column: int = 0) -> str:
    indent = " " * (column + len(head) + 2)
    lines = textwrap.wrap(", ".join(names), _WIDTH - len(indent))
    return f"{head}<<" + f"\n{indent}".join(lines) + ">>"


def _quoted(words: str) -> str:
    if not words.isascii() or not words.isprintable():
        raise Inexpressible(f"TLA+ strings are of printable ASCII, and {words!r} is not")
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _line(words: str) -> str:
    """Words on one line, for a comment."""
    return " ".join(words.split())


def _identifier(words: str) -> str:
    """Words as a TLA+ identifier, which starts with a letter and not with WF_ or SF_."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_")
    return name if re.match(r"(?!WF_|SF_)[A-Za-z]", name) else f"v_{name}"


def _camel(words: str) -> str:
    """Words as a name in TLA+'s style: `permits conserved` is `PermitsConserved`."""
    name = "".join(word[0].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", words))
    return name if name[:1].isalpha() else f"P{name}"
