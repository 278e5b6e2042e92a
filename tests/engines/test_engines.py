"""Two engines that share no code, on systems with known answers and on random ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from budgets import examples
from hypothesis import given, settings
from toys import IN_RANGE, TOYS, Toy, act, at, counter, draw, lasting, never, not_forever, pictures, verdict
from uncork.core.evaluate import State, holds
from uncork.core.expr import boolean
from uncork.core.property import NotForever, Sometimes
from uncork.core.sorts import Array, Bool, Nat, Range, Ring
from uncork.core.system import Fairness, Record, System, var, when
from uncork.core.verdict import Open, Proved, Refuted
from uncork.engines import Budget, Engine, Progress, Stop, explicit, reference
from uncork.engines.explicit import witness

ENGINES = {"explicit": explicit.check, "reference": reference.check}


@pytest.fixture(params=ENGINES)
def check(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


# -- known answers -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_each_engine_gives_the_known_answer_of_a_toy(check: Engine, toy: Toy) -> None:
    outcome = check(toy.system, [toy.prop])
    assert (outcome.states, outcome.depth) == (toy.states, toy.depth)
    found = verdict(outcome)
    if toy.refuted is None:
        assert isinstance(found, Proved)
        return
    assert isinstance(found, Refuted)
    stem, loop = toy.refuted
    assert found.trace.stem == stem
    if outcome.engine == "explicit":
        assert found.shortest
    assert found.trace.loop_steps == loop or (not found.shortest and found.trace.loop_steps > loop)


def test_every_toy_has_a_twin_with_the_other_verdict() -> None:
    proved = {type(toy.prop) for toy in TOYS if toy.refuted is None}
    refuted = {type(toy.prop) for toy in TOYS if toy.refuted is not None}
    assert proved == refuted


def test_covers_that_no_run_reaches_are_named(check: Engine) -> None:
    system = draw("a go b", "c go a")
    covers = [Sometimes(place, at(system, place), "") for place in "abc"]
    assert check(system, [], covers).unreached == ("c",)
    assert check(draw("a go b", "b go c"), [], covers).unreached == ()


@pytest.mark.parametrize("low", [0, -5])
def test_overflow_is_refuted_with_a_trace_that_ends_outside(check: Engine, low: int) -> None:
    outcome = check(counter(3, 4, low), [IN_RANGE])
    found = verdict(outcome)
    assert isinstance(found, Refuted)
    assert [state["r.n"] for state in found.trace.states] == [0, 1, 2, 3, 4]
    assert found.shortest
    assert outcome.states == 4
    assert outcome.unreached is None
    assert isinstance(verdict(check(counter(4, 4, low), [IN_RANGE])), Proved)


def test_overflow_of_an_array_element_is_refuted(check: Engine) -> None:
    def filling(limit: int) -> System:
        r = Record("r", a=var(Array(2, Nat(2)), ""), i=var(Ring(2), "", 1))
        return System("filling", r.variables, (act("up", when(r.a[r.i] < limit, r(a=r.a.store(r.i, r.a[r.i] + 1)))),))

    found = verdict(check(filling(3), [IN_RANGE]))
    assert isinstance(found, Refuted)
    assert found.trace.states[-1]["r.a"] == (0, 3)
    assert isinstance(verdict(check(filling(2), [IN_RANGE])), Proved)


# -- the shape of systems ----------------------------------------------------------------------------------------------
def test_states_of_several_words_and_fields_of_no_bits_are_counted(check: Engine) -> None:
    """64 bits fill a word; the constant has none and stands behind it; the ring starts the next word."""
    bits = {f"b{k}": var(Bool(), "") for k in range(64)}
    r = Record("r", **bits, five=var(Range(5, 5), ""), ring=var(Ring(3), ""))
    system = System(
        "wide",
        r.variables,
        (
            act("all", when(~r.b0, r(five=5, **dict.fromkeys(bits, True)))),
            act("turn", when(r.b63, r(ring=r.ring + 2))),
        ),
    )
    outcome = check(system, [IN_RANGE], [Sometimes("turned", r.b7 & (r.five == 5) & (r.ring == 1), "")])
    assert (outcome.states, outcome.transitions, outcome.depth, outcome.unreached) == (4, 4, 3, ())


@pytest.mark.slow
def test_more_actions_than_a_hash_table_is_wide_at_first_are_all_taken() -> None:
    r = Record("r", n=var(Nat(699), ""))
    actions = (act(f"jump{k}", when(boolean(True), r(n=k))) for k in range(700))
    outcome = explicit.check(System("many", r.variables, tuple(actions)), [IN_RANGE])
    assert (outcome.states, outcome.transitions) == (700, 700 * 700)


@pytest.mark.slow
def test_a_state_that_very_many_steps_lead_to_is_decided(check: Engine) -> None:
    """From a hub to one of 256 places and back, a fair loop; none if there is no way back. A byte counts to 255."""
    r = Record("r", n=var(Nat(256), ""))
    out = [act(f"out{k}", when(r.n == 0, r(n=k)), duty="out") for k in range(1, 257)]
    system = System("hub", r.variables, (*out, act("back", when(r.n > 0, r(n=0)))))
    found = verdict(check(system, [lasting(boolean(True))]))
    assert isinstance(found, Refuted)
    assert (found.trace.stem, found.trace.loop_steps) == (0, 2)
    assert isinstance(verdict(check(system, [lasting(boolean(True), ["back"])])), Proved)


@pytest.mark.parametrize(("narrow", "without", "stays"), [("a b", "", True), ("b c", "", False), ("a b c", "go", True)])
def test_a_property_is_not_settled_by_a_wider_one_that_forbids_more(
    check: Engine, narrow: str, without: str, *, stays: bool
) -> None:
    """Between a and b, or on to c and out. Without the step `swing` nothing lasts; that says nothing of a and b."""
    system = draw("a swing b", "b back a", "b go c", "c leave d", weak="go")
    wide = not_forever(system, "a b c", ["swing"])
    asked = not_forever(system, narrow, without.split())
    outcome = check(system, [asked, wide])
    (_, found), (_, wider) = outcome.verdicts
    assert isinstance(found, Refuted) is stays
    assert isinstance(wider, Proved)


def test_a_system_without_any_action_is_stuck(check: Engine) -> None:
    r = Record("r", b=var(Bool(), ""))
    found = verdict(check(System("still", r.variables, ()), [lasting(~r.b)]))
    assert isinstance(found, Refuted)
    assert found.trace.stuck


# -- random systems ----------------------------------------------------------------------------------------------------
@pytest.mark.slow
@settings(max_examples=examples(400), deadline=None)
@given(pictures())
def test_engines_agree_on_random_systems(picture) -> None:
    system, properties = picture
    one, other = (engine(system, properties) for engine in ENGINES.values())
    assert (one.states, one.transitions, one.depth) == (other.states, other.transitions, other.depth)
    for (prop, a), (_, b) in zip(one.verdicts, other.verdicts, strict=True):
        assert type(a) is type(b), prop
        if isinstance(a, Refuted):
            assert a.trace.stem == b.trace.stem
            assert a.shortest
            assert a.trace.loop_steps <= b.trace.loop_steps


def shortest_fair_loop(system: System, prop: NotForever, entry: State) -> int | None:
    """By the definition: the length of the shortest walk from `entry` back to it that owes nothing, or None."""
    strong, weak = ({a.duty for a in system.actions if a.fairness is kind} for kind in (Fairness.STRONG, Fairness.WEAK))

    def met(state: State, seen: frozenset[str], throughout: frozenset[str], taken: frozenset[str]):
        enabled = {a.duty for a in system.enabled(state)}
        return state, seen | enabled & strong, throughout & enabled, taken

    walks, known, length = [met(entry, frozenset(), frozenset(weak), frozenset())], set(), 0
    while walks:
        if any(state == entry and not (seen | throughout) - taken for state, seen, throughout, taken in walks):
            return length
        length, before, walks = length + 1, walks, []
        for state, seen, throughout, taken in before:
            for action in system.enabled(state):
                after = system.after(state, action)
                if action.name in prop.without or not holds(prop.condition, after):
                    continue
                walk = met(after, seen, throughout, taken | {action.duty})
                if (key := (*after.values(), *walk[1:])) not in known:
                    known.add(key)
                    walks.append(walk)
    return None


def levels(system: System) -> Iterator[list[State]]:
    """The reachable states, by depth."""
    found = level = [system.initial]
    while level:
        yield level
        following = [system.after(state, action) for state in level for action in system.enabled(state)]
        level = [state for n, state in enumerate(following) if state not in found and state not in following[:n]]
        found = found + level


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(pictures())
def test_the_loop_shown_is_a_shortest_at_the_least_depth(picture) -> None:
    system, (prop, *_) = picture
    loops = [
        (depth, length)
        for depth, level in enumerate(levels(system))
        for state in level
        if holds(prop.condition, state) and (length := shortest_fair_loop(system, prop, state)) is not None
    ]
    found = verdict(explicit.check(system, [prop]))
    shown = [(found.trace.stem, found.trace.loop_steps)] if isinstance(found, Refuted) else []
    assert sorted(loops)[:1] == shown


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None)
@given(pictures())
def test_loops_found_without_the_exact_search_are_fair_too(picture) -> None:
    """The walk that is used where the exact search would take too long: `check` replays it."""
    system, properties = picture
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(witness, "_NODES", 0)
        greedy = explicit.check(system, properties)
    for (_, a), (_, b) in zip(explicit.check(system, properties).verdicts, greedy.verdicts, strict=True):
        assert type(a) is type(b)
        if isinstance(a, Refuted):
            assert a.trace.loop_steps <= b.trace.loop_steps


@given(pictures())
@settings(max_examples=examples(25), deadline=None)
def test_two_runs_of_an_engine_are_equal(picture) -> None:
    system, properties = picture
    for engine in ENGINES.values():
        first, second = (dataclasses.replace(engine(system, properties), seconds=0) for _ in range(2))
        assert repr(first) == repr(second)


# -- budgets -----------------------------------------------------------------------------------------------------------
LONG = counter(40_000, 40_000)
SHALLOW = ("a go b", "a side c", "c spin c", "b go d", "d go e", "e go f")


@pytest.mark.parametrize("budget", [Budget(states=50), Budget(seconds=0), Budget(memory=1)], ids=str)
def test_a_spent_budget_is_open_and_never_a_pass(check: Engine, budget: Budget) -> None:
    if check is reference.check and budget.memory:
        pytest.skip("the reference engine does not measure memory")
    outcome = check(LONG, [IN_RANGE], [Sometimes("never", boolean(False), "")], budget)
    found = verdict(outcome)
    assert isinstance(found, Open)
    assert "budget" in found.reason
    assert found.depth == outcome.depth < 60
    assert (outcome.unreached, outcome.stopped) == (None, None)


def test_a_budget_that_is_not_spent_changes_nothing(check: Engine) -> None:
    ample = Budget(states=1000, seconds=60, memory=1 << 30)
    assert isinstance(verdict(check(counter(9, 9), [IN_RANGE], budget=ample)), Proved)


def test_what_is_refuted_in_an_unfinished_graph_is_refuted(check: Engine) -> None:
    system = draw(*SHALLOW)
    outcome = check(system, [not_forever(system, "c"), never(system, "f")], budget=Budget(states=5))
    (_, found), (_, unknown) = outcome.verdicts
    assert isinstance(found, Refuted)
    assert (found.trace.stem, found.shortest) == (1, False)
    assert isinstance(unknown, Open)


def test_an_unexpanded_state_is_not_taken_for_a_stuck_one(check: Engine) -> None:
    system = draw("a go b", "b go c", "c go d", "d go a")
    assert isinstance(verdict(check(system, [not_forever(system, "c d")], budget=Budget(states=3))), Open)
    assert isinstance(verdict(check(system, [not_forever(system, "c d")])), Proved)


def test_a_report_may_stop_the_search(check: Engine) -> None:
    def stop(progress: Progress) -> None:
        if progress.depth == 7:
            raise Stop("enough")

    outcome = check(LONG, [IN_RANGE], report=stop)
    assert outcome.stopped == "enough"
    assert verdict(outcome) == Open("enough", 7)
    assert check(counter(5, 5), [IN_RANGE], report=stop).stopped is None
