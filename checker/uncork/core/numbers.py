"""Whole numbers as people write them. Python's `int` also takes 007, +7, 1_000 and the digits of other scripts."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")


def whole(text: str) -> int:
    """The number that a text is; raises `ValueError` if it is not written in the digits 0 to 9 alone."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number in the digits 0 to 9, such as 12")
    return int(text)
