"""The sizes of an instance, as its name has them."""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBER = "(0|[1-9][0-9]{0,17})"
_SHAPE = re.compile(f"n{_NUMBER}-sq{_NUMBER}-cq{_NUMBER}")


class Shape(NamedTuple):
    """The number of SQs, and the entries of each and of the CQ; `n1-sq3-cq3` as text."""

    sqs: int
    sq_size: int
    cq_size: int

    def __str__(self) -> str:
        return f"n{self.sqs}-sq{self.sq_size}-cq{self.cq_size}"

    @classmethod
    def parse(cls, text: str) -> Shape | None:
        """The shape that is written so; None if it is none."""
        found = _SHAPE.fullmatch(text)
        return cls(*map(int, found.groups())) if found else None
