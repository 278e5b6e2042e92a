"""Compiles the hot loops, and keeps their code between runs where that can be written; where it cannot, says so once.

Numba keeps code beside the source, or in the user's cache; without a place it refuses to compile at all.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

_SAID = "UNCORK_KEEPS_NO_CODE"
"""Set where it was said; processes that are begun inherit it, and do not say it again."""

_ROOM = 2**20
"""Bytes that a place has to have room for."""


@cache
def kept() -> bool:
    """Whether there is a place to keep code, and says so once if not: ask before processes are begun that compile."""
    if _SAID not in os.environ and not any(_takes(place) for place in _places()):
        _say()
    return _SAID not in os.environ


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that compiles a function, and keeps the code if it can."""
    from numba import njit

    def made(function: Callable[..., Any]) -> Any:
        found = njit(cache=kept(), nogil=True, **options)(function)
        if kept():
            ours = found._cache
            load, save = ours.load_overload, ours.save_overload
            ours.load_overload = lambda *args: _or_nothing(load, *args)
            ours.save_overload = lambda *args: _or_nothing(save, *args)
        return found

    return made


def _or_nothing(do: Callable[..., Any], *args: Any) -> Any:
    """What a cache gives, or nothing: it may be full, or damaged, and then its pickles may raise anything."""
    try:
        return do(*args)
    except Exception:
        if _SAID not in os.environ:
            _say()
        return None


def _places() -> list[Path]:
    """Where numba keeps code."""
    given, home = os.environ.get("NUMBA_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    places = [Path(given)] if given else []
    places.append(Path(__file__).parent / "explicit" / "__pycache__")
    return places + ([Path(home) / "numba"] if os.path.isabs(home) else [])  # it is none for a user who has no home


def _takes(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(_ROOM))
    except OSError:
        return False
    return True


def _say() -> None:
    os.environ[_SAID] = "yes"
    print(
        "note: compiled code cannot be kept here, and is compiled anew; NUMBA_CACHE_DIR names a folder that can be "
        "written",
        file=sys.stderr,
    )
