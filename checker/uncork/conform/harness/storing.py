"""Stores a failed run as JSON and loads it, to be run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from uncork_nvme.instance import Instance, InstanceError, from_name

from uncork.conform.harness.player import Played
from uncork.core import jsontext


@dataclass(frozen=True)
class Stored:
    """A run to play again: its model, its seed and moves, how it failed, and how it was driven.

    `stepped`: the harness was stepped. `overlay` is a policy laid over the device's. `stuck`: commands were left when
    the guest had wound down.
    """

    instance: Instance
    moves: tuple[str, ...]
    seed: int
    stepped: bool
    overlay: str | None
    stuck: bool


def as_json(run: Played, instance: Instance, harness: str, *, stepped: bool, overlay: str | None) -> dict[str, Any]:
    """Returns a failed run as plain data: `moves` to repeat, and all `steps` with the values seen after each."""
    made = zip(run.moves, run.did, run.seen, strict=True)
    failure: dict[str, Any] = {"kind": run.failed}
    if run.mismatch:
        failure |= {"move": run.mismatch.move, "saw": run.mismatch.saw, "model": run.mismatch.model}
    if run.broken:
        failure["message"] = str(run.broken)
    if run.stuck:
        failure["commands"] = run.stuck
    return {
        "harness": harness,
        "instance": instance.name,
        "stepped": stepped,
        "overlay": overlay,
        "seed": run.seed,
        "setup": run.setup,
        "moves": run.repeats,
        "steps": [{"move": move, "did": did, "saw": saw} for move, did, saw in made],
        "failure": failure,
    }


def loads(content: str, name: str) -> Stored:
    """Loads a run that `as_json` made. Raises `InstanceError`, which names the file, for anything else."""
    what = f"{name} is not a run that uncork conform stored"
    try:
        found = jsontext.loads(content)
        instance, moves, kind = from_name(found["instance"]), found["moves"], found["failure"]["kind"]
    except KeyError as error:
        raise InstanceError(f"{what}: it has no {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise InstanceError(f"{what}: {error}") from None
    seed, stepped, overlay = found.get("seed", 0), found.get("stepped", True), found.get("overlay")
    known = type(seed) is int and isinstance(stepped, bool) and isinstance(overlay, str | None)
    if not known or not isinstance(moves, list) or not all(isinstance(each, str) for each in moves):
        raise InstanceError(f"{what}: seed, stepped, overlay or moves are of another type")
    return Stored(instance, tuple(moves), seed, stepped, overlay, kind == "stuck")
