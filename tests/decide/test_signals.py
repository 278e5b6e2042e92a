"""Signals: one that comes while processes are started reaches this process, and none of those."""

from __future__ import annotations

import signal
import subprocess
import sys

from uncork.decide import signals

BLOCKED = "import signal; print(*(each.name for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])))"


def blocked() -> set[str]:
    """What a process that is started now does not hear."""
    return set(subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True).stdout.split())


def test_what_a_terminal_sends_while_processes_are_started_is_for_the_first_one() -> None:
    with signals.noticed() as stop:
        with signals.shielded():
            signal.raise_signal(signal.SIGINT)
            assert blocked() == {"SIGINT", "SIGHUP"}
            assert not stop.is_set()
        assert stop.is_set()
    assert blocked() == set()
