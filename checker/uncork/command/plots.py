"""Checks the files that a command draws to."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click
from uncork_nvme.choices import InstanceError

_DRAWN = (".svg", ".png", ".pdf")


def drawable(plot: str | None) -> None:
    """Checks before any work that a drawing can be made. Raises `InstanceError` or `click.UsageError`."""
    if plot is None:
        return
    if find_spec("matplotlib") is None:
        raise InstanceError("--plot needs matplotlib: pip install matplotlib")
    if Path(plot).suffix not in _DRAWN:
        raise click.UsageError(f"--plot {plot!r}: name a file that ends in {', '.join(_DRAWN)}")
