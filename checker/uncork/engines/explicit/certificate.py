"""Writes down why properties hold, so that another program can check it: see `uncork.engines.certify`.

A certificate is a compressed archive of arrays (numpy's npz, a zip):

- `about`: JSON: `format` (1), `system` (its name), `fingerprint` (of the system and the properties that were asked, in
  their order), `proved` (the numbers of the properties that are certified).
- `states`: a row for each reachable state, the first state in row 0; a column for each variable in the order of
  declaration, or for each element of an array; a number is a place in the order of the sort's values.
- for each certified property that something does not last for ever, number p, and for each level l from 0 up,
  `parts p l` and `steps p l`.

The reachable states speak for an invariant by themselves. The levels are a rank. Let the region of a property be the
states where its condition holds, and its ways the steps inside, but for those of the actions that it is `without`. At
level 0 are all states of the region, and `parts` gives each its part, in the order of their rows. No way leads to a
part with a greater number, so a run that stays in the region for ever ends up in one part. `steps` gives each part a
step that is fair (as its place among the system's duties), and which no way inside the part is an outcome of. So a fair
run ends up in those states of its part that do not enable that step, and these states are the next level; under weak
fairness it does not even do that, if all states of the part enable it. The last level leaves none.

These are the parts of the recursion of Emerson and Lei (1987), each with the step that it starves; see `liveness`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncork.core.property import Always, InRange, NotForever, Property, describe
from uncork.core.system import Fairness, System
from uncork.engines import Budget, Report, quiet
from uncork.engines.explicit.explore import Graph, code, explore
from uncork.engines.explicit.liveness import Unfolded

STATES = 2_000_000
"""The most states that are written down; to check them takes minutes."""

_Level = tuple[NDArray[np.int32], NDArray[np.uint16]]
"""The part of each state that is left, and the step that each part starves."""


class NoCertificate(Exception):
    """There is nothing to write down: a search that did not end; the message says why."""


def write(path: Path, system: System, properties: Sequence[Property], report: Report = quiet) -> list[Property]:
    """Explores a system, all of it, and writes the certificate of those properties that hold; gives them.

    Raises `NoCertificate`, in particular where there are more than `STATES` states.
    """
    conditions = [p.condition for p in properties if not isinstance(p, InRange)]
    graph = explore(system, code(system, conditions), Budget(states=STATES), report)
    if not graph.complete:
        reason = f"{system.name} has more than the {STATES:,} states that are worth writing down"
        raise NoCertificate(reason if not graph.fault and graph.count >= STATES else graph.stopped or reason)
    where = iter([graph.where(number) for number in range(len(conditions))])
    arrays: dict[str, Any] = {"states": _columns(graph)}
    proved: list[int] = []
    for number, prop in enumerate(properties):
        match prop:
            case InRange():
                proved.append(number)
            case Always():
                if next(where).all():
                    proved.append(number)
            case NotForever():
                levels = _levels(Unfolded(graph), next(where), prop.without)
                if levels is None:
                    continue
                proved.append(number)
                for level, (parts, steps) in enumerate(levels):
                    arrays |= {f"parts {number} {level}": parts, f"steps {number} {level}": steps}
    fingerprint = system.fingerprint(describe(prop) for prop in properties)
    about = {"format": 1, "system": system.name, "fingerprint": fingerprint, "proved": proved}
    with path.open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
    return [properties[number] for number in proved]


def _columns(graph: Graph) -> NDArray[np.unsignedinteger[Any]]:
    fields = [field for variable in graph.native.layout.fields.values() for field in variable]
    wide = max((field.width for field in fields), default=0) > 8
    columns = np.empty((graph.count, len(fields)), np.uint16 if wide else np.uint8)
    words = graph.native.layout.words_of(graph.states)
    for number, field in enumerate(fields):
        columns[:, number] = words[:, field.word] >> np.uint64(field.shift) & np.uint64(field.mask)
    return columns


def _levels(unfolded: Unfolded, alive: NDArray[np.bool_], without: frozenset[str]) -> list[_Level] | None:
    """The levels that show that no fair run stays where `alive` is, or None if one does."""
    graph, system = unfolded.graph, unfolded.graph.system
    duties = list(system.duties)
    duty = np.array([duties.index(action.duty) for action in system.actions], np.int64)[graph.labels]
    source = np.repeat(np.arange(graph.count), np.diff(graph.offsets))
    target, allowed = graph.targets, ~unfolded.marked(without)[graph.labels]
    levels: list[_Level] = []
    while alive.any():
        left = alive[source]
        source, target, duty, allowed = source[left], target[left], duty[left], allowed[left]
        connected = unfolded.parts(alive, without)[alive]
        _, dense = np.unique(-connected, return_inverse=True)  # numbers grow along the steps, and are to fall
        part = np.full(graph.count, -1, np.int32)
        part[alive] = dense
        inside = allowed & alive[target] & (part[source] == part[target])
        size = np.bincount(dense)
        starved = np.full(len(size), len(duties), np.uint16)
        for number, outcomes in enumerate(system.duties.values()):
            if not outcomes[0].fair:
                continue
            enabled = np.unique(source[duty == number])
            counts = np.bincount(part[enabled], minlength=len(size))
            owed = counts == size if outcomes[0].fairness is Fairness.WEAK else counts > 0
            owed[part[source[inside & (duty == number)]]] = False
            starved[owed & (starved == len(duties))] = number
        if (starved == len(duties)).any():
            return None
        levels.append((part[alive], starved))
        alive = alive.copy()
        alive[source[duty == starved[part[source]]]] = False
    return levels
