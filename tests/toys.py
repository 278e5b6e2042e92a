"""Toy systems, drawn as graphs, with answers worked out by hand.

`draw("a go b", "b back a")` is a system of two places, in which `go` leads from a to b and `back` from b to a. The
place named first is the first state, and actions are in the order in which they are first named. An action is
strongly fair unless it is listed under `weak` or `free`; those under `same` are the outcomes of one step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import strategies as st
from uncork.core.expr import Expr, any_of, ite
from uncork.core.property import Always, InRange, NotForever, Property, always
from uncork.core.sorts import Enum, Nat, Range
from uncork.core.system import Action, Fairness, Guarded, Record, System, say, var, when
from uncork.core.verdict import Verdict
from uncork.engines import Outcome

IN_RANGE = InRange("in range", "safety", "Every variable keeps to its sort.")


def act(name: str, command: Guarded, fairness: Fairness = Fairness.STRONG, duty: str = "") -> Action:
    return Action(name, name, "toy", command.guard, command.updates, fairness, f"The toy's {name}.", say(name), duty)


def draw(*edges: str, weak: str = "", free: str = "", same: str = "") -> System:
    ways: dict[str, dict[str, str]] = {}
    places: dict[str, None] = {}
    for edge in edges:
        source, name, target = edge.split()
        assert source not in ways.setdefault(name, {}), f"{name} leads to two places from {source}"
        ways[name][source] = target
        places |= {source: None, target: None}
    toy = Record("toy", at=var(Enum(tuple(places)), "where the toy is"))
    fairness = dict.fromkeys(weak.split(), Fairness.WEAK) | dict.fromkeys(free.split(), Fairness.NONE)
    return System(
        "toy",
        toy.variables,
        tuple(
            act(
                name,
                when(toy.at.among(*way), toy(at=_leads(toy.at, way))),
                fairness.get(name, Fairness.STRONG),
                "one of them" if name in same.split() else "",
            )
            for name, way in ways.items()
        ),
    )


def _leads(at: Expr, way: dict[str, str]) -> Expr:
    result = at
    for source, target in way.items():
        result = ite(at == source, target, result)
    return result


def at(system: System, places: str) -> Expr:
    """Whether the toy is in one of these places."""
    (place,) = system.variables
    here = Expr("var", (), place.sort, place.name)
    return any_of(here == name for name in places.split())


def lasting(condition: Expr, without: Iterable[str] = ()) -> NotForever:
    return NotForever("leaves", "toy", "The toy does not stay.", condition, say("stuck"), frozenset(without))


def not_forever(system: System, places: str, without: Iterable[str] = ()) -> NotForever:
    return lasting(at(system, places), without)


def never(system: System, places: str) -> Always:
    return always("never there", "toy", ~at(system, places))


def counter(high: int, limit: int, low: int = 0) -> System:
    """Counts up from 0 below `limit`, in a variable that holds `low` to `high`."""
    r = Record("r", n=var(Range(low, high), "a count", 0), beside=var(Nat(1), "what an overflow would spill into"))
    return System("counter", r.variables, (act("up", when(r.n < limit, r(n=r.n + 1))),))


def verdict(outcome: Outcome) -> Verdict:
    """The verdict on the only property that was asked for."""
    ((_, only),) = outcome.verdicts
    return only


@dataclass(frozen=True)
class Toy:
    """A system, a property, and what must come out: None if it is to be proved, else the stem and the loop's length."""

    name: str
    system: System
    prop: Property
    refuted: tuple[int, int] | None
    states: int
    depth: int


def stays(
    name: str, system: System, places: str, refuted: tuple[int, int] | None, size: tuple[int, int], but: str = ""
):
    """A toy about not staying for ever in some places, without the actions `but`."""
    return Toy(name, system, not_forever(system, places, but.split()), refuted, *size)


SWING = ("a swing b", "b swing a", "a leave c")
BUSY = ("a swing b", "b swing a", "a leave c", "b leave c")
ROUNDS = ("a p b", "b q a", "b r c", "c s b", "c leave d")
EITHER = ("a good c", "a bad b", "b back a")
CORNER = ("a go b", "b q c")
SHARE = ("a swing b", "b swing a", "a p c", "b q c")
SUBMIT = ("a go b", "b submit a")
WORK = ("a work b", "b work a")
BEHIND = ("a go b", "b go c", "c go d", "d back c")
TWO_LOOPS = ("a down b", "b down c", "c deep c", "a side d", "d shallow d")
SIDE_BY_SIDE = ("a one b", "a two c", "b long d", "d long b", "c short c")
TOUR = ("m left l", "l home m", "m right r", "r home m")
SHORT_CUT = ("a slow b", "b slow c", "c slow d", "a quick d", "d back a", "e on e")

