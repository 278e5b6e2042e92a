"""Stores a failed run as JSON and loads it, to be run again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uncork_nvme.instance import Instance, InstanceError, from_name

from uncork.conform.schedules import Run
from uncork.core import jsontext


@dataclass(frozen=True)
class Stored:
    """A schedule to run again: its model, the policy laid over QEMU's, its seed and moves."""

    instance: Instance
    overlay: str | None
    seed: int
    moves: tuple[str, ...]


def as_json(run: Run, instance: Instance, overlay: str | None, version: str) -> dict[str, Any]:
    """Returns a failed run as plain data: `moves` to repeat, and all `steps` with the values seen after each."""
    failure: Mapping[str, Any] = {"kind": "stuck", "commands": run.stuck}
    if run.mismatch:
        failure = {"kind": "mismatch", "saw": run.mismatch.saw, "model": run.mismatch.model}
    steps = zip(run.moves, run.actions, run.seen, strict=True)
    return {
        "qemu": version,
        "instance": instance.name,
        "overlay": overlay,
        "seed": run.seed,
        "config_first": run.config_first,
        "moves": run.moves[: run.drawn],
        "steps": [{"move": move, "action": action, "saw": saw} for move, action, saw in steps],
        "failure": failure,
    }


def fields(content: str, what: str, *names: str) -> tuple[Instance, list[Any]]:
    """Returns the model of a stored run, and what else it has by these names.

    Raises `InstanceError` for anything else: `what`, and why.
    """
    try:
        found = jsontext.loads(content)
        return from_name(found["instance"]), [found[name] for name in names]
    except KeyError as error:
        raise InstanceError(f"{what}: it has no {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise InstanceError(f"{what}: {error}") from None


def texts(found: object) -> bool:
    """Returns whether something in a file is a list of texts, as moves are."""
    return isinstance(found, list) and all(isinstance(each, str) for each in found)


def loads(content: str, name: str) -> Stored:
    """Loads a run that `as_json` made. Raises `InstanceError`, which names the file, for anything else."""
    what = f"{name} is not a run that uncork conform stored"
    instance, (overlay, seed, moves) = fields(content, what, "overlay", "seed", "moves")
    known = isinstance(seed, int) and (overlay is None or isinstance(overlay, str))
    if not known or not texts(moves):
        raise InstanceError(f"{what}: seed, overlay or moves are of another type")
    own = instance.device == "qemu" and instance.policy == "head" and "post_order" not in instance.overrides
    if overlay and not own:
        over = f"{instance.device} with {instance.policy}"
        raise InstanceError(f"{name} lays {overlay} over {over}: overlays need qemu with its own policy, head")
    return Stored(instance, overlay, seed, tuple(moves))
