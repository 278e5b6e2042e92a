"""Single runs of a harness: given moves, random moves, and the counterexamples of its model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from uncork.conform.harness.player import Played, Player
from uncork.conform.harness.threads import SETTLE, STEP
from uncork.conform.rig.harness import HarnessError
from uncork.conform.shrink import shrunk
from uncork.core.trace import Trace

MOVES = 60
"""Number of moves of a random run before the guest winds down."""
ROUNDS = 3
"""How often the loop of a counterexample is played."""
_ENDLESS = 10_000
_BEGINS = ("submit", "create", "delete")
"""The moves of a guest that begins something new."""


def replay(player: Player, moves: Sequence[str]) -> Played:
    """Plays the moves that are possible, in their order, and leaves out the others."""
    goes_on = player.restart()
    for move in moves:
        if not goes_on:
            break
        if move == SETTLE or move in player.guest_moves() or _known(player, move):
            goes_on = player.make(move)
    return player.run


def _known(player: Player, move: str) -> bool:
    """Returns whether a move is the step of a thread that can be stepped."""
    return move.startswith(STEP) and move.removeprefix(STEP) in player.roles.stepped


def wander(player: Player, seed: int, length: int = MOVES) -> Played:
    """Plays random moves, and then lets the guest wind down: it submits nothing more, and takes all that is left to it.

    A run whose commands are not all seen completed at the end fails, unless the model allows the same.
    """
    chosen = random.Random(seed)
    busy, probes = chosen.choice((0.3, 1, 3)), chosen.choice((0, 0, 0.02))
    goes_on = player.restart()
    while goes_on and len(player.run.moves) < length:
        weights = dict.fromkeys(player.guest_moves(), 1.0)
        weights |= {move: busy for move in weights if move.startswith(_BEGINS)}
        weights |= {STEP + thread: probes for thread in player.roles.stepped}
        weights |= dict.fromkeys(player.steps(), 2.0)
        weights[SETTLE] = 0.05
        goes_on = player.make(chosen.choices(list(weights), list(weights.values()))[0])
    while goes_on and (goes_on := player.make(SETTLE)):
        left = [move for move in player.guest_moves() if not move.startswith(_BEGINS)]
        if not left:
            break
        goes_on = player.make(chosen.choice(left))
        if len(player.run.moves) > _ENDLESS:
            player.run.broken = HarnessError("hangs", f"the guest has not come to an end after {_ENDLESS:,} moves")
            break
    return player.run


def shrink(player: Player, failed: Played) -> Played:
    """Returns a run that fails in the same way, with no move that can be left out; the run itself if it never does."""

    def fails(moves: Sequence[str]) -> bool:
        return replay(player, moves).failed == failed.failed

    if not fails(failed.moves):
        return failed
    least = replay(player, shrunk(failed.moves, fails))
    return least if least.failed == failed.failed else failed


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
