"""Shrinks a schedule to as few moves as possible that still fail (Zeller's delta debugging)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_Move = TypeVar("_Move")


def shrunk(moves: Sequence[_Move], fails: Callable[[Sequence[_Move]], bool], most: int = 2_000) -> list[_Move]:
    """Returns moves of which no single one can be left out, or the best found in `most` trials.

    A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002: smaller and
    smaller parts are left out. The caller has seen all of `moves` fail.
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
