"""Loads stored runs, which are replayed, and draws random runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import Instance, InstanceError, from_name
from uncork_properties.catalogue import properties

from uncork.core.property import Property
from uncork.core.trace import ReplayError, Trace, replay
from uncork.engines.python import successors
from uncork.logs.write import Step
from uncork.render import itf


@dataclass(frozen=True)
class Stored:
    """A stored run: its instance, the properties that it refutes, and whether it is shortest."""

    instance: Instance
    run: Trace
    refutes: tuple[Property, ...]
    shortest: bool


def stored(path: str) -> Stored:
    """Loads a run and replays it: it has to be a run of its instance and refute the properties that it names.

    Raises `InstanceError` if the file stores no run, `ReplayError` if the run is not what the file says.
    """
    try:
        run, meta = itf.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InstanceError(f"{path}: {error.strerror}") from None
    except ValueError as error:  # malformed, or not text
        raise InstanceError(f"{path}: {error}") from None
    refutes, shortest = meta.get("refutes", []), meta.get("shortest", True)
    if not isinstance(refutes, list) or not all(isinstance(each, str) for each in (meta.get("instance"), *refutes)):
        raise InstanceError(f"{path}: its #meta has to name an 'instance', and in a list what the run 'refutes'")
    if not isinstance(shortest, bool):
        raise InstanceError(f"{path}: 'shortest' has to be true or false, not {shortest!r:.80}")
    try:
        instance = from_name(meta["instance"])
        known = {prop.name: prop for prop in properties(instance.machine, instance.system)}
    except (InstanceError, ChoiceError) as error:
        raise InstanceError(f"{path}: {error}") from None
    try:
        replay(instance.system, run)
        for each in refutes:
            if each not in known:
                raise InstanceError(f"{path}: {instance.name} has no property {each!r}")
            replay(instance.system, run, known[each])
    except ReplayError as error:
        raise ReplayError(f"{path}: {error}") from None
    return Stored(instance, run, tuple(known[each] for each in refutes), shortest)


def walk(instance: Instance, steps: int, seed: int) -> Iterator[Step]:
    """Yields random steps of an instance, each drawn from the enabled ones; fewer if nothing is enabled."""
    drawn, system = random.Random(seed), instance.system
    names = [variable.name for variable in system.variables]
    after, state = successors(system), tuple(system.initial.values())
    before = system.initial
    for _ in range(steps):
        possible = [(action, target) for action, target in after(state) if target is not None]
        if not possible:
            return
        action, state = drawn.choice(possible)
        is_ = dict(zip(names, state, strict=True))
        yield system.actions[action].name, before, is_
        before = is_


def random_run(instance: Instance, steps: int, seed: int) -> Trace:
    """Returns a random run of at most `steps` steps."""
    taken = list(walk(instance, steps, seed))
    return Trace((instance.system.initial, *(is_ for _, _, is_ in taken)), tuple(name for name, _, _ in taken))
