"""Finds stored counterexamples of a machine, and facts about each SQ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uncork_nvme.instance import Instance, InstanceError
from uncork_nvme.state.machine import Machine
from uncork_properties.catalogue import properties

from uncork.core.system import Sentence, say
from uncork.core.trace import Trace, replay
from uncork.trace.runs import Stored, stored

CORKS = frozenset({"cork", "cork_park", "line_up", "block"})
"""The step families that cork an SQ, or queue a completion because the CQ is full."""

_FOLDERS = (Path("counterexamples"), Path(__file__).parents[3] / "counterexamples")
"""Folders of stored counterexamples: in the working directory, and beside the source of uncork."""


@dataclass(frozen=True)
class Known:
    """A run that the user can jump to, and its label."""

    label: str
    run: Trace


def stored_as(of: Instance, path: str) -> Known:
    """Loads a stored run and replays it on this instance: it has to refute the properties that it names."""
    return _known(of, Path(path).name, stored(path))


def _known(of: Instance, name: str, found: Stored) -> Known:
    stated = {prop.name: prop for prop in properties(of.machine, of.system)}
    replay(of.system, found.run)
    refutes = [prop.name for prop in found.refutes]
    for each in refutes:
        if each not in stated:
            raise InstanceError(f"{name}: {of.name} has no property {each!r}")
        replay(of.system, found.run, stated[each])
    loop = f", then a loop of {found.run.loop_steps}" if found.run.loop_steps else ""
    return Known(f"{', '.join(refutes) or name}: {found.run.stem} steps{loop}", found.run)


def counterexamples(of: Instance, folders: tuple[Path, ...] = _FOLDERS) -> Iterator[Known]:
    """Returns this machine's stored counterexamples, under any name, replayed. Takes the first existing folder."""
    folder = next((each for each in folders if each.is_dir()), None)
    for path in sorted(folder.glob(f"*-{of.shape}-*.itf.json")) if folder else ():
        found = stored(str(path))
        if found.instance.system.fingerprint() == of.system.fingerprint():
            yield _known(of, path.name, found)


def facts(machine: Machine) -> list[Sentence]:
    """Returns the facts about each SQ: whether it is corked, has entries, and sleeps."""
    return [
        say(f"{q.label}: corked {{}}, {{}} to take, asleep {{}}", q.corked, q.pending, q.asleep) for q in machine.sqs
    ]
