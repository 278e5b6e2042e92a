"""Z3's Spacer (Komuravelli, Gurfinkel, Chaki: SMT-Based Model Checking for Recursive Programs, CAV 2014) as an oracle.

Spacer suggests an invariant, which `induction` checks. Spacer is slow on bit-vectors, so the query uses a Bool for each
bit. Z3's own option for this (`xform.bit_blast`) returns answers with mixed-up bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import z3

from uncork.core.expr import Expr
from uncork.core.system import System
from uncork.engines.symbolic.encode import atoms
from uncork.engines.symbolic.solver import Effort, Spent
from uncork.engines.symbolic.terms import State, Terms


def suggest(system: System, given: Sequence[Expr], bad: Expr | None, effort: Effort) -> Any | None:
    """A suggested invariant, as a Z3 term over the generic state of `Terms`; None if a bad state is reachable.

    `given` are invariants. If `bad` is None, a state is bad if a variable can leave its sort there. The term has a
    context of its own. Raises `Spent` or `Stop`.
    """
    bits = _Bits(Terms(system, z3.Context()))
    terms, context = bits.terms, bits.terms.context
    reached = z3.Function("reached", *(z3.BoolSort(context) for _ in bits.now), z3.BoolSort(context))
    wrong = z3.Function("wrong", z3.BoolSort(context))
    spacer = z3.Fixedpoint(ctx=context)
    spacer.set(engine="spacer", ctrl_c=False)
    spacer.register_relation(reached, wrong)
    spacer.declare_var(*bits.now, *bits.after.values())
    here = [reached(*bits.now), *bits.blasted([terms.read(fact) for fact in given])]
    spacer.rule(reached(*(z3.simplify(bit) for bit in _split(terms.initial))))
    for action in system.actions:
        values, fit = terms.updates(action)
        new = list(zip(_split({name: terms.now[name] for name in values}), _split(values), strict=True))
        after = {str(old): bits.after[str(bits.of[old])] for old, _ in new}
        equations = [after[str(old)] == value for old, value in new]
        head = [after.get(str(bit), now) for bit, now in zip(_split(terms.now), bits.now, strict=True)]
        spacer.rule(reached(*head), [*here, *bits.blasted([terms.read(action.guard), fit, *equations])])
    spacer.rule(wrong(), [*here, *bits.blasted([terms.faults if bad is None else terms.read(bad)])])
    spacer.set(rlimit=effort.left)
    answer = effort.ask(context, lambda: spacer.query(wrong()), spacer)
    if answer == z3.unknown:
        raise Spent(f"Spacer gives up: {spacer.reason_unknown()}")
    return None if answer == z3.sat else bits.put_back(_meaning(spacer.get_answer(), reached, bits.now))


class _Bits:
    """The generic state with a Bool for each bit."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        split = _split(terms.now)
        self.now = [z3.Bool(f"bit {k}", terms.context) for k in range(len(split))]
        self.of = dict(zip(split, self.now, strict=True))
        self.after = {str(bit): z3.Bool(f"{bit}'", terms.context) for bit in self.now}
        names = ("simplify", "bit-blast", "simplify")
        self._blast = z3.Then(*(z3.Tactic(name, ctx=terms.context) for name in names), ctx=terms.context)
        one, zero = (z3.BitVecVal(value, 1, terms.context) for value in (1, 0))
        self._whole = []
        for constant in _flat(terms.now):
            if z3.is_bool(constant):
                self._whole.append((constant, self.of[constant]))
            else:
                found = [z3.If(self.of[bit], one, zero) for bit in reversed(_bits(constant))]
                self._whole.append((constant, z3.Concat(*found) if len(found) > 1 else found[0]))

    def blasted(self, truths: Sequence[Any]) -> list[Any]:
        """Conditions on the state, as conditions on its bits."""
        goal = z3.Goal(ctx=self.terms.context)
        goal.add(*(z3.substitute(truth, *self._whole) for truth in truths))
        (only,) = self._blast(goal)
        return list(only)

    def put_back(self, truth: Any | None) -> Any | None:
        """A condition on the bits, as a condition on the state; None stays None."""
        return None if truth is None else z3.substitute(truth, *((bit, meaning) for meaning, bit in self.of.items()))


def _meaning(answer: Any, reached: Any, constants: Sequence[Any]) -> Any | None:
    """The meaning of `reached` in Spacer's answer, from its part `forall x. reached(x) = condition on x`."""
    for part in answer.children() if z3.is_and(answer) else [answer]:
        if z3.is_quantifier(part) and z3.is_eq(part.body()):
            head, meaning = part.body().children()
            if head.decl() == reached:
                places = {z3.get_var_index(arg): c for arg, c in zip(head.children(), constants, strict=True)}
                return z3.substitute_vars(meaning, *(places[index] for index in range(len(constants))))
    return None


def _flat(state: State) -> list[Any]:
    return [atom for term in state.values() for atom in atoms(term)]


def _split(state: State) -> list[Any]:
    return [bit for atom in _flat(state) for bit in _bits(atom)]


def _bits(atom: Any) -> list[Any]:
    """The bits of a scalar as Z3 Bools, lowest first. A Bool is a single bit."""
    return [atom] if z3.is_bool(atom) else [z3.Extract(k, k, atom) == 1 for k in range(atom.size())]
