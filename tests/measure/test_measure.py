"""Simulation: the machine's own steps, numbers that are known, and the exact solution of the same chain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import uncork
from mutants import mutated
from uncork.core.expr import boolean
from uncork.core.questions.timed import Arrivals, Case, Span, Time, Timed
from uncork.decide.exits import Exit
from uncork.engines.events.simulate import OutOfRange, Simulator
from uncork.engines.events.statistics import mean
from uncork.measure import show as measure_report
from uncork.measure import simulate as measuring
from uncork_nvme.instance import from_name
from uncork_properties import load

MMIO = "mmio/linux/tail/n1-sq64-cq64/submit_batch=1"
LAG = "propolis-2026/linux/tail-lag/n1-sq64-cq64/submit_batch=1"


def simulator(name: str, under: str = "full") -> Simulator:
    instance = from_name(name)
    return Simulator(load.timed(instance.machine, instance.system, load.LOADS[under]))


@pytest.mark.slow
def test_with_no_doorbell_buffer_every_move_rings_once() -> None:
    taken = simulator(MMIO).run(1, 0, 50_000).taken
    assert abs(load.total(taken, "ring_cq") - load.total(taken, "publish")) <= 1
    assert abs(load.total(taken, "ring_sq") - load.total(taken, "submit")) <= 1
    assert load.total(taken, "post") > 1000


def test_the_same_seed_gives_the_same_run() -> None:
    made = simulator(LAG, "open")
    one, same, other = (made.run(seed, 0, 20_000).taken for seed in (7, 7, 8))
    assert one == same
    assert one != other


@pytest.mark.slow
def test_every_step_is_one_of_the_system_s() -> None:
    """Step by step, beside the interpreter of the core: same state, and only what is enabled is taken."""
    made = simulator("hand-over/linux/tail-1/n2-sq4-cq4/submit_batch=1,backend=detached", "coalesced")
    system, run = made.timed.system, made.start(3)
    state = system.initial
    for _ in range(2000):
        before = run.taken.copy()
        run.go(1, 0.0, 1e9)
        (number,) = np.flatnonzero(run.taken - before)
        action = system.actions[number]
        assert action in system.enabled(state)
        state = system.after(state, action)
        assert made.code.layout.pack(state) == run.state.tolist()


def chain(timed: Timed) -> dict[str, float]:
    """How often each action is taken in a unit of time, in the long run, where all times are exponential."""
    from scipy.sparse import coo_array  # takes a second to import
    from scipy.sparse.linalg import spsolve

    system = timed.system
    rates = {action.name: 1 / timed.times[action.duty][0].time.mean for action in system.actions}
    states, index = [system.initial], {tuple(system.initial.values()): 0}
    edges: list[tuple[int, int, str, float]] = []
    for number, state in enumerate(states):
        enabled = system.enabled(state)
        for action in enabled:
            after = system.after(state, action)
            if tuple(after.values()) not in index:
                index[tuple(after.values())] = len(states)
                states.append(after)
            outcomes = sum(other.duty == action.duty for other in enabled)
            edges.append((number, index[tuple(after.values())], action.name, rates[action.name] / outcomes))
    froms, tos, _, flows = zip(*edges, strict=True)
    shape = (len(states), len(states))
    balance = (coo_array((flows, (tos, froms)), shape) - coo_array((flows, (froms, froms)), shape)).tolil()
    balance[0] = 1.0  # the shares add up to 1
    share = spsolve(balance.tocsr(), np.eye(1, len(states)).ravel())
    often: dict[str, float] = {}
    for one, _, name, rate in edges:
        often[name] = often.get(name, 0.0) + float(share[one]) * rate
    return often


@pytest.mark.parametrize("name", [
    "mmio/linux/tail/n1-sq2-cq2", "mmio/linux/tail/n1-sq3-cq2/submit_batch=1", "propolis-2026/linux/head/n1-sq2-cq2",
])  # fmt: skip
def test_means_are_those_of_the_stationary_chain(name: str) -> None:
    system = from_name(name).system
    times = {duty: (Case(Time(1 + number % 3, spread=1)),) for number, duty in enumerate(system.duties)}
    timed = Timed(system, times)
    exact, made = chain(timed), Simulator(timed)
    runs = [made.run(seed, 1000, 101_000).taken for seed in range(8)]
    for family in ("ring_cq", "ring_sq", "post"):
        wanted = sum(often for each, often in exact.items() if each.partition("(")[0] == family)
        found = mean([load.total(taken, family) / 100_000 for taken in runs])
        assert abs(found.value - wanted) <= max(2 * found.half, 1e-4), family


def test_a_louder_guest_rings_more() -> None:
    def doorbells(where: object) -> float:
        instance = where.from_name(LAG)  # type: ignore[attr-defined]
        made = Simulator(load.timed(instance.machine, instance.system, load.LOADS["full"]))
        taken = made.run(1, 0, 50_000).taken
        return load.total(taken, "ring_cq") / load.total(taken, "post")

    from uncork_nvme import instance

    with mutated("guest", "past < by if", "past < by + 60 if") as (where, _):
        louder = doorbells(where)
    assert louder > doorbells(instance) + 0.1


# -- what stands still -------------------------------------------------------------------------------------------------
STUCK = "propolis-2025/linux/tail/n1-sq64-cq64/backend=detached,submit_batch=1"


def found(name: str, under: str = "full", **asked: Any) -> measuring.Measurement:
    return measuring.measure(from_name(name), load.LOADS[under], **{"time": 20_000, "runs": 3, "seed": 1} | asked)


def test_a_machine_that_stands_still_is_stuck_and_has_no_rates() -> None:
    stuck = found(STUCK, "coalesced")
    assert len(stuck.stuck) == 3 and max(stuck.stuck) < 1000 and stuck.flow is None
    assert stuck.waiting > 19_000
    (row,) = [measure_report.cells(stuck)]
    assert "stuck at" in row[5] and "never corked" not in row


def test_an_sq_that_waits_for_ever_while_others_go_on_is_told_of() -> None:
    starved = found("propolis-2025/linux/tail/n2-sq4-cq4/submit_batch=1", "full", time=50_000)
    healthy = found("hand-over/linux/reserve-permits/n2-sq4-cq4/submit_batch=1", "full", time=50_000)
    assert starved.stuck or starved.waiting > 10_000
    assert not healthy.stuck and healthy.waiting < 1000


def test_a_span_that_begins_within_itself_counts_from_its_first_beginning() -> None:
    counter = from_name("mmio/linux/tail/n1-sq2-cq2").system
    submit, ring, post = (f"{family}" for family in ("submit(SQ0, 1)", "ring_sq(SQ0)", "post(SQ0)"))
    spans = [Span(name, frozenset(since), boolean(True), frozenset({post}))
             for name, since in (("one", {submit}), ("both", {submit, ring}))]  # fmt: skip
    times = {duty: (Case(Time(1)),) for duty in counter.duties}
    taken = Simulator(Timed(counter, times, spans=tuple(spans))).run(1, 0, 1000)
    assert taken.latencies["one"].tolist() == taken.latencies["both"].tolist() != []


def test_time_that_does_not_pass_is_an_error_and_no_endless_loop() -> None:
    system = from_name("mmio/linux/tail/n1-sq2-cq2").system
    still = Simulator(Timed(system, {duty: (Case(Time(0)),) for duty in system.duties}))
    with pytest.raises(OutOfRange, match="does not pass"):
        still.run(1, 0, 10)


# -- times -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("spread", "burst"), [(0.0, 1), (0.5, 1), (1.0, 16)])
def test_commands_arrive_as_often_as_is_said_whatever_the_machine_does(spread: float, burst: int) -> None:
    instance = from_name("mmio/linux/tail/n1-sq64-cq64/submit_batch=1")
    under = load.Load("some", "", 5, Arrivals(25.0 * burst, burst))
    made = Simulator(load.timed(instance.machine, instance.system, under, spread))
    often = mean([load.total(made.run(seed, 1e4, 1e6).taken, "submit") * 25 / 0.99e6 for seed in range(8)])
    assert abs(often.value - 1) < max(2 * often.half, 0.002)


def test_the_spread_of_a_time_is_the_one_asked_for() -> None:
    system = from_name("mmio/linux/tail/n1-sq2-cq2").system
    for spread in (0.0, 0.5, 1.0, 2.0):
        times = {duty: (Case(Time(3, spread)),) for duty in system.duties}
        span = Span("one step", frozenset({"submit(SQ0, 1)"}), boolean(True), frozenset({"ring_sq(SQ0)"}))
        latencies = Simulator(Timed(system, times, spans=(span,))).run(1, 0, 500_000).latencies["one step"]
        assert latencies.mean() == pytest.approx(3, rel=0.03)
        assert latencies.std() == pytest.approx(3 * spread, rel=0.06, abs=1e-6)


def test_neighbouring_seeds_share_no_runs() -> None:
    one, other = (found(MMIO, "open", seed=seed).flow for seed in (1, 2))
    assert one and other and one.rate.value != other.rate.value


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_uncork_measure_gives_means_and_refuses_bad_input() -> None:
    done = uncork("measure", MMIO, "--time", "10", "--runs", "2", "--json", "-")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["load"] == "full" and found["cq_doorbells"]["mean"] > 0.1
    shown = uncork("measure", MMIO, "--time", "10", "--runs", "2")
    assert shown.returncode == 0 and "the guest keeps the SQ full" in shown.stdout
    wrong = uncork("measure", MMIO, "--load", "ful")
    assert wrong.returncode == 2 and "there is no load 'ful'" in wrong.stderr and "Traceback" not in wrong.stderr


@pytest.mark.slow
def test_uncork_measure_takes_filters_and_draws(tmp_path: Path) -> None:
    some = ["--device", "propolis-2025,mmio", "--policy", "tail", "--guest", "linux", "--sq-size", "64", "--time", "2"]
    target = tmp_path / "some.svg"
    done = uncork("measure", *some, "--set", "submit_batch=1", "--runs", "2", "--plot", str(target))
    assert done.returncode == 0, done.stderr
    assert "*/linux/tail/n1-sq64-cq64" in done.stdout and "█" in done.stdout
    assert target.read_text().startswith("<?xml")
    nothing = uncork("measure")
    assert nothing.returncode == 2 and "name an instance, or filter" in nothing.stderr
    hangs = uncork("measure", STUCK, "--load", "coalesced", "--time", "2", "--runs", "2")
    assert hangs.returncode == Exit.LIVENESS and "stuck" in hangs.stdout
