"""Whole numbers as people write them. Python's `int` also accepts 007, +7, 1_000 and the digits of other scripts."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_MOST = 18
"""The most digits: such a number fits in a 64-bit word."""


def whole(text: str) -> int:
    """The whole number that `text` denotes. Raises `ValueError` unless it has at most 18 digits, all of them 0 to 9."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number in the digits 0 to 9, such as 12")
    if len(text) > _MOST:
        raise ValueError(f"a number of {len(text)} digits is too large: {_MOST} is the most")
    return int(text)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its word, such as `1 step` and `1,024 steps`; `many` is the plural if an s does not make it."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
