"""Reduces liveness to safety: builds a system whose bad states are the ends of the violating loops of another system.

Armin Biere, Cyrille Artho, Viktor Schuppan: Liveness Checking as Safety Checking, FMICS 2002. A run may save its state
once. From then on, the run stays in the condition that the property forbids for ever, and records which fair steps were
enabled and taken. If the saved state returns and no fair step is owed, the run has closed a violating loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from uncork.core.expr import Expr, all_of, any_of, boolean
from uncork.core.property import Always, NotForever
from uncork.core.sorts import Bool, Sort
from uncork.core.system import Action, Fairness, System, Variable, say
from uncork.core.transform import mapped


def safe(system: System, prop: NotForever) -> tuple[System, Always]:
    """A system and an invariant, which holds in the new system exactly if `prop` holds in `system`."""
    own = [_read(v.name, v.sort) for v in system.variables]
    saved, moved = _read("saved", Bool()), _read("moved since", Bool())
    copies = [_saved(variable) for variable in own]
    debts = [_Debt(actions) for actions in system.duties.values() if actions[0].fair]

    save = _action(
        "save",
        ~saved & prop.condition,
        {"saved": boolean(True)} | {str(copy.value): now for copy, now in zip(copies, own, strict=True)},
    )
    steps = [
        _action(
            action.name,
            action.guard & (~saved if action.name in prop.without else ~saved | prop.condition),
            {**action.updates, "moved since": saved}
            | {n: e for debt in debts for n, e in debt.updates(action, saved).items()},
        )
        for action in system.actions
    ]
    first = {name: _variable(name) for name in ("saved", "moved since")}
    variables = (
        *system.variables,
        *first.values(),
        *(Variable(f"saved {v.name}", v.sort, v.initial, f"saved: {v.doc}") for v in system.variables),
        *(_variable(str(bit.value)) for debt in debts for bit in debt.bits),
    )
    closed = moved & all_of(now == copy for now, copy in zip(own, copies, strict=True))
    loops = closed & all_of(debt.settled for debt in debts)
    stuck = prop.condition & ~any_of(action.guard for action in system.actions if action.fair)
    told = Always(prop.name, prop.row, prop.doc, ~loops & ~stuck, prop.blame)
    return System(f"{system.name}, {prop.name}", variables, (*steps, save)), told


def remembered(fact: Expr) -> Expr:
    """An invariant of `system`, as an invariant about the saved state."""
    return ~_read("saved", Bool()) | mapped(fact, lambda leaf: _saved(leaf) if leaf.op == "var" else leaf)


class _Debt:
    """Bits that record what the loop so far owes to a step. They are false until a state is saved."""

    def __init__(self, outcomes: Sequence[Action]) -> None:
        self.names, self.strong = {action.name for action in outcomes}, outcomes[0].fairness is Fairness.STRONG
        self.enabled = any_of(action.guard for action in outcomes)
        duty = outcomes[0].duty
        self.paid = _read(f"{duty}: taken" if self.strong else f"{duty}: taken or disabled", Bool())
        self.seen = _read(f"{duty}: enabled", Bool())
        self.bits = [self.paid, self.seen] if self.strong else [self.paid]

    def updates(self, action: Action, saved: Expr) -> Mapping[str, Expr]:
        """The next values of the bits after an action."""
        pays = boolean(action.name in self.names)
        if not self.strong:
            return {str(self.paid.value): self.paid | saved & (pays | ~self.enabled)}
        return {str(self.paid.value): self.paid | saved & pays, str(self.seen.value): self.seen | saved & self.enabled}

    @property
    def settled(self) -> Expr:
        """The condition that the loop is fair to this step."""
        return self.paid | ~self.seen if self.strong else self.paid


def _read(name: str, sort: Sort) -> Expr:
    return Expr("var", (), sort, name)


def _saved(variable: Expr) -> Expr:
    return _read(f"saved {variable.value}", variable.sort)


def _variable(name: str) -> Variable:
    return Variable(name, Bool(), False, name)


def _action(name: str, guard: Expr, updates: Mapping[str, Expr]) -> Action:
    return Action(name, name, "any", guard, updates, Fairness.NONE, name, say(name))
