"""What each file of tests may cost, in seconds of a processor, and how many random examples a test has.

`make test` warns of files that take more than twice what they may.

A test that decides, proves or compares all there is belongs in make check-deep, with a spread of it here. Where a file
gets new tests that are worth it, raise its budget with them, and see that make test still takes five minutes.
"""

from __future__ import annotations

from hypothesis import settings

OVERDRAFT = 2
"""How many times its budget a file may take before that is told: a busy machine is slower by as much."""

OTHERS = 5
"""The budget of a file that is not in the table."""

BUDGETS: dict[str, int] = {}


def examples(number: int) -> int:
    """So many in a hundred as hypothesis's profile says: some of them in make test, all in make check-deep."""
    return max(number * settings().max_examples // 100, 1)
