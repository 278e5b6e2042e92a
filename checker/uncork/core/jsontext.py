"""A strict JSON reader: it rejects duplicate names in an object, and NaN and infinities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn


def loads(text: str) -> Any:
    """The value of a JSON text. Raises `ValueError` if the text is invalid, nested too deep, or repeats a name.

    Readers disagree on which of two equal names counts, so a repeated name is rejected.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r:.80} is there twice")
    return found


def _no(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
