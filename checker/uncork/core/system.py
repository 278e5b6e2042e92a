"""A system: typed variables and guarded actions. Every action has an actor, a meaning and a fairness."""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, ParamSpec

from uncork.core.evaluate import State, evaluate, holds
from uncork.core.expr import Expr, lift, nodes, text
from uncork.core.frozen import frozen
from uncork.core.size import Undecided
from uncork.core.sorts import Bool, Range, SlipError, Sort, Value, contains, default, did_you_mean, plain
from uncork.core.transform import Renaming


class Fairness(enum.Enum):
    """What a fair run owes an action.

    NONE: nothing. WEAK: the action is taken if it stays enabled for ever. STRONG: the action is taken if it is enabled
    infinitely often.
    """

    NONE = "none"
    WEAK = "weak"
    STRONG = "strong"


@frozen
class Variable:
    """A state variable: its name, sort, initial value and meaning."""

    name: str
    sort: Sort
    initial: Value
    doc: str

    def __post_init__(self) -> None:
        if not contains(self.sort, self.initial):
            raise SlipError(f"{self.name} is {self.sort} and cannot start at {self.initial!r}")


class Declared(NamedTuple):
    """A variable without a name, which its `Record` gives it; see `var`."""

    sort: Sort
    doc: str
    initial: Value


def var(sort: Sort, doc: str, initial: Value | None = None) -> Declared:
    """Declares a variable of a `Record`. Without `initial`, the variable starts at the first value of its sort."""
    return Declared(sort, doc, default(sort) if initial is None else initial)


class NoSuchVariable(SlipError, AttributeError):
    """A misspelt variable. It is an `AttributeError` too, so that `getattr` with a default works."""


class Updates(dict[str, Expr]):
    """Next-state values by variable name."""


