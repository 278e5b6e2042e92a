"""Schedules: what a guest does, move by move, drawn at random or given; and what came of running one.

A schedule is wound down when its moves are used up: the guest submits no more and does all that it still has to do. If
commands are left then that it has not seen completed, the run is stuck.
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
"""Moves of a schedule that is drawn, before it is wound down."""
_ENDLESS = 10_000


@dataclass
class Run:
    """A schedule, as it was run: the moves made, what each was to the model, and how it ended."""

    shape: Shape
    seed: int
    config_first: bool
    moves: list[str] = field(default_factory=list)
    drawn: int = 0
    """How many of the moves came before it was wound down."""
    actions: list[str] = field(default_factory=list)
    seen: list[Mapping[str, Value]] = field(default_factory=list)
    """What was seen after each move, and what CQ EventIdx the guest was shown where another policy is laid over."""
    mismatch: Mismatch | None = None
    stuck: int = 0
    """Commands that were submitted and never seen completed."""


class Disagreement(Exception):
    """The driver may make other moves than the model's guest: the two are not of one guest."""


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
    """Runs one schedule on a controller that is set up anew: `moves` as far as they may be made, or drawn by the seed.

    Without a model nothing is compared, and only what gets stuck is found; of a run that is not wound down only what
    does not match. Raises `Failed`, `Disagreement`, `TooManyStates`.
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
        kinds = kinds.rstrip(LATE)  # one that ends unseen leaves open what the other policy would have written
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
    """Raises `Disagreement` unless the driver may do what the model's guest may."""
    offers = {_as_move(action) for action in model.offers()}
    moves = {move for move in driver.moves() if move != "wait"}
    if offers != moves:
        raise Disagreement(f"the driver may do {sorted(moves)}, the model's guest {sorted(offers)}")


def _as_move(action: Action) -> str:
    """A model's action as the move that it is an outcome of."""
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