TOYS = (
    # Fairness: each pair differs in the fairness of one action.
    stays("strong fairness leaves a loop that enables leave now and then", draw(*SWING), "a b", None, (3, 1)),
    stays("weak fairness does not", draw(*SWING, weak="leave"), "a b", (0, 2), (3, 1)),
    stays("weak fairness leaves a loop that always enables leave", draw(*BUSY, weak="leave"), "a b", None, (3, 1)),
    stays("no fairness does not", draw(*BUSY, free="leave"), "a b", (0, 2), (3, 1)),
    stays("c goes for leave, then b for r, then a for p: three rounds", draw(*ROUNDS), "a b c", None, (4, 3)),
    stays("nothing is owed to r, and a-b remains", draw(*ROUNDS, free="r"), "a b c", (0, 2), (4, 3)),
    # Fairness is owed to a step, not to each of its outcomes.
    stays("two steps: each is taken some time", draw(*EITHER), "a b", None, (3, 1)),
    stays("two outcomes of one step: one may come every time", draw(*EITHER, same="good bad"), "a b", (0, 2), (3, 1)),
    stays("an outcome that is alone where it stands", draw(*CORNER, same="p q"), "a b", None, (3, 2)),
    stays("and one that is not", draw(*CORNER, "b p a", same="p q"), "a b", (0, 2), (3, 2)),
    stays("weakly, a step lasts by any of its outcomes", draw(*SHARE, weak="p q", same="p q"), "a b", None, (3, 1)),
    stays("two weak steps take turns", draw(*SHARE, weak="p q"), "a b", (0, 2), (3, 1)),
    # A run that goes quiet.
    stays("a guest that may stop is stuck before submit", draw(*SUBMIT, free="submit"), "b", (1, 0), (2, 1)),
    stays("one that must go on is not", draw(*SUBMIT), "b", None, (2, 1)),
    stays("a dead end is a stuck state", draw("a go b"), "b", (1, 0), (2, 1)),
    stays("and no harm where it is meant to be", draw("a go b"), "a", None, (2, 1)),
    # Which loop is shown.
    stays("the shallow loop, though the deep one is drawn first", draw(*TWO_LOOPS), "a b c d", (1, 1), (4, 2)),
    stays("the deep one where the shallow one is not bad", draw(*TWO_LOOPS), "a b c", (2, 1), (4, 2)),
    stays("neither where neither is", draw(*TWO_LOOPS), "a b", None, (4, 2)),
    stays("the shorter of two loops of one depth, though found second", draw(*SIDE_BY_SIDE), "b c d", (1, 1), (4, 2)),
    stays("the longer where the shorter one is not bad", draw(*SIDE_BY_SIDE), "b d", (1, 2), (4, 2)),
    stays("a bad loop behind a good place", draw(*BEHIND), "a c d", (2, 2), (4, 3)),
    stays("no loop is bad that passes a good place", draw(*BEHIND), "a c", None, (4, 3)),
    stays("a loop that takes both actions it owes", draw(*TOUR), "m l r", (0, 4), (3, 1)),
    stays("and one only, if one only is owed", draw(*TOUR, free="right"), "m l r", (0, 2), (3, 1)),
    stays("a weak debt is paid where the action is disabled", draw(*TOUR, weak="right"), "m l r", (0, 2), (3, 1)),
    stays("a self-loop", draw("a tick a"), "a", (0, 1), (1, 0)),
    stays("a self-loop with a fair way out", draw("a tick a", "a leave b"), "a", None, (2, 1)),
    # Actions that the loop may not take.
    stays("a loop that works is not a loop without work", draw(*WORK), "a b", None, (2, 1), but="work"),
    stays("it is one otherwise", draw(*WORK), "a b", (0, 2), (2, 1)),
    stays("who owes no work may do without it", draw(*WORK, free="work"), "a b", (0, 0), (2, 1), but="work"),
    # Safety.
    *(
        Toy(name, system, never(system, places), refuted, 4, 2)
        for system in [draw(*SHORT_CUT)]
        for name, places, refuted in (
            ("the quick way to what must not be", "d", (1, 0)),
            ("the slow one", "c", (2, 0)),
            ("the first state is looked at too", "a d", (0, 0)),
            ("what is not reached is not found", "e", None),
        )
    ),
)


# -- random systems ----------------------------------------------------------------------------------------------------
PLACES = "abcdefgh"
NAMES = "pqrst"


@st.composite
def pictures(chosen: st.DrawFn) -> tuple[System, list[Property]]:
    """A random system of up to eight places, and properties of it."""
    size = chosen(st.integers(2, len(PLACES)))
    places = PLACES[:size]
    edges = chosen(
        st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from(places)), st.sampled_from(places), min_size=1)
    )
    kinds = chosen(st.tuples(*[st.sampled_from(["strong", "weak", "free"])] * len(NAMES)))
    weak, free = (" ".join(n for n, kind in zip(NAMES, kinds, strict=True) if kind == k) for k in ("weak", "free"))
    lines = [f"{source} {name} {target}" for (name, source), target in edges.items()]
    alike = chosen(st.sampled_from([weak.split(), free.split(), [n for n in NAMES if n not in weak + free]]))
    system = draw(*lines, weak=weak, free=free, same=" ".join(alike[: chosen(st.integers(0, 3))]))
    known = [str(v) for v in system.variables[0].sort.values()]
    some = " ".join(place for place in known if chosen(st.integers(0, 3)))  # most places are bad: loops are the point
    without = chosen(st.sets(st.sampled_from(NAMES), max_size=2))
    return system, [not_forever(system, some, without), not_forever(system, some), never(system, some), IN_RANGE]
