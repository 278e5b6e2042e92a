"""Reads and writes traces as ITF JSON, Apalache's Informal Trace Format (ADR-015).

The fields are `vars`, `states`, `loop`, and `#meta` for the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from uncork.core import jsontext
from uncork.core.sorts import Value
from uncork.core.trace import Trace

FORMAT = "https://apalache-mc.org/docs/adr/015adr-trace.html"


class FormatError(ValueError):
    """A text is not an ITF trace. The message says why."""


def dumps(trace: Trace, meta: Mapping[str, Any]) -> str:
    """Returns a trace as text, one state per line. `meta` and the actions go under `#meta`."""
    closing = trace.steps[-1] if trace.loop is not None and not trace.stuck else None
    head: dict[str, Any] = {"format": "ITF", "format-description": FORMAT, **meta}
    if closing is not None:
        head["closing"] = closing
    lines = []
    for index, state in enumerate(trace.states):
        told: dict[str, Any] = {"index": index}
        if index:
            told["action"] = trace.steps[index - 1]
        lines.append(json.dumps({"#meta": told, **{name: _outward(value) for name, value in state.items()}}))
    parts = [f'"#meta": {json.dumps(head)}', f'"vars": {json.dumps(list(trace.states[0]))}']
    parts.append('"states": [\n' + ",\n".join(lines) + "\n]")
    if trace.loop is not None:
        parts.append(f'"loop": {trace.loop}')
    return "{" + ",\n".join(parts) + "}\n"


def loads(content: str) -> tuple[Trace, dict[str, Any]]:
    """Returns the trace and the `#meta` of a text. Raises `FormatError`.

    The trace is not replayed: call `replay` for that.
    """
    try:
        found = jsontext.loads(content)
        states = [{k: _inward(v) for k, v in state.items() if k != "#meta"} for state in found["states"]]
        steps = [state["#meta"]["action"] for state in found["states"][1:]]
        meta = dict(found["#meta"])
    except KeyError as error:
        raise FormatError(f"not an ITF trace of ours: there is no {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise FormatError(f"not an ITF trace of ours: {error}") from None
    if not states:
        raise FormatError("not an ITF trace of ours: it has no state")
    if "closing" in meta:
        steps.append(meta["closing"])
    if not all(isinstance(step, str) for step in steps):
        raise FormatError("not an ITF trace of ours: actions have to be names")
    loop = found.get("loop")
    if loop is not None and (type(loop) is not int or not 0 <= loop < len(states)):
        last = len(states) - 1
        raise FormatError(f"'loop' has to be the number of a state, 0 to {last}, not at {json.dumps(loop):.80}")
    if "closing" in meta and loop is None:
        raise FormatError("it has a step that closes a loop, and no loop")
    return Trace(tuple(states), tuple(steps), loop), meta


def _outward(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _inward(value: Any) -> Value:
    if isinstance(value, list):
        return tuple(_inward(each) for each in value)
    if isinstance(value, dict) and set(value) == {"#bigint"}:
        return int(value["#bigint"])
    if not isinstance(value, bool | int | str):
        raise TypeError(f"{value!r} is no value")
    return value
