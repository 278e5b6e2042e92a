"""Simulation: the machine's own steps, numbers that are known, and the exact solution of the same chain."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mutants import mutated
from uncork import measuring
from uncork.core.timed import Case, Time, Timed
from uncork.engines.events import loops
from uncork.engines.events.simulate import Simulator
from uncork.engines.events.statistics import mean
from uncork_nvme.instance import from_name
from uncork_properties import load

ROOT = Path(__file__).parent.parent
MMIO = "mmio/linux/tail/n1-sq64-cq64/submit_batch=1"
LAG = "propolis-2026/linux/tail-lag/n1-sq64-cq64/submit_batch=1"


def simulator(name: str, under: str = "full") -> Simulator:
    instance = from_name(name)
    return Simulator(load.timed(instance.machine, instance.system, load.LOADS[under]))


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


def test_every_step_is_one_of_the_system_s() -> None:
    """Step by step, beside the interpreter of the core: same state, and only what is enabled is taken."""
    made = simulator("hand-over/linux/tail-1/n2-sq4-cq4/submit_batch=1,backend=detached", "coalesced")
    system, layout = made.timed.system, made.code.layout
    state, words = system.initial, np.array(layout.pack(system.initial), np.uint64)
    due, clock, taken = np.full(len(made.clocks), np.inf), np.zeros(1), np.zeros(len(system.actions), np.int64)
    spans = len(made.timed.spans)
    rest = (np.full(spans, -2.0), np.zeros((spans, 9)), np.zeros(spans, np.int64))
    loops.seed(3)
    for _ in range(2000):
        before = taken.copy()
        loops.run(
            made.code.look, np.array(made.code.steps, np.int64), words, made._seen, due, made._outcomes, made._means,
            made._exponential, made._since, made._until, *rest, taken, np.zeros(len(made.timed.averages)), clock, 0.0,
            1e9, 1,
        )  # fmt: skip
        (number,) = np.flatnonzero(taken - before)
        action = system.actions[number]
        assert action in system.enabled(state)
        state = system.after(state, action)
        assert layout.pack(state) == words.tolist()


def chain(timed: Timed) -> dict[str, float]:
    """How often each action is taken in a unit of time, in the long run, where all times are exponential."""
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
    flow = np.zeros((len(states), len(states)))
    for one, other, _, rate in edges:
        flow[one, other] += rate
        flow[one, one] -= rate
    balance = np.vstack([flow.T, np.ones(len(states))])
    share = np.linalg.lstsq(balance, np.array([*np.zeros(len(states)), 1.0]), rcond=None)[0]
    often: dict[str, float] = {}
    for one, _, name, rate in edges:
        often[name] = often.get(name, 0.0) + float(share[one]) * rate
    return often


@pytest.mark.parametrize("name", [
    "mmio/linux/tail/n1-sq2-cq2", "mmio/linux/tail/n1-sq3-cq2/submit_batch=1", "propolis-2026/linux/head/n1-sq2-cq2",
])  # fmt: skip
def test_means_are_those_of_the_stationary_chain(name: str) -> None:
    system = from_name(name).system
    times = {duty: (Case(Time(1 + number % 3, exponential=True)),) for number, duty in enumerate(system.duties)}
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

    with mutated("guest", "past < ring.moved if", "past < ring.moved + 60 if") as (where, _):
        louder = doorbells(where)
    assert louder > doorbells(instance) + 0.1


# -- the page, and the command -----------------------------------------------------------------------------------------
def test_the_page_shows_what_is_recorded() -> None:
    rows = measuring.recorded(ROOT / "properties" / "uncork_properties" / "measured.csv")
    assert measuring.page(rows) in (ROOT / "docs" / "measure.md").read_text()
    assert [row[:2] for row in rows] == [[instance.name, under.name] for instance, under in measuring.asked()]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "uncork", "measure", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command() -> None:
    done = run(MMIO, "--time", "10", "--runs", "2", "--json", "-")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["load"] == "full" and found["cq_doorbells"]["mean"] > 0.1
    shown = run(MMIO, "--time", "10", "--runs", "2")
    assert shown.returncode == 0 and "the SQ is kept full" in shown.stdout
    wrong = run(MMIO, "--load", "ful")
    assert wrong.returncode == 2 and "there is no load 'ful'" in wrong.stderr and "Traceback" not in wrong.stderr
