"""`uncork explore`: the run that is walked by hand, and the screens, driven as a user would."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import toys
from budgets import examples
from commands import uncork
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import STORED
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from uncork.core.evaluate import holds
from uncork.core.property import Property
from uncork.core.system import Action, System
from uncork.core.trace import ReplayError, Trace, replay
from uncork.explore.journey import Journey, Scheduler
from uncork.explore.known import CORKS, Known, counterexamples, facts
from uncork.explore.screens import Explorer, Help
from uncork.render import itf
from uncork_nvme.instance import from_name
from uncork_properties.catalogue import properties

HANGS, LIVE = "propolis-2025/linux/tail/n1-sq2-cq2", "propolis-2025/linux/tail-lag/n1-sq3-cq3"
STARVES = "propolis-2026/linux/tail/n2-sq2-cq2"
EVENTS = "propolis-2026/linux/tail/n1-sq2-cq2/events=delete+create"
NEVER_CORKS = "propolis-2025/linux/tail/n1-sq2-cq4/early_free=no"

STEPS = 23
"""How many the stored run of HANGS has."""


@cache
def stored_of(name: str) -> list[Known]:
    """The stored runs of a machine."""
    return list(counterexamples(from_name(name), (STORED,)))


def hang() -> Known:
    (only,) = stored_of(HANGS)
    return only


def journey(name: str, along: Trace | None = None, kind: type[Journey] = Journey) -> Journey:
    of = from_name(name)
    return kind(of.system, properties(of.machine, of.system), along)


def seen(walked: Journey) -> tuple[object, ...]:
    """All that can be seen of where one stands."""
    return walked.state, walked.at, walked.steps[: walked.at], walked.ahead, walked.notice(), walked.standings()


# -- the run -----------------------------------------------------------------------------------------------------------
MOVES = st.lists(st.sampled_from(["take", "take", "take", "back", "forward", "start", "end", "run"]), max_size=25)
NAMES = st.sampled_from(
    [HANGS, LIVE, STARVES, "qemu/linux/tail/n1-sq2-cq2", "arm-recheck/spdk/head/n2-sq2-cq3", EVENTS]
)


def wander(walked: Journey, moves: list[str], draw: Callable[[int], int]) -> None:
    for move in moves:
        if move == "take":
            if enabled := walked.enabled:
                walked.take(enabled[draw(len(enabled))])
        elif move == "run":
            Scheduler(seed=draw(100), unowed=bool(draw(2))).run(walked, CORKS, most=10)
        else:
            getattr(walked, {"start": "to_start", "end": "to_end"}.get(move, move))()


def undo_inverts(kind: type[Journey], name: str, moves: list[str], draw: Callable[[int], int]) -> None:
    walked = journey(name, kind=kind)
    wander(walked, moves, draw)
    enabled = walked.enabled
    if not enabled:
        return
    before = (walked.state, walked.at, list(walked.steps[: walked.at]), enabled)
    action = enabled[draw(len(enabled))]
    walked.take(action)
    after = seen(walked)
    assert walked.back()
    assert (walked.state, walked.at, list(walked.steps[: walked.at]), walked.enabled) == before
    assert walked.ahead == action.name
    assert walked.forward()
    assert seen(walked) == after


@settings(max_examples=examples(60), deadline=None)
@given(NAMES, MOVES, st.data())
def test_undo_inverts_every_move(name: str, moves: list[str], data: st.DataObject) -> None:
    undo_inverts(Journey, name, moves, lambda n: data.draw(st.integers(0, n - 1)))


class Forgetful(Journey):
    """Takes a step back by going to the start."""

    def back(self) -> bool:
        self.to_start()
        return True


def test_an_undo_that_does_not_invert_is_caught() -> None:
    with pytest.raises(AssertionError):
        undo_inverts(Forgetful, HANGS, ["take", "take"], lambda n: 0)


@settings(max_examples=examples(60), deadline=None)
@given(NAMES, MOVES, st.data())
def test_every_saved_run_replays(name: str, moves: list[str], data: st.DataObject) -> None:
    of, walked = from_name(name), journey(name)
    wander(walked, moves, lambda n: data.draw(st.integers(0, n - 1)))
    run, refutes = walked.trace()
    again, _ = itf.loads(itf.dumps(run, {}))
    replay(of.system, again)
    for prop in properties(of.machine, of.system):
        if prop.name in refutes:
            replay(of.system, again, prop)
    other = journey(name, again)
    other.to_end()
    assert other.state == walked.state


def test_a_run_with_another_state_in_it_is_not_gone_along() -> None:
    states = [dict(state) for state in hang().run.states]
    states[5]["cq.head"] = 1
    with pytest.raises(ReplayError):
        journey(HANGS, Trace(tuple(states), hang().run.steps, hang().run.loop))
    with pytest.raises(ReplayError):
        journey(LIVE, hang().run)


def test_what_is_not_enabled_is_not_taken() -> None:
    walked = journey(HANGS)
    with pytest.raises(ValueError, match="not enabled"):
        walked.take(walked.system.action("kick"))
    assert walked.at == 0


def test_what_lies_ahead_is_kept_along_it_and_forgotten_off_it() -> None:
    walked = journey(STARVES, next(k.run for k in stored_of(STARVES) if k.run.loop_steps))
    ahead, loop = list(walked.steps), walked.loop
    while len(walked.enabled) == 1 or walked.at == 0:
        walked.take(walked.system.action(walked.ahead or ""))
    assert (walked.steps, walked.loop) == (ahead, loop)
    walked.take(next(action for action in walked.enabled if action.name != walked.ahead))
    assert (walked.ahead, walked.loop, len(walked.steps)) == (None, None, walked.at)


def test_a_counterexample_ends_stuck_and_not_before() -> None:
    walked = journey(HANGS, hang().run)
    assert walked.notice().said.startswith("At rest: nothing but submit is enabled")
    while walked.forward():
        assert walked.notice().bad == (walked.at == STEPS)
    assert walked.notice().said == (
        "STUCK: nothing is enabled. At step 22 the guest's head moves 0 -> 1. CQ EventIdx is 1 (written at step 18: "
        "the tail), which 0 -> 1 does not pass: no doorbell at step 23. SQ0, corked at step 21, sleeps on."
    )
    assert walked.trace() == (hang().run, ["uncorked SQ0", "drains SQ0", "progress SQ0"])


def test_a_counterexample_is_saved_as_it_was() -> None:
    cause = {"uncorked": "no doorbell at step", "progress": "is passed over", "drains": "sleeps on"}
    assert len(stored_of(STARVES)) > 1
    for known in stored_of(STARVES):
        walked = journey(STARVES, known.run)
        walked.to_end()
        run, refutes = walked.trace()
        assert run == known.run
        assert set(known.label.split(":")[0].split(", ")) <= set(refutes)
        assert walked.notice().bad
        assert cause[known.label.split(" ")[0]] in walked.notice().said


def test_a_loop_goes_on_for_ever() -> None:
    walked = journey(STARVES, next(k.run for k in stored_of(STARVES) if k.run.loop_steps))
    assert walked.loop is not None
    closed = []
    for _ in range(walked.loop + 3 * walked.period):
        assert walked.forward()
        if walked.closed:
            closed.append(walked.state)
    assert closed == [walked.states[walked.loop]] * 3
    walked.back()
    assert not walked.closed


def test_a_live_machine_is_at_rest_and_never_stuck() -> None:
    for seed in range(20):
        walked = journey(LIVE)
        Scheduler(seed=seed).run(walked, (), most=50)
        Scheduler(seed=seed, unowed=False).run(walked, ())
        assert walked.notice().said.startswith("At rest")
        assert {each.word for each in walked.standings()} == {"holds"}


def test_a_machine_that_hangs_is_stuck_sometimes() -> None:
    said = set()
    for seed in range(20):
        walked = journey(HANGS)
        Scheduler(seed=seed).run(walked, (), most=50)
        Scheduler(seed=seed, unowed=False).run(walked, ())
        said.add(walked.notice().said.split(":")[0])
    assert said == {"At rest", "STUCK"}


def test_a_violation_and_a_value_out_of_range_are_told() -> None:
    toy = toys.draw("a go b", "b on c")
    walked = Journey(toy, [toys.never(toy, "b"), toys.not_forever(toy, "c")])
    assert walked.notice().said == ""
    walked.forward()
    walked.take(toy.action("go"))
    assert walked.notice().said == (
        "VIOLATED: At step 1 the toy does what breaks it: go. This does not hold: never there."
    )
    assert walked.trace()[1] == [walked.properties[0].name]
    assert Scheduler().run(walked, ["never"]) == "over"
    assert walked.notice().said == (
        "STUCK: nothing is enabled. The wait of leaves begins at step 2, and no later step of the run ends it."
    )


# -- the scheduler -----------------------------------------------------------------------------------------------------
def fair(pick: Callable[[Journey], Action | None], system: System, props: tuple[Property, ...] = ()) -> bool:
    """Whether each duty that was enabled at a hundred of the states of a run was taken in it."""
    walked, enabled = Journey(system, props), dict[str, int]()
    for _ in range(2000):
        for duty in {action.duty for action in walked.enabled if action.fair}:
            enabled[duty] = enabled.get(duty, 0) + 1
        action = pick(walked)
        assert action is not None
        walked.take(action)
    taken = {system.action(name).duty for name in walked.steps}
    return all(duty in taken for duty, often in enabled.items() if often >= 100)


TOY = toys.draw("a tick b", "b tock a", "a leave c", "c come a", "b rest b")


@pytest.mark.slow
@pytest.mark.parametrize("order", ["random", "round-robin"])
def test_a_scheduler_is_fair(order: str) -> None:
    assert fair(Scheduler(order).pick, TOY)
    assert fair(Scheduler(order).pick, from_name(LIVE).system)


def test_a_scheduler_that_takes_the_first_enabled_step_is_unfair() -> None:
    assert not fair(lambda walked: walked.enabled[0], TOY)


def test_the_seed_decides_and_a_step_taken_back_is_picked_again() -> None:
    def drawn(seed: int) -> Journey:
        walked = journey(LIVE)
        Scheduler(seed=seed).run(walked, (), most=30)
        return walked

    once, again = drawn(1), drawn(1)
    assert once.steps == again.steps != drawn(2).steps
    for _ in range(10):
        again.back()
    Scheduler(seed=1).run(again, (), most=10)
    assert once.steps == again.steps


@pytest.mark.parametrize("order", ["random", "round-robin"])
def test_a_scheduler_runs_until_something_corks(order: str) -> None:
    walked = journey(HANGS)
    assert Scheduler(order).run(walked, CORKS) == "met"
    assert walked.state["sq0.corked"] is True
    assert not any(state["sq0.corked"] for state in walked.states[:-1])
    never = journey(NEVER_CORKS)
    assert Scheduler(order).run(never, CORKS, most=300) == "enough"
    assert never.at == 300
    assert Scheduler(order).run(never, CORKS, seconds=0) == "enough"
    assert never.at == 301


def test_a_machine_drains_without_submissions() -> None:
    walked = journey(LIVE)
    assert Scheduler(unowed=False).run(walked, CORKS) == "over"
    assert walked.at == 0
    walked.take(walked.enabled[0])
    assert Scheduler(unowed=False).run(walked, ()) == "over"
    assert [name for name in walked.steps if name.startswith("submit")] == ["submit(SQ0, 1)"]
    assert walked.stuck


# -- the screens -------------------------------------------------------------------------------------------------------
def drive(app: Explorer, does: Callable[[Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 24)) -> None:
    async def go() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await does(pilot)

    asyncio.run(go())


def explorer(name: str, *known: Known, **options: Any) -> Explorer:
    return Explorer(from_name(name), known, **options)


def text(app: Explorer, panel: str) -> str:
    return str(app.main_screen.query_one(f"#{panel}", Static).content)


def listed(app: Explorer) -> list[str | None]:
    return [option.id for option in app.main_screen.query_one(OptionList).options]


def test_a_step_is_taken_and_taken_back() -> None:
    app = explorer(HANGS)

    async def does(pilot: Pilot[None]) -> None:
        assert listed(app) == ["submit(SQ0, 1)"]
        assert "nothing but submit is enabled" in text(app, "notice")
        assert "A guest is never obliged to" in text(app, "meaning")
        assert text(app, "state").startswith("CQ [SEhtg][ ]\nSQ0 [SEht][ ]\n")
        await pilot.press("enter")
        assert listed(app) == ["need_sq(SQ0)"]
        assert "SQ0 [Eht][S]" in text(app, "state")
        assert "uncorked: SQ0 waits" in text(app, "standing")
        assert not app.main_screen.query_one("#notice").display
        await pilot.press("u")
        assert listed(app) == ["submit(SQ0, 1)"]
        assert "uncorked: holds" in text(app, "standing")
        assert text(app, "run").startswith("→   1 submitter SQ0: submits 1")
        await pilot.press("left")
        assert text(app, "said") == "this is the first state"
        await pilot.press("right", "right")
        assert text(app, "said") == "nothing lies ahead: choose a step"
        assert app.main_screen.journey.at == 1

    drive(app, does)


def test_the_run_key_runs_until_an_sq_is_corked() -> None:
    app = explorer(HANGS)

    async def does(pilot: Pilot[None]) -> None:
        await pilot.press("r")
        assert "SQ0 is CORKED" in text(app, "said")
        assert "SQ0: corked yes" in text(app, "standing")
        before = list(app.main_screen.journey.steps)
        await pilot.press("home", "d", "r")
        assert list(app.main_screen.journey.steps) != before
        await pilot.press("home", "o", "s", "r")
        assert text(app, "said") == "ran 0 steps: nothing is left to run without submissions"
        await pilot.press("s", "r")
        assert "SQ0 is CORKED" in text(app, "said")

    drive(app, does)


def test_the_run_key_says_if_nothing_corks() -> None:
    app = explorer(NEVER_CORKS)

    async def does(pilot: Pilot[None]) -> None:
        await pilot.press("r")
        assert "steps, and nothing corked" in text(app, "said")
        assert "corked no" in text(app, "standing")

    drive(app, does)


@pytest.mark.slow
def test_a_counterexample_is_gone_along_to_its_end() -> None:
    app = explorer(HANGS, hang())

    async def does(pilot: Pilot[None]) -> None:
        await pilot.press("enter", "c")
        assert app.main_screen.journey.at == 0
        for step in range(STEPS):
            assert "STUCK" not in text(app, "notice")
            assert app.main_screen.journey.ahead == hang().run.steps[step]
            assert listed(app)[app.main_screen.query_one(OptionList).highlighted or 0] == hang().run.steps[step]
            await pilot.press("right")
        assert text(app, "notice").startswith("STUCK: nothing is enabled. At step 22 the guest's head moves 0 -> 1.")
        assert app.main_screen.query_one("#notice").has_class("bad")
        assert "uncorked: SQ0 STUCK" in text(app, "standing")
        assert listed(app) == []
        await pilot.press("c", "down", "enter")  # back to the run that was left
        assert (app.main_screen.journey.at, list(app.main_screen.journey.steps)) == (1, ["submit(SQ0, 1)"])

    drive(app, does)


def test_the_screen_of_a_live_machine_does_not_end_stuck() -> None:
    app = explorer(LIVE)

    async def does(pilot: Pilot[None]) -> None:
        await pilot.press("c")
        assert "no stored counterexample" in text(app, "said")
        await pilot.press("r", "s", "r", "r", "r", "r", "r", "r")
        assert text(app, "notice").startswith("At rest")
        assert not app.main_screen.query_one("#notice").has_class("bad")

    drive(app, does)


@pytest.mark.slow
def test_a_loop_is_shown_and_gone_round() -> None:
    known = [k for k in stored_of(STARVES) if k.label.startswith("uncorked")]
    app = explorer(STARVES, *known, begin=True)

    async def does(pilot: Pilot[None]) -> None:
        assert app.main_screen.query_one("#run").border_title == "run: after step 0 of 46, ↻ 15-46"
        assert "↻" not in text(app, "run")
        await pilot.press("end")
        assert "The loop is closed, the state is that after step 14" in text(app, "notice")
        assert "uncorked SQ0" in text(app, "notice")
        assert "round the loop again" in text(app, "run")
        await pilot.press("right")
        assert app.main_screen.journey.at == 47
        assert "▸↻ 47" in text(app, "run")

    drive(app, does)


@pytest.mark.slow
def test_a_run_is_saved_and_replayed(tmp_path: Path) -> None:
    app, file = explorer(HANGS, hang()), tmp_path / "hang.itf.json"

    async def save(pilot: Pilot[None]) -> None:
        await pilot.press("w")
        app.screen.query_one(Input).value = str(file)
        await pilot.press("enter")
        await pilot.pause()

    async def does(pilot: Pilot[None]) -> None:
        await pilot.press("c", "end")
        await save(pilot)
        assert f"saved {STEPS} steps" in text(app, "said")
        assert "refutes uncorked SQ0, drains SQ0, progress SQ0" in text(app, "said")
        content = file.read_text()
        await pilot.press("u", "u")
        await save(pilot)  # asks first
        assert file.read_text() == content
        await pilot.press("escape")
        assert text(app, "said") == "not saved"
        assert file.read_text() == content
        await pilot.press("w")
        app.screen.query_one(Input).value = str(tmp_path)
        await pilot.press("enter", "escape")

    drive(app, does)
    run, meta = itf.loads(file.read_text())
    assert (run, meta["instance"]) == (hang().run, HANGS)
    done = uncork("trace", str(file))
    assert done.returncode == 0, done.stderr
    assert "uncorked SQ0 is refuted" in done.stdout


def test_a_file_is_written_over_once_that_is_said_twice(tmp_path: Path) -> None:
    app, file = explorer(HANGS), tmp_path / "run.itf.json"
    file.write_text("mine")

    async def does(pilot: Pilot[None]) -> None:
        await pilot.press("enter", "w")
        app.screen.query_one(Input).value = str(file)
        await pilot.press("enter")
        assert file.read_text() == "mine"
        assert "write over it" in str(app.screen.query_one("#warning", Static).content)
        await pilot.press("enter")
        await pilot.pause()
        assert "saved 1 steps" in text(app, "said")

    drive(app, does)
    assert itf.loads(file.read_text())[0].steps == ("submit(SQ0, 1)",)


@pytest.mark.slow
@pytest.mark.parametrize("name", [HANGS, STARVES, "arm-recheck/linux/tail/n3-sq1024-cq1024"])
def test_the_main_screen_fits_80_by_24(name: str) -> None:
    app = explorer(name)

    async def does(pilot: Pilot[None]) -> None:
        await pilot.press("enter", "r")
        for panel in app.main_screen.query("#title, #machine, #standing, #choices, #meaning, #run, #said, Footer"):
            assert panel.size.height >= 1
            assert panel.region.bottom <= 24
            assert panel.region.right <= 80
        assert "quit" in app.export_screenshot()
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        await pilot.press("escape", "q")
        assert app.return_code == 0

    drive(app, does)


def test_what_the_properties_say_of_an_sq_are_facts() -> None:
    of = from_name(HANGS)
    (fact,) = facts(of.machine)
    assert fact.on(hang().run.states[-1]) == "SQ0: corked yes, 1 to take, asleep yes"
    assert holds(of.machine.sqs[0].asleep, hang().run.states[-1])


# -- the command -------------------------------------------------------------------------------------------------------
def test_explore_without_a_terminal_is_refused_in_one_line() -> None:
    done = uncork("explore", HANGS)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "needs a terminal" in done.stderr


@pytest.mark.slow
def test_a_run_of_another_machine_or_a_forged_one_is_rejected(tmp_path: Path) -> None:
    (file,) = STORED.glob("propolis-2025-linux-tail-n1-sq2-cq2-*.itf.json")
    done = uncork("explore", LIVE, "--from", str(file))
    assert (done.returncode, done.stdout) == (23, "")
    content = json.loads(file.read_text())
    content["#meta"]["refutes"] = ["permits conserved"]
    forged = tmp_path / "forged.itf.json"
    forged.write_text(json.dumps(content))
    assert uncork("explore", HANGS, "--from", str(forged)).returncode == 23
    content["#meta"]["refutes"] = ["permits preserved"]
    forged.write_text(json.dumps(content))
    assert uncork("explore", HANGS, "--from", str(forged)).returncode == 2
    forged.write_text("{}")
    assert uncork("explore", HANGS, "--from", str(forged)).returncode == 2


def test_counterexamples_of_the_same_machine_are_found_under_another_name(tmp_path: Path) -> None:
    (found,) = counterexamples(from_name(HANGS.replace("2025", "2026")), (tmp_path / "none", STORED))
    assert found == hang()
    assert list(counterexamples(from_name(LIVE), (STORED,))) == []
    shutil.copy(next(STORED.glob("*tail-lag-n1-sq2-cq2-*.itf.json")), tmp_path)
    assert list(counterexamples(from_name(HANGS), (tmp_path, STORED))) == []


SIZE = {"COLUMNS": "80", "LINES": "24"}


@pytest.mark.slow
def test_explore_on_a_terminal_begins_along_the_run_and_q_ends_it() -> None:
    (file,) = STORED.glob("propolis-2025-linux-tail-n1-sq2-cq2-*.itf.json")
    terminal, child = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "uncork", "explore", HANGS, "--from", str(file)],
        stdin=child, stdout=child, stderr=child, env={**os.environ, "TERM": "xterm-256color", **SIZE},
    )  # fmt: skip
    os.close(child)
    shown, deadline = b"", time.monotonic() + 30
    first = f"after step 0 of {STEPS}".encode()
    while first not in shown and select.select([terminal], [], [], max(deadline - time.monotonic(), 0))[0]:
        shown += os.read(terminal, 65536)
    assert first in shown
    os.write(terminal, b"q")
    while True:
        try:
            if not os.read(terminal, 65536):
                break
        except OSError:
            break
    assert running.wait(timeout=30) == 0
