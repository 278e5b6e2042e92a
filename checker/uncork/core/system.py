"""A system: typed variables and guarded actions, each action with an actor, a meaning and a fairness."""

from __future__ import annotations

import enum
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, ParamSpec

from uncork.core.evaluate import State, evaluate, holds
from uncork.core.expr import Expr, lift, nodes, text
from uncork.core.frozen import frozen
from uncork.core.size import Undecided
from uncork.core.sorts import Bool, Range, SlipError, Sort, Value, contains, default, did_you_mean, plain
from uncork.core.transform import Renaming


class Fairness(enum.Enum):
    """What a fair run owes an action: nothing.

    Or to take it if it stays enabled; or if it is enabled again and again.
    """

    NONE = "none"
    WEAK = "weak"
    STRONG = "strong"


@frozen
class Variable:
    """A state variable: its name, sort, first value and meaning."""

    name: str
    sort: Sort
    initial: Value
    doc: str

    def __post_init__(self) -> None:
        if not contains(self.sort, self.initial):
            raise SlipError(f"{self.name} is {self.sort} and cannot start at {self.initial!r}")


class Declared(NamedTuple):
    """A variable that has no name yet; see `var`."""

    sort: Sort
    doc: str
    initial: Value


def var(sort: Sort, doc: str, initial: Value | None = None) -> Declared:
    """Declares a variable of a `Record`; it starts at the first value of its sort unless `initial` says otherwise."""
    return Declared(sort, doc, default(sort) if initial is None else initial)


class NoSuchVariable(SlipError, AttributeError):
    """A variable's name is misspelt (an `AttributeError` too, so that `getattr` with a default works)."""


class Updates(dict[str, Expr]):
    """Next-state values by variable name."""


class Record:
    """A named group of variables. `record.field` reads one; `record(field=value)` gives next-state values.

    Raises `SlipError` for a field that does not exist and for a value of another sort. `label` is how an action's name
    tells the record it is about (see `step`).
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
                self.__dict__.setdefault(field, variable)  # found at once; `__getattr__` is asked for what is left

    @property
    def name(self) -> str:
        """The name that all its variables start with."""
        return self._name

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of this record, in the order of declaration."""
        return tuple(self._declared.values())

    def has(self, field: str) -> bool:
        """Whether there is a variable of this name."""
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
    """A sentence with blanks, filled in from a state; or another one `instead`, where its condition holds."""

    template: str
    blanks: tuple[Expr, ...] = ()
    instead: tuple[tuple[Expr, Sentence], ...] = ()

    def on(self, state: State) -> str:
        """The sentence as it reads in `state`."""
        for condition, other in self.instead:
            if holds(condition, state):
                return other.on(state)
        return self.template.format(*(plain(evaluate(blank, state)) for blank in self.blanks))


def say(template: str, *blanks: Expr) -> Sentence:
    """A sentence in `str.format` style with one `{}` for each expression."""
    return Sentence(template, blanks)


@frozen
class Guarded:
    """A guarded command: when it may happen, what changes, and how a trace tells it."""

    guard: Expr
    updates: Mapping[str, Expr]
    told: Sentence | None = None

    def says(self, template: str, *blanks: Expr) -> Guarded:
        """The same command, told in a trace by this sentence (read in the state before)."""
        return replace(self, told=say(template, *blanks))

    def but_where(self, condition: Expr, template: str, *blanks: Expr) -> Guarded:
        """The same command, told by this sentence and not by that of `says` where the condition holds."""
        assert self.told is not None, "first says(...)"
        if condition.op == "const" and not condition.value:
            return self
        return replace(self, told=replace(self.told, instead=(*self.told.instead, (condition, say(template, *blanks)))))


def when(guard: Expr, *updates: Mapping[str, Expr]) -> Guarded:
    """The command that may happen where `guard` holds and then makes all the updates at once."""
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

    `family` is the name without its arguments: `consume` of `consume(SQ1)`. Fairness is owed to a step and not to its
    outcomes: actions with the same `duty` are the outcomes of one step, and a fair run may take any of them each time.
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

    def __post_init__(self) -> None:
        if not self.duty:
            object.__setattr__(self, "duty", self.name)

    @functools.cached_property
    def reads(self) -> frozenset[str]:
        """The names of the variables that it depends on."""
        return frozenset(str(n.value) for n in nodes([self.guard, *self.updates.values()]) if n.op == "var")

    @functools.cached_property
    def behaviour(self) -> str:
        """Everything that decides what it does, as text: for fingerprints."""
        lines = [f"{self.name}, {self.duty}, {self.fairness.value}: {text(self.guard)}"]
        lines.extend(f"  {name}' = {text(value)}" for name, value in self.updates.items())
        return "\n".join(lines)

    @property
    def fair(self) -> bool:
        """Whether a fair run owes this action anything."""
        return self.fairness is not Fairness.NONE


