"""The exit codes, apart from what decides which of them it is: a command line can say them before it has a model."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """Exit codes; TLC's where it has one."""

    AS_EXPECTED = 0
    USAGE = 2
    CHANGED = 10
    SAFETY = 12
    LIVENESS = 13
    VACUOUS = 20
    DISAGREE = 22
    REPLAY = 23
    OPEN = 30
    INTERNAL = 70
    INTERRUPTED = 130
