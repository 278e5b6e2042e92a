"""The exit codes. They stand apart from the gate, so that the command line can use them without importing the model."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """Exit codes; the same numbers as TLC's where TLC has one."""

    AS_EXPECTED = 0
    USAGE = 2
    CHANGED = 10
    SAFETY = 12
    LIVENESS = 13
    VACUOUS = 20
    DISAGREE = 22
    REPLAY = 23
    HARNESS = 24
    OPEN = 30
    INTERNAL = 70
    INTERRUPTED = 130
