"""Writes a run of the model as a log, or as a schedule for testing a real implementation."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeAlias

from uncork_nvme.instance import Instance
from uncork_nvme.observe import shows

from uncork.core.evaluate import State, evaluate
from uncork.core.expr import Expr
from uncork.core.system import Action
from uncork.core.trace import Trace
from uncork.logs import parts
from uncork.logs.lines import VERSION

Step: TypeAlias = tuple[str, State, State]
"""An action's name, and the states before and after it."""


def steps(run: Trace) -> Iterator[Step]:
    """Yields the steps of a run."""
    for number, name in enumerate(run.steps):
        yield name, run.states[number], run.after(number)


def log(instance: Instance, run: Iterable[Step], only: Collection[str] | None = None) -> Iterator[str]:
    """Yields the lines of a run's log: all events, or only those of the families in `only`."""
    yield _line(_header(instance, only))
    for event in _events(instance, run, before=False):
        if only is None or event["event"] in only:
            yield _line(event)


def schedule(instance: Instance, run: Trace, refuted: str) -> Iterator[str]:
    """Yields the lines of a schedule: every step with the values before and after it, and how the run ends."""
    yield _line({**_header(instance, None), "note": f"refutes: {refuted}"})
    for event in _events(instance, steps(run), before=True):
        yield _line(event)
    end: dict[str, Any] = {"end": "stuck" if run.stuck else "stops" if run.loop is None else "repeats"}
    if run.loop is not None and not run.stuck:
        end["from"] = run.loop + 1
    yield _line({**end, "step": len(run.steps), **shown(instance, run.states[-1])})


def _header(instance: Instance, only: Collection[str] | None) -> dict[str, Any]:
    told = {action.family for action in instance.system.actions}
    always = sorted(family for family in told if only is None or family in only)
    return {"log": VERSION, "instance": instance.name, "always": always}


def shown(instance: Instance, state: State) -> dict[str, Any]:
    """Returns the observable values of a state."""
    return {name: evaluate(expr, state) for name, expr in shows(instance.machine).items()}


def _events(instance: Instance, run: Iterable[Step], *, before: bool) -> Iterator[dict[str, Any]]:
    exprs, actions = shows(instance.machine), {action.name: action for action in instance.system.actions}
    for number, (name, was, is_) in enumerate(run, 1):
        event = _about(actions[name], number)
        about = _concerns(exprs, event.get("sq"))
        if before:
            event["before"] = {name: evaluate(expr, was) for name, expr in about.items()}
        yield {**event, **{name: evaluate(expr, is_) for name, expr in about.items()}}


def _about(action: Action, number: int) -> dict[str, Any]:
    sq, worker = parts(action)
    event: dict[str, Any] = {"event": action.family, "actor": action.actor, "step": number}
    if sq is not None:
        event["sq"] = sq
    if worker is not None:
        event["worker"] = worker
    return event


def _concerns(exprs: dict[str, Expr], sq: int | None) -> dict[str, Expr]:
    """Returns the values logged with a step: those of its SQ and the CQ; of all SQs if the step has no SQ."""
    return {name: e for name, e in exprs.items() if sq is None or name.startswith(("cq.", f"sq{sq}."))}


def _line(told: dict[str, Any]) -> str:
    return json.dumps(told) + "\n"