class Remembers:
    """What steps are made of, as their first argument, and remembers those that would be the same again."""

    def remembered(self, name: str, make: Callable[[], Action]) -> Action:
        """The step of a name, made if it is not known."""
        raise NotImplementedError


_P = ParamSpec("_P")


def step(
    role: str, fairness: Fairness = Fairness.STRONG, *, of: str = ""
) -> Callable[[Callable[_P, Guarded]], Callable[_P, Action]]:
    """Makes an action of a function that returns a guarded command; the function is run once for each action.

    The action is named after the function and those of its arguments that have a `label` or a `note` or are whole
    numbers; its actor is the `role`, with the labels in place of `{}`. The docstring is its meaning.
    `of` names the step that this is one outcome of, if it has others: what is read, or chosen, decides which.
    """

    def decorate(function: Callable[_P, Guarded]) -> Callable[_P, Action]:
        if not function.__doc__:
            raise SlipError(f"the step {function.__name__} has no docstring; say what it does")
        family, doc = function.__name__, " ".join(function.__doc__.split())

        @functools.wraps(function)
        def make(*args: _P.args, **kwargs: _P.kwargs) -> Action:
            labels = [label for a in args if (label := getattr(a, "label", ""))]
            notes = [
                str(a) if type(a) is int else note for a in args if (note := getattr(a, "note", "")) or type(a) is int
            ]
            name = f"{family}({', '.join([*labels, *notes])})" if labels or notes else family

            def made() -> Action:
                command = function(*args, **kwargs)
                actor = role.format(" ".join(labels))
                told = command.told or say(doc.split(". ")[0].rstrip("."))
                duty = f"{of or family} by {actor}" if fairness is not Fairness.NONE else name
                return Action(name, family, actor, command.guard, command.updates, fairness, doc, told, duty)

            return args[0].remembered(name, made) if args and isinstance(args[0], Remembers) else made()

        return make

    return decorate


@frozen
class RingPicture:
    """How to draw a ring: a title, the marks on it (label and variable), and the array of what its slots hold.

    `empty` is the element of a slot in which nothing is drawn.
    """

    title: str
    size: int
    marks: tuple[tuple[str, str], ...]
    slots: str | None = None
    empty: str = "none"


@frozen
class System:
    """Variables, actions and how to draw them: all that an engine, exporter or printer may know.

    `replicas` are records that may be interchangeable, each with the name that stands for it in enumerations; an engine
    that makes use of it has to check that they are.
    """

    name: str
    variables: tuple[Variable, ...]
    actions: tuple[Action, ...]
    pictures: tuple[RingPicture, ...] = ()
    replicas: tuple[tuple[str, str], ...] = ()

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
        """The actions by duty: each list is the outcomes of one step."""
        found: dict[str, list[Action]] = {}
        for action in self.actions:
            found.setdefault(action.duty, []).append(action)
        return found

    @functools.cached_property
    def unchanged(self) -> Renaming:
        """The renaming that changes nothing, which remembers how the system's expressions read."""
        return Renaming({})

    @property
    def initial(self) -> dict[str, Value]:
        """The first state."""
        return {v.name: v.initial for v in self.variables}

    def action(self, name: str) -> Action:
        """The action of this name; raises `KeyError`."""
        for action in self.actions:
            if action.name == name:
                return action
        raise KeyError(name)

    def enabled(self, state: State) -> list[Action]:
        """The actions that may happen in `state`, in the order of declaration."""
        return [action for action in self.actions if holds(action.guard, state)]

    def after(self, state: State, action: Action) -> dict[str, Value]:
        """The state that `action` leads to; the caller has checked the guard. Values may leave their sorts."""
        return {**state, **{name: evaluate(value, state) for name, value in action.updates.items()}}

    def strays(self, state: State) -> list[str]:
        """The variables whose value in `state` is outside their sort."""
        return [v.name for v in self.variables if not contains(v.sort, state[v.name])]

    def fingerprint(self, also: Iterable[str] = ()) -> str:
        """A hash of everything that decides behaviour; equal for systems that differ in name and wording only."""
        import hashlib  # OpenSSL, which who checks one instance need not wait for

        lines = [f"{v.name}: {v.sort} = {v.initial}" for v in self.variables]
        lines.extend(action.behaviour for action in self.actions)
        return hashlib.sha256("\n".join([*lines, *also]).encode()).hexdigest()
