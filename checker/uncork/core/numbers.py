"""Whole numbers as people write them. Python's `int` also takes 007, +7, 1_000 and the digits of other scripts."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_MOST = 18
"""Digits: whatever is counted fits a machine's word."""


def whole(text: str) -> int:
    """The number that a text is; raises `ValueError` if it is not written in the digits 0 to 9 alone."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number in the digits 0 to 9, such as 12")
    if len(text) > _MOST:
        raise ValueError(f"a number of {len(text)} digits is too large: {_MOST} is the most")
    return int(text)