class Record:
    """A named group of variables. `record.field` reads a variable; `record(field=value)` gives next-state values.

    Both raise `SlipError` for a field that does not exist and for a value of another sort. `label` and `note` identify
    the record in the name of an action (see `step`).
    """

    label = ""
    note = ""

    def __init__(self, name: str, **fields: Declared) -> None:
        self._name = name
        self._declared = {
            field: Variable(f"{name}.{field}", declared.sort, declared.initial, declared.doc)
            for field, declared in fields.items()
        }
        self._vars = {field: Expr("var", (), v.sort, v.name) for field, v in self._declared.items()}
        for field, variable in self._vars.items():
            if not hasattr(type(self), field):
                self.__dict__.setdefault(field, variable)  # an attribute is found faster than by `__getattr__`

    @property
    def name(self) -> str:
        """The name of the record, with which the names of all its variables start."""
        return self._name

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of this record, in the order of declaration."""
        return tuple(self._declared.values())

    def has(self, field: str) -> bool:
        """Whether the record has a variable with this name."""
        return field in self._declared

    def __getattr__(self, field: str) -> Expr:
        if field.startswith("_"):
            raise AttributeError(field)
        try:
            return self._vars[field]
        except KeyError:
            raise NoSuchVariable(f"{self._name} has no variable {field!r}{did_you_mean(field, self._vars)}") from None

    def __call__(self, **values: Expr | Value) -> Updates:
        """Next-state values for some of the variables."""
        updates = Updates()
        for field, value in values.items():
            sort = getattr(self, field).sort
            lifted = lift(value, sort)
            if isinstance(sort, Range) and isinstance(lifted.sort, Range):
                with suppress(Undecided):
                    if max(sort.low, lifted.sort.low) > min(sort.high, lifted.sort.high):
                        raise SlipError(f"{self._name}.{field} is {sort} and can never become {text(lifted)}")
            updates[f"{self._name}.{field}"] = lifted
        return updates


@frozen
class Sentence:
    """A sentence with blanks that are filled in from a state.

    The first sentence in `instead` whose condition holds replaces it. What stands in `said` in square brackets is about
    one state only, and `brief` leaves it out.
    """

    said: str
    blanks: tuple[Expr, ...] = ()
    instead: tuple[tuple[Expr, Sentence], ...] = ()

    @property
    def template(self) -> str:
        """The whole sentence, in `str.format` style."""
        return self.said.replace("[", "").replace("]", "")

    def brief(self, fill: Callable[[Expr], str]) -> str:
        """The sentence about every state: without what stands in brackets, each other blank filled in by `fill`."""
        blanks, kept = iter(self.blanks), []
        for number, part in enumerate(re.split(r"[][]", self.said)):
            filled = [fill(next(blanks)) for _ in range(part.count("{}"))]
            if number % 2 == 0:
                kept.append(part.format(*filled))
        return "".join(kept).strip()

    def on(self, state: State) -> str:
        """The sentence as it reads in `state`."""
        for condition, other in self.instead:
            if holds(condition, state):
                return other.on(state)
        return self.template.format(*(plain(evaluate(blank, state)) for blank in self.blanks))


def say(template: str, *blanks: Expr) -> Sentence:
    """A sentence in `str.format` style, with one `{}` for each expression in `blanks`; see `Sentence` for brackets."""
    return Sentence(template, blanks)


@frozen
class Guarded:
    """A guarded command: when it is enabled, the next values, and the sentence that a trace shows for it."""

    guard: Expr
    updates: Mapping[str, Expr]
    told: Sentence | None = None

    def says(self, template: str, *blanks: Expr) -> Guarded:
        """The same command, shown in a trace by this sentence. The blanks are filled in from the state before it."""
        return replace(self, told=say(template, *blanks))

    def but_where(self, condition: Expr, template: str, *blanks: Expr) -> Guarded:
        """The same command, shown by this sentence instead of that of `says` if the condition holds."""
        assert self.told is not None, "first says(...)"
        if condition.op == "const" and not condition.value:
            return self
        return replace(self, told=replace(self.told, instead=(*self.told.instead, (condition, say(template, *blanks)))))


def when(guard: Expr, *updates: Mapping[str, Expr]) -> Guarded:
    """The command that is enabled where `guard` holds and makes all the updates at once."""
    merged = Updates()
    for part in updates:
        twice = merged.keys() & part.keys()
        if twice:
            raise SlipError(f"{', '.join(sorted(twice))}: two next values in one step")
        merged.update(part)
    return Guarded(lift(guard, Bool()), merged)


@frozen
class Action:
    """A guarded command with a name, an actor, a meaning and a fairness.

    `family` is the name without its arguments, and `args` are those that the name tells: `consume` of `consume(SQ1)`,
    and the SQ. Fairness is owed to a step and not to its outcomes: actions with the same `duty` are the outcomes of one
    step, and a fair run may take any of them each time.
    """

    name: str
    family: str
    actor: str
    guard: Expr
    updates: Mapping[str, Expr]
    fairness: Fairness
    doc: str
    told: Sentence
    duty: str = ""
    args: tuple[Any, ...] = dataclasses.field(default=(), compare=False)

    def __post_init__(self) -> None:
        if not self.duty:
            object.__setattr__(self, "duty", self.name)

    @functools.cached_property
    def reads(self) -> frozenset[str]:
        """The names of the variables that the guard or the next values read."""
        return frozenset(str(n.value) for n in nodes([self.guard, *self.updates.values()]) if n.op == "var")

    @functools.cached_property
    def behaviour(self) -> str:
        """Everything that determines what the action does, as text, for fingerprints."""
        lines = [f"{self.name}, {self.duty}, {self.fairness.value}: {text(self.guard)}"]
        lines.extend(f"  {name}' = {text(value)}" for name, value in self.updates.items())
        return "\n".join(lines)

    def about(self, record: Record) -> bool:
        """Whether it was made of this record."""
        return any(each is record for each in self.args)

    @property
    def fair(self) -> bool:
        """Whether a fair run owes this action anything."""
        return self.fairness is not Fairness.NONE


class Remembers:
    """A first argument of `step` functions that caches the actions made from it."""

    def remembered(self, name: str, make: Callable[[], Action]) -> Action:
        """The action with this name, made by `make` on the first call."""
        raise NotImplementedError


_P = ParamSpec("_P")


def step(
    role: str, fairness: Fairness = Fairness.STRONG, *, of: str = ""
) -> Callable[[Callable[_P, Guarded]], Callable[_P, Action]]:
    """Decorates a function that returns a guarded command, so that it returns an action.

    The action's name is the name of the function, with the arguments that have a `label` or a `note` or are whole
    numbers. The action's actor is `role`, with the labels in place of `{}`. The docstring is the meaning of the action.
    If the action is one of several outcomes of a step, `of` is the name of the step.
    """

    def decorate(function: Callable[_P, Guarded]) -> Callable[_P, Action]:
        if not function.__doc__:
            raise SlipError(f"the step {function.__name__} has no docstring; say what it does")
        family, doc = function.__name__, " ".join(function.__doc__.split())

        @functools.wraps(function)
        def make(*args: _P.args, **kwargs: _P.kwargs) -> Action:
            labelled = [(label, a) for a in args if (label := getattr(a, "label", ""))]
            noted = [(n, a) for a in args if (n := str(a) if type(a) is int else getattr(a, "note", ""))]
            said = [*labelled, *noted]
            name = f"{family}({', '.join(each for each, _ in said)})" if said else family

            def made() -> Action:
                command = function(*args, **kwargs)
                actor = role.format(" ".join(label for label, _ in labelled))
                told = command.told or say(doc.split(". ")[0].rstrip("."))
                duty = f"{of or family} by {actor}" if fairness is not Fairness.NONE else name
                of_it = tuple(a for _, a in said)
                return Action(name, family, actor, command.guard, command.updates, fairness, doc, told, duty, of_it)

            return args[0].remembered(name, made) if args and isinstance(args[0], Remembers) else made()

        return make

    return decorate


@frozen
class RingPicture:
    """How to draw a ring: a title, the marks on the ring (label, variable), and the array variable with its slots.

    A slot that holds `empty` is drawn empty.
    """

    title: str
    size: int
    marks: tuple[tuple[str, str], ...]
    slots: str | None = None
    empty: str = "none"


@frozen
class System:
    """Variables, actions and pictures: everything that an engine, exporter or printer may know.

    `replicas` are records that may be interchangeable, each with its name in enumerations: (record, name). An engine
    that uses this symmetry has to check it. `watched` are variables that a short account of a run tells of beside the
    pictures, each with a word for it: (word, variable).
    """

    name: str
    variables: tuple[Variable, ...]
    actions: tuple[Action, ...]
    pictures: tuple[RingPicture, ...] = ()
    replicas: tuple[tuple[str, str], ...] = ()
    watched: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for kind, names in (
            ("variable", [v.name for v in self.variables]),
            ("action", [a.name for a in self.actions]),
        ):
            twice = {name for name, times in Counter(names).items() if times > 1}
            if twice:
                raise SlipError(f"{self.name}: two {kind}s named {', '.join(sorted(twice))}")
        known = {v.name for v in self.variables}
        for action in self.actions:
            unknown = action.updates.keys() - known
            if unknown:
                raise SlipError(f"{action.name} changes what {self.name} does not have: {', '.join(sorted(unknown))}")
            if strange := action.reads - known:
                raise SlipError(f"{action.name} reads what {self.name} does not have: {', '.join(sorted(strange))}")

        if any(len({a.fairness for a in actions}) > 1 for actions in self.duties.values()):
            raise SlipError(f"{self.name}: the outcomes of one step differ in fairness")

    @functools.cached_property
    def duties(self) -> dict[str, list[Action]]:
        """The actions by duty. Every list has the outcomes of one step."""
        found: dict[str, list[Action]] = {}
        for action in self.actions:
            found.setdefault(action.duty, []).append(action)
        return found

    @functools.cached_property
    def unchanged(self) -> Renaming:
        """The renaming that changes nothing. It caches the normal forms of the system's expressions."""
        return Renaming({})

    @property
    def initial(self) -> dict[str, Value]:
        """The first state."""
        return {v.name: v.initial for v in self.variables}

    def action(self, name: str) -> Action:
        """The action with this name. Raises `KeyError`."""
        for action in self.actions:
            if action.name == name:
                return action
        raise KeyError(name)

    def enabled(self, state: State) -> list[Action]:
        """The actions that are enabled in `state`, in the order of declaration."""
        return [action for action in self.actions if holds(action.guard, state)]

    def after(self, state: State, action: Action) -> dict[str, Value]:
        """The state that `action` leads to. The guard is not checked, and values may leave their sorts."""
        return {**state, **{name: evaluate(value, state) for name, value in action.updates.items()}}

    def strays(self, state: State) -> list[str]:
        """The variables whose value in `state` is outside their sort."""
        return [v.name for v in self.variables if not contains(v.sort, state[v.name])]

    def fingerprint(self, also: Iterable[str] = ()) -> str:
        """A hash of the behaviour and of `also`. Systems that differ only in name and wording have equal hashes."""
        import hashlib  # loads OpenSSL, which a check of one instance does not need

        lines = [f"{v.name}: {v.sort} = {v.initial}" for v in self.variables]
        lines.extend(action.behaviour for action in self.actions)
        return hashlib.sha256("\n".join([*lines, *also]).encode()).hexdigest()
