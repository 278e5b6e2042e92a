"""Runs schedules: sequences of guest moves, drawn at random or given.

After its last move a schedule is wound down: the guest stops submitting and takes all steps that are left to it. If it
then waits for commands that never complete, the run is stuck.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from uncork_nvme.choices import Choices
from uncork_nvme.shape import Shape

from uncork.conform.following import LAID_OVER, Mismatch, Model
from uncork.conform.rig.controller import Controller
from uncork.conform.rig.driver import LATE, RIGHT, Driver, Slips
from uncork.conform.rig.qtest import Failed
from uncork.core.sorts import Value
from uncork.core.system import Action

MOVES = 40
"""Number of moves of a drawn schedule before it is wound down."""
_ENDLESS = 10_000


@dataclass
class Run:
    """A schedule that was run: its moves, the model's action for every move, and how the run ended."""

    shape: Shape
    seed: int
    config_first: bool
    moves: list[str] = field(default_factory=list)
    drawn: int = 0
    """Number of moves before the schedule was wound down."""
    actions: list[str] = field(default_factory=list)
    seen: list[Mapping[str, Value]] = field(default_factory=list)
    """The values seen after every move, and the CQ EventIdx shown to the guest if a policy is overlaid."""
    mismatch: Mismatch | None = None
    stuck: int = 0
    """Number of commands submitted and never seen completed."""


class Disagreement(Exception):
    """Raised if the driver allows other moves than the model's guest: a bug of uncork."""


def run(
    controller: Controller,
    shape: Shape,
    choices: Choices,
    seed: int,
    *,
    model: Model | None = None,
    slips: Slips = RIGHT,
    moves: Sequence[str] | None = None,
    length: int = MOVES,
    winds_down: bool = True,
) -> Run:
    """Runs one schedule on a freshly set up controller: `moves` where they are allowed, or moves drawn by the seed.

    Without a model, nothing is compared and only stuck runs are found. Without winding down, only mismatches are found.
    Raises `Failed`, `Disagreement`, `TooManyStates`.
    """
    chosen = random.Random(seed)
    made = Run(shape, seed, config_first=chosen.random() < 0.5)
    controller.restart(*shape, config_first=made.config_first)
    driver = Driver(controller, shape, choices, slips)
    first = driver.look()
    if model:
        model.restart()
        made.mismatch = model.look("the start", first)
        if model.overlay is not None:
            laid = random.Random(seed)
            driver.cq_event = lambda: model.laid_over(laid)
    eager, eager_cq = chosen.choice((1, 3, 9)), chosen.choice((0.2, 1, 3))
    kinds = "rwfu" + LATE * chosen.choice((0, 0, 4))
    if model and model.overlay is not None:
        kinds = kinds.rstrip(LATE)  # an unseen completion would leave the overlaid policy's EventIdx unknown
    given = list(moves or ())
    while not made.mismatch:
        if moves is not None:
            while given and not driver.allows(given[0]):
                given.pop(0)
            move = given.pop(0) if given else None
        else:
            move = None
            if len(made.moves) < length:
                offered = list(driver.moves())
                weights = [_weight(each, eager, eager_cq) for each in offered]
                move = driver.draw(chosen.choices(offered, weights)[0], kinds, chosen) if offered else None
        if move is None:
            move = next((each for each in driver.moves() if not each.startswith("submit")), None)
            if move is None or not winds_down:
                break
        else:
            made.drawn = len(made.moves) + 1
        _make(move, driver, made, model)
        if len(made.moves) > _ENDLESS:
            raise Failed(f"the guest has not come to an end after {_ENDLESS} moves")
    if winds_down and not made.mismatch:
        made.stuck = driver.waiting
    return made


def _make(move: str, driver: Driver, made: Run, model: Model | None) -> None:
    if model:
        _same_guest(driver, model)
    action = driver.do(move)
    made.moves.append(move)
    made.actions.append(action)
    saw = driver.look()
    shown = {LAID_OVER: driver.looked_at} if model and model.overlay is not None and move == "check CQ" else {}
    made.seen.append({**saw, **shown})
    if model and action:
        made.mismatch = model.follow(action, saw, late=driver.late)
    elif model:
        made.mismatch = model.look(move, saw)


def _weight(move: str, submits: float, consumes: float) -> float:
    if move.startswith("submit"):
        return submits
    return 3 if "SQ" in move else 0.3 if move == "wait" else consumes


def _same_guest(driver: Driver, model: Model) -> None:
    """Raises `Disagreement` unless the driver allows exactly the moves of the model's guest."""
    offers = {_as_move(action) for action in model.offers()}
    moves = {move for move in driver.moves() if move != "wait"}
    if offers != moves:
        raise Disagreement(f"the driver may do {sorted(moves)}, the model's guest {sorted(offers)}")


def _as_move(action: Action) -> str:
    """Returns the move that an action of the model is an outcome of."""
    args = action.args
    match action.family:
        case "submit":
            return f"submit {args[0].label} {'*' * args[1]}"
        case "need_sq" | "elide_sq":
            return f"check {args[0].label}"
        case "ring_sq":
            return f"ring {args[0].label}"
        case "need_cq" | "elide_cq":
            return "check CQ"
        case "ring_cq":
            return "ring CQ"
        case "consume":
            return "take"
        case "leave_loop":
            return "leave"
    return action.family
