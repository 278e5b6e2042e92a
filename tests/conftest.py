"""Tests that send Ctrl-C need processes that hear it, also where this one was begun in the background, deaf to it."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)  # what it runs does not inherit that it is ignored
