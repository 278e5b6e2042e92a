"""Runs of a harness: given moves, random moves, as few moves as fail, and the counterexamples of its model."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from uncork_nvme.instance import Instance

from uncork.conform.harness.player import Played, Player
from uncork.conform.harness.threads import SETTLE, STEP
from uncork.conform.rig.harness import HarnessError
from uncork.core.trace import Trace
from uncork.engines import Tick, Watch

ROUNDS = 3
"""How often the loop of a counterexample is played."""
_ENDLESS = 10_000
_Move = TypeVar("_Move")


def replay(player: Player, moves: Sequence[str], seed: int = 0, *, winds_down: bool = False) -> Played:
    """Plays the moves that are possible, in their order, and leaves out the others; then the guest may wind down."""
    goes_on = player.restart(seed)
    for move in moves:
        if goes_on and player.allows(move):
            goes_on = player.make(move)
    player.run.drawn = len(player.run.moves)
    if goes_on and winds_down:
        _wind_down(player, random.Random(seed))
    return player.run


def wander(player: Player, seed: int) -> Played:
    """Plays random moves, and then lets the guest wind down: it submits nothing more, and takes all that is left to it.

    A run whose commands are not all seen completed at the end fails, unless the model allows the same.
    """
    chosen = random.Random(seed)
    goes_on = player.restart(seed)
    for move in islice(player.drawn(chosen), player.longest if goes_on else 0):
        goes_on = player.make(move)
        if not goes_on:
            break
    player.run.drawn = len(player.run.moves)
    if goes_on:
        _wind_down(player, chosen)
    return player.run


def _wind_down(player: Player, chosen: random.Random) -> None:
    for move in player.winding(chosen):
        if not player.make(move):
            return
        if len(player.run.moves) > _ENDLESS:
            player.run.broken = HarnessError("hangs", f"the guest has not come to an end after {_ENDLESS:,} moves")
            return
    player.run.stuck = player.waiting


@dataclass
class Tried:
    """Random runs of a player: how many, their moves, and the one that failed, if one did."""

    player: Player
    runs: int = 0
    moves: int = 0
    failed: Played | None = None


def until_one_fails(
    among: Sequence[Instance],
    player: Callable[[Instance], Player],
    runs: int,
    seed: int,
    watch: Watch,
    what: str = "",
) -> list[Tried]:
    """Makes random runs of some instances in turn, with seeds from `seed` on, until one fails.

    `player` makes the player of an instance, and `what` is told of the runs. Returns what came of each instance that
    had its turn.
    """
    found = list[Tried]()
    for number in range(runs):
        instance = among[number % len(among)]
        watch(Tick(number, runs, what or f"{instance.guest}, {instance.shape}"))
        if number < len(among):
            found.append(Tried(player(instance)))
        one = found[number % len(among)]
        made = wander(one.player, seed + number)
        one.runs += 1
        one.moves += len(made.moves)
        if made.failed:
            one.failed = made
            break
    return found


def shrink(player: Player, failed: Played) -> Played:
    """Returns a run that fails in the same way, with no move that can be left out; the run itself if it never does."""
    stuck = failed.failed == "stuck"

    def again(moves: Sequence[str]) -> Played:
        return replay(player, moves, failed.seed, winds_down=stuck)

    def fails(moves: Sequence[str]) -> bool:
        return again(moves).failed == failed.failed

    if not fails(failed.repeats):
        return failed
    least = again(shrunk(failed.repeats, fails))
    return least if least.failed == failed.failed else failed


def shrunk(moves: Sequence[_Move], fails: Callable[[Sequence[_Move]], bool], most: int = 2_000) -> list[_Move]:
    """Returns moves of which no single one can be left out, or the best found in `most` trials.

    A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002: smaller and smaller parts
    are left out. The caller has seen all of `moves` fail.
    """
    left, part, trials = list(moves), max(len(moves) // 2, 1), 0
    while left:
        smaller = None
        for start in range(0, len(left), part):
            trials += 1
            rest = left[:start] + left[start + part :]
            if trials <= most and fails(rest):
                smaller = rest
                break
        if smaller is not None:
            left = smaller
            part = max(min(part, len(left) // 2), 1)
        elif part == 1 or trials > most:
            break
        else:
            part = max(part // 2, 1)
    return left


@dataclass(frozen=True)
class Followed:
    """What came of playing a counterexample of the model: `hangs`, or else why the harness does not follow it.

    `wrong` if the harness does what the model does not; `run` is what was played.
    """

    hangs: bool
    wrong: bool
    why: str
    run: Played


def play(player: Player, trace: Trace) -> Followed | str:
    """Plays a counterexample of the model; a text says why it cannot be played with this harness.

    A run that ends is played to its end, where the device has to be at rest as the model says. The loop of a run that
    goes on is played some times.
    """
    moves = player.roles.moves
    if unknown := next((step for step in trace.steps if step not in moves), None):
        return f"the harness cannot be made to take {unknown}"
    goes_on = player.restart()
    names = [variable.name for variable in player.system.variables]
    order = [*range(len(trace.steps)), *[*range(trace.stem, len(trace.steps))] * (ROUNDS - 1)]
    for number, step in enumerate(order, 1):
        if not goes_on:
            break
        move = moves[trace.steps[step]]
        if not move.startswith(STEP) and move not in player.guest_moves():
            return Followed(False, False, f"step {number}: the guest cannot {move}", player.run)
        goes_on = player.make(move)
        wanted = tuple(trace.after(step)[name] for name in names)
        if goes_on and wanted not in player.states:
            return Followed(False, False, f"step {number}, {trace.steps[step]}: it took another step", player.run)
    if goes_on and trace.stuck:
        before = player.states
        goes_on = player.make(SETTLE)
        if goes_on and not before & player.states:
            return Followed(False, True, "it goes on where the model is stuck", player.run)
    return Followed(goes_on, not goes_on, "" if goes_on else "it does not follow", player.run)
