"""Draws the pictures of docs/index.md from the states of real runs.

`hang-N.svg` are states of the stored counterexample of Propolis before PR #1026. `live-N.svg` are states of the same
steps with EventIdx one behind the tail; the two runs differ from the guest's last check of EventIdx on.
"""

from __future__ import annotations

from uncork.core.evaluate import State, evaluate, holds
from uncork.core.trace import ReplayError
from uncork.render.html import rings
from uncork.trace.runs import stored
from uncork_nvme.instance import Instance, from_name

from pages import DOCS, ROOT

HANG = ROOT / "counterexamples" / ("propolis-2025-linux-tail-n1-sq3-cq3-uncorked.itf.json")
LIVE = "propolis-2026/linux/tail-1/n1-sq3-cq3"
WOKEN = ("need_cq", "ring_cq", "notify_head", "kick", "deliver(SQ0)", "wake(SQ0)")
"""The steps that replace the hang's last step if EventIdx is one behind the tail."""

SHOWN = {"hang": (11, 26, 28), "live": (26, 28, 31)}
"""The numbers of the steps, from 1, after which a state is drawn."""

_GUESTS = frozenset({"shadow", "cursor"})
_TONES = {("hang", 26): "bad", ("hang", 28): "bad", ("live", 28): "good", ("live", 31): "good"}


def drawn() -> dict[str, str]:
    """The pictures by file name."""
    before, after = stored(str(HANG)), from_name(LIVE)
    steps = before.run.steps
    runs = {"hang": (before.instance, steps), "live": (after, (*steps[:-1], *WOKEN))}
    found = {}
    for name, (instance, steps) in runs.items():
        for number, (state, told) in enumerate(_states(instance, steps), start=1):
            if number in SHOWN[name]:
                title, said = told
                found[f"{name}-{number}.svg"] = rings.svg(
                    instance.system.pictures, state, f"Step {number}, {title}", said,
                    guests=_GUESTS, tone=_TONES.get((name, number), ""),
                )  # fmt: skip
    return found


def _states(instance: Instance, steps: tuple[str, ...]) -> list[tuple[State, tuple[str, str]]]:
    """The state after each step of a run, with its actor and text; raises `ReplayError` if a step may not happen."""
    system = instance.system
    found: list[tuple[State, tuple[str, str]]] = []
    state: State = system.initial
    for name in steps:
        action = system.action(name)
        if not holds(action.guard, state):
            raise ReplayError(f"{instance.name}: {name} may not happen there")
        told = (action.actor, action.told.on(state))
        state = {**state, **{variable: evaluate(value, state) for variable, value in action.updates.items()}}
        found.append((state, told))
    return found


def make() -> None:
    """Writes the pictures to docs/pictures."""
    folder = DOCS / "pictures"
    folder.mkdir(exist_ok=True)
    for name, picture in drawn().items():
        (folder / name).write_text(picture, encoding="utf-8")
