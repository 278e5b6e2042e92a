"""Proofs for which several tests ask: each is made once in a process."""

from __future__ import annotations

from uncork.engines import Watch
from uncork.prove import proof
from uncork.prove.proof import Part
from uncork_nvme.instance import Design

PROVED: dict[tuple[str, bool, int], Part] = {}
"""What was proved in this process, of the model as it is."""
PROVE = proof._part


def once(design: Design, several: bool, least: int, watch: Watch) -> Part:
    """In place of `proof._part`."""
    key = design.name, several, least
    if key not in PROVED:
        PROVED[key] = PROVE(design, several, least, watch)
    return PROVED[key]
