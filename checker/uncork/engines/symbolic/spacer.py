"""Z3's Spacer (Komuravelli, Gurfinkel, Chaki: SMT-Based Model Checking for Recursive Programs, CAV 2014) as an oracle.

It is asked for an invariant, and what it answers is a suggestion: `induction` checks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3

from uncork.core.expr import Expr
from uncork.core.system import System
from uncork.engines.symbolic.encode import atoms
from uncork.engines.symbolic.solver import Purse, Spent
from uncork.engines.symbolic.terms import State, Terms


def suggest(system: System, given: Sequence[Expr], bad: Expr | None, purse: Purse) -> Any | None:
    """A truth about the generic state of `Terms`, in a context of its own; or None if a bad state is reached.

    `given` are known to hold always. Without a bad condition, it is bad that a variable leaves its sort.
    Raises `Spent` or `Stop`.
    """
    context = z3.Context()
    terms = Terms(system, context)
    constants = _flat(terms.now)
    reached = z3.Function("reached", *(c.sort() for c in constants), z3.BoolSort(context))
    wrong = z3.Function("wrong", z3.BoolSort(context))
    here = [reached(*constants), *(terms.read(fact) for fact in given)]

    spacer = z3.Fixedpoint(ctx=context)
    # Bit by bit it is some fifty times as fast as on bit-vectors.
    spacer.set(**{"engine": "spacer", "xform.bit_blast": True, "ctrl_c": False})
    spacer.register_relation(reached, wrong)
    spacer.declare_var(*constants)
    spacer.rule(reached(*_flat(terms.initial)))
    for action in system.actions:
        values, fit = terms.updates(action)
        spacer.rule(reached(*_flat({**terms.now, **values})), [*here, terms.read(action.guard), fit])
    spacer.rule(wrong(), [*here, terms.faults if bad is None else terms.read(bad)])
    spacer.set(rlimit=purse.left)
    answer = purse.ask(context, lambda: spacer.query(wrong()), spacer)
    if answer == z3.unknown:
        raise Spent(f"Spacer gives up: {spacer.reason_unknown()}")
    return None if answer == z3.sat else _meaning(spacer.get_answer(), reached, constants)


def _meaning(answer: Any, reached: Any, constants: Sequence[Any]) -> Any | None:
    """What the answer says that `reached` is: it has a part `forall x. reached(x) = truth about x`."""
    for part in answer.children() if z3.is_and(answer) else [answer]:
        if not z3.is_quantifier(part):
            continue
        head, meaning = part.body().children()
        if z3.is_app(head) and head.decl() == reached:
            places = {z3.get_var_index(arg): constant for arg, constant in zip(head.children(), constants, strict=True)}
            return z3.substitute_vars(meaning, *(places[index] for index in range(len(constants))))
    return None


def _flat(state: State) -> list[Any]:
    return [atom for term in state.values() for atom in atoms(term)]
