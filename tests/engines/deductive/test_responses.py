"""The response rule for any number of replicas: what a third replica may undo is not proved.

Each toy has replicas that wait (`c`) and replicas that help (`b`). The system follows replica 0, which waits, and
replica 1, which stands for any other; `rest.b` says that some further one helps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from toys import act
from uncork.core.expr import Expr, boolean, ite, number
from uncork.core.property import NotForever
from uncork.core.questions.argument import Argument, Elsewhere, Frame, Help, Lemma, Replica, Response, Sums
from uncork.core.sorts import Bool, Nat, SlipError
from uncork.core.system import Action, Fairness, Record, System, Updates, say, var, when
from uncork.engines.deductive import judge

SHARED = Record("shared", a=var(Bool(), "which helper helps"), turn=var(Nat(9), "whose turn it is"))
SQS = [Record(f"sq{k}", b=var(Bool(), "it helps", k == 1), c=var(Bool(), "it waits", k == 0),
              r=var(Bool(), "which of its helps is ready")) for k in (0, 1)]  # fmt: skip
REST = Record("rest", b=var(Bool(), "a further one helps"), held=var(Nat(1), "permits of further ones"))
ZERO, ONE = SQS
WAITS = NotForever("served", "", "", ZERO.c, say("it waits for ever"))
SOMEWHERE = (ONE.b & ~ONE.c) | REST.b
IN_ONE = frozenset(v.name for v in ONE.variables)
IN_REST = frozenset(v.name for v in REST.variables)


def helps(name: str, q: Record, keep: Expr) -> Action:
    """Replica q ends every wait, unless `keep`."""
    return act(f"{name}({q.name})", when(q.b & ~q.c, *(each(c=each.c & keep) for each in SQS)))


def idles(name: str, q: Record, *updates: Updates) -> Action:
    """A step of a replica that neither helps nor waits, which it never has to take."""
    return act(f"{name}({q.name})", when(~q.b & ~q.c, *updates), Fairness.NONE)


def judged(actions: Sequence[Action], helpers: Sequence[Help]) -> tuple[bool, set[str]]:
    """Whether it is proved that replica 0 is served, and the names of what fails."""
    system = System("toy", (*SHARED.variables, *ZERO.variables, *ONE.variables, *REST.variables), tuple(actions))
    others = frozenset(action.name for action in actions if not action.name.endswith("(sq1)"))
    response = Response(
        WAITS, [("nothing", number(0))], helpers, [Elsewhere("another helps", REST.b, ONE.b & ~ONE.c)],
        replica=Replica(IN_ONE, IN_REST, others=others),
    )  # fmt: skip
    lemma = Lemma("somebody helps", "a replica helps and does not wait", SOMEWHERE)
    found = judge(Argument(system, frozenset(), [lemma], [], [], [response]))
    return found.proves(WAITS), {failure.obligation.name for failure in found.failures}


def both(of: Callable[[Record], Expr]) -> list[Action]:
    """The helps `one`, which ends the waits while a flag is set, and `two`, while it is not."""
    return [a for q in SQS for a in (helps("one", q, ~of(q)), helps("two", q, of(q)))]


def help_of(name: str, while_: Expr, own: Expr) -> Help:
    return Help(frozenset({f"{name}(sq1)"}), while_, own)


def flag(_: Record) -> Expr:
    return SHARED.a


def ready(q: Record) -> Expr:
    return q.r


BY_FLAG = [help_of("one", SHARED.a, ONE.b), help_of("two", ~SHARED.a, ONE.b)]
BY_READY = [help_of("one", boolean(True), ONE.r), help_of("two", boolean(True), ~ONE.r)]


@pytest.mark.parametrize(("of", "helpers"), [(flag, BY_FLAG), (ready, BY_READY)])
def test_helps_that_nobody_ends_are_proved(of: Callable[[Record], Expr], helpers: Sequence[Help]) -> None:
    assert judged(both(of), helpers) == (True, set())


def test_a_help_that_a_third_replica_ends_by_what_is_shared_is_not() -> None:
    """A third one turns the flag before each help, for ever; and 1, of which it is asked, turns it only if idle."""
    turns = [idles("toggle", q, SHARED(a=~SHARED.a)) for q in SQS]
    proved, failures = judged([*both(flag), *turns], BY_FLAG)
    assert not proved
    assert failures == {
        f"help stays: served: as long as it helps: {help}(sq1), after toggle(sq1)" for help in ("one", "two")
    }


def test_a_help_that_a_third_replica_ends_by_what_the_helper_owns_is_not() -> None:
    spoils = [idles("spoil", q, other(r=~other.r)) for q, other in (SQS, SQS[::-1])]
    proved, failures = judged([*both(ready), *spoils], BY_READY)
    assert not proved
    assert failures == {f"help stays: served: {help}(sq1), whoever waits, after spoil(sq0)" for help in ("one", "two")}


@pytest.mark.parametrize(
    ("helper", "says"),
    [
        (help_of("one", SHARED.a & ONE.b, boolean(True)), "one.*while_ reads sq1.b"),
        (help_of("one", SHARED.a & REST.b, ONE.b), "one.*while_ reads rest.b"),
        (help_of("one", boolean(True), SHARED.a & ONE.b), "one.*own reads shared.a"),
        (help_of("one", boolean(True), ZERO.c & ONE.b), "one.*own reads sq0.c"),
        (Help(frozenset({"one(sq0)"}), ONE.b), "one.*while_ reads sq1.b"),
    ],
)
def test_a_condition_of_which_a_third_replica_has_another_is_refused(helper: Help, says: str) -> None:
    with pytest.raises(SlipError, match=says):
        judged(both(flag), [helper])


@pytest.mark.parametrize(
    ("first", "counts", "fails"),
    [
        (1, ZERO.c, ""),
        (0, ZERO.c, "sums: served, after hand"),
        (1, ~ZERO.c, "sums: served: permits is 0 where it does not count"),
    ],
)
def test_where_a_sum_may_grow_unseen_a_part_before_it_falls(first: int, counts: Expr, fails: str) -> None:
    """Each hand gives a further replica a permit. If hands were not counted, it could go on for ever."""
    left = SHARED.turn
    hand = act("hand", when(left > 0, SHARED(turn=left - 1), REST(held=1)), Fairness.NONE)
    use = act("use(sq1)", when(ONE.r, ONE(r=False)))
    variables = (*SHARED.variables, *ZERO.variables, *ONE.variables, *REST.variables)
    response = Response(
        WAITS, [("hands", left), ("permits", ite(ONE.r, 1, 0))], [],
        replica=Replica(IN_ONE, IN_REST, others=frozenset({"hand"})), sums=Sums(first, counts),
    )  # fmt: skip
    frame = Frame("1 as the others leave it", "", frozenset({"hand"}), [ite(ONE.r, 1, 0)], unless=left)
    found = judge(Argument(System("toy", variables, (hand, use)), frozenset(), [], [], [], [response], [frame]))
    of = {failure.obligation.name for failure in found.failures if failure.obligation.family == "sums"}
    assert of == ({fails} if fails else set())
