"""The replay of a trace, which judges every engine: it accepts runs that violate the property, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest
from toys import IN_RANGE, counter, draw, lasting, never, not_forever
from uncork.core.expr import boolean
from uncork.core.trace import ReplayError, Trace, replay

SYSTEM = draw("a go b", "b turn c", "c back b", "c rest d", "a aside d", free="rest")
BAD = not_forever(SYSTEM, "b c")
GOOD = Trace(tuple({"toy.at": place} for place in "abc"), ("go", "turn", "back"), loop=1)


def changed(**changes) -> Trace:
    if "states" in changes:
        changes["states"] = tuple({"toy.at": place} for place in changes["states"])
    return dataclasses.replace(GOOD, **changes)


def test_replay_accepts_a_good_trace() -> None:
    replay(SYSTEM, GOOD, BAD)
    replay(SYSTEM, changed(states="ad", steps=("aside",), loop=1), not_forever(SYSTEM, "d"))


@pytest.mark.parametrize(
    ("trace", "says"),
    [
        (changed(states="abd"), "step 2: turn leads elsewhere"),
        (changed(states="adc"), "step 1: go leads elsewhere"),
        (changed(steps=("go", "back", "back")), "step 2: back is not enabled"),
        (changed(loop=0), "step 3: back leads elsewhere"),
        (changed(loop=2), "step 3: back leads elsewhere"),
        (changed(steps=("go", "turn", "return")), "no action 'return'"),
        (changed(states="bc", steps=("turn", "back"), loop=0), "state 0 is not the first state"),
        (changed(states="abc", steps=("go", "turn"), loop=1), "has to loop there"),
        (changed(steps=("go",)), "1 steps do not join 3 states"),
        (changed(loop=None), "3 steps do not join 3 states"),
        (changed(loop=5), "the loop starts at state 5"),
        (changed(states="", steps=()), "no state"),
        (changed(steps=("go", "turn"), loop=None), "the trace ends"),
        (changed(states="ab", steps=("go",), loop=1), "not fair to turn"),
        (changed(states="ad", steps=("aside",), loop=1), "state 1 is in the loop, and leaves is satisfied there"),
    ],
)
def test_replay_rejects_a_corrupt_trace(trace: Trace, says: str) -> None:
    with pytest.raises(ReplayError, match=says):
        replay(SYSTEM, trace, BAD)


@pytest.mark.parametrize(
    ("fairness", "accepted"), [({"free": "rest"}, True), ({"weak": "rest"}, True), ({}, False)], ids=str
)
def test_replay_knows_what_each_fairness_owes(fairness: dict[str, str], *, accepted: bool) -> None:
    """The loop b-c enables `rest` in c only and never takes it: interrupted, not starved."""
    system = draw("a go b", "b turn c", "c back b", "c rest d", "a aside d", **fairness)
    if accepted:
        replay(system, GOOD, BAD)
    else:
        with pytest.raises(ReplayError, match="not fair to rest"):
            replay(system, GOOD, BAD)


def test_replay_rejects_a_loop_that_starves_a_weakly_fair_action() -> None:
    system = draw("a go b", "b turn c", "c back b", "c rest d", "b rest d", weak="rest")
    with pytest.raises(ReplayError, match="not fair to rest"):
        replay(system, GOOD, BAD)


def test_replay_rejects_a_trace_that_violates_nothing() -> None:
    finite = changed(states="ab", steps=("go",), loop=None)
    replay(SYSTEM, finite, never(SYSTEM, "b"))
    with pytest.raises(ReplayError, match="never there holds in the last state"):
        replay(SYSTEM, finite, never(SYSTEM, "c"))
    with pytest.raises(ReplayError, match="every variable is in range"):
        replay(SYSTEM, finite, IN_RANGE)
    with pytest.raises(ReplayError, match="the loop takes turn"):
        replay(SYSTEM, GOOD, dataclasses.replace(BAD, without=frozenset({"turn"})))


def test_replay_rejects_a_state_that_is_out_of_range() -> None:
    one, two = ({"r.n": n, "r.beside": 0} for n in (1, 2))
    system = counter(1, 3)
    outside = Trace((system.initial, one, two), ("up", "up"))
    replay(system, outside, IN_RANGE)
    (up,) = system.actions
    beyond = Trace((*outside.states, system.after(two, up)), ("up", "up", "up"))
    with pytest.raises(ReplayError, match=r"state 2: r\.n out of range before the last state"):
        replay(system, beyond, IN_RANGE)
    stuck = dataclasses.replace(outside, loop=2)
    with pytest.raises(ReplayError, match=r"r\.n out of range"):
        replay(counter(1, 2), stuck, lasting(boolean(True)))
