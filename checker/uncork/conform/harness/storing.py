"""Stores a failed run of a harness as JSON and loads it, to be run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uncork_nvme.instance import Instance, InstanceError

from uncork.conform.harness.player import Played
from uncork.conform.storing import fields, texts


@dataclass(frozen=True)
class Stored:
    """A run to play again: its model, its moves, and whether the harness was stepped."""

    instance: Instance
    moves: tuple[str, ...]
    steps: bool


def as_json(run: Played, instance: Instance, harness: str, *, steps: bool) -> dict[str, Any]:
    """Returns a failed run as plain data: `moves` to repeat, and all `steps` with the values seen after each."""
    made = zip(run.moves, run.did, run.seen, strict=True)
    failure: dict[str, Any] = {"kind": run.failed}
    if run.mismatch:
        failure |= {"move": run.mismatch.move, "saw": run.mismatch.saw, "model": run.mismatch.model}
    if run.broken:
        failure["message"] = str(run.broken)
    return {
        "harness": harness,
        "instance": instance.name,
        "stepped": steps,
        "moves": run.moves,
        "steps": [{"move": move, "did": did, "saw": saw} for move, did, saw in made],
        "failure": failure,
    }


def loads(content: str, name: str) -> Stored:
    """Loads a run that `as_json` made. Raises `InstanceError`, which names the file, for anything else."""
    what = f"{name} is not a run that uncork conform exec stored"
    instance, (moves, steps) = fields(content, what, "moves", "stepped")
    if not isinstance(steps, bool) or not texts(moves):
        raise InstanceError(f"{what}: stepped or moves are of another type")
    return Stored(instance, tuple(moves), steps)
