"""Writes certificates: why properties hold, in a form that another program checks (`uncork.engines.certify`).

A certificate is a compressed archive of arrays (numpy's npz, a zip):

- `about` is JSON: `format` (1), `system` (its name), `fingerprint` (of the system and the given properties, in their
  order) and `proved` (the numbers of the certified properties).
- `states` has a row for each reachable state, with the initial state in row 0. It has a column for each variable in the
  order of declaration, or for each element of an array. A number is the index of a value among the values of the sort.
- `parts p l` and `steps p l` exist for every certified `NotForever` property, number p, and every level l from 0 up.

An invariant needs no more than the reachable states. The levels are a ranking. The region of a property is the set of
states where its condition holds. Its edges are the steps inside the region, without the actions in `without`. Level 0
has all states of the region, and `parts` gives each of them the number of its part, in the order of the rows. No edge
leads to a part with a greater number, so a run that stays in the region for ever stays in one part in the end. `steps`
gives each part a fair step (as an index into the system's duties) that no edge inside the part takes. A strongly fair
run therefore stays, in the end, in the states of its part that do not enable the step; these states form the next
level. If the step is only weakly fair, all states of the part must enable it, so that no fair run stays in the part.
After the last level, no state is left.

The parts are those of the recursion of Emerson and Lei (1987), each with the step that it starves; see `liveness`.
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
"""The most states in a certificate. Checking so many takes minutes."""

_Level = tuple[NDArray[np.int32], NDArray[np.uint16]]
"""A level: the part of each remaining state, and the step that each part starves."""


class NoCertificate(Exception):
    """No certificate can be written, because the search did not end. The message says why."""


def write(path: Path, system: System, properties: Sequence[Property], report: Report = quiet) -> list[Property]:
    """Explores a system, writes the certificate of the properties that hold, and returns these properties.

    Raises `NoCertificate`, in particular if the system has more than `STATES` states.
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
    """The levels that prove that no fair run stays in the states of `alive`; None if some fair run does."""
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
        _, dense = np.unique(-connected, return_inverse=True)  # negated, since numbers must fall along the steps
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
