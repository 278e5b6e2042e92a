"""Checks a certificate: that a set of states contains every reachable state, and that properties hold on the set.

The check relies on this file, on the meaning of expressions as Python source (`engines.python`) and on numpy. It uses
no code of the engine that wrote the certificate. `explicit.certificate` describes the format, and why the levels prove
a liveness property.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncork.core.jsontext import loads
from uncork.core.property import Always, InRange, NotForever, Property, describe
from uncork.core.sorts import Array, Value
from uncork.core.system import Fairness, System
from uncork.engines.python import Plain, predicate, successors


class Rejected(Exception):
    """A certificate that does not prove what it claims. The message says where."""


def check(path: Path, system: System, properties: Sequence[Property]) -> list[Property]:
    """The properties, out of those given, that a certificate proves of a system. Raises `Rejected`.

    A certificate must claim every property that it proves, and must contain nothing that its proofs do not use.
    """
    arrays, about = _read(path)
    if about["fingerprint"] != system.fingerprint(describe(prop) for prop in properties):
        raise Rejected(f"it is about another system or other properties: {about['system']}")
    inquiry = _Inquiry(system, _array(arrays, "states", "u", 2))
    shown = []
    for number, prop in enumerate(properties):
        try:
            inquiry.judge(prop, _levels(arrays, number))
            shown.append(number)
        except Rejected:
            if number in about["proved"]:
                raise
    if about["proved"] != shown:
        names = [", ".join(properties[n].name for n in numbers if n < len(properties)) or "nothing"
                 for numbers in (about["proved"], shown)]  # fmt: skip
        raise Rejected(f"it claims {names[0]}, by the numbers {about['proved']}, and shows {names[1]}, {shown}")
    if arrays:
        raise Rejected(f"it has what no proof needs: {', '.join(map(repr, sorted(arrays)))[:200]}")
    return [properties[number] for number in shown]


def subject(path: Path) -> str:
    """The name of the system in a certificate, as claimed and not checked. Raises `Rejected`."""
    return str(_read(path)[1]["system"])


_Level = tuple[NDArray[Any], NDArray[Any]]

FORMAT = 1
_ABOUT = {"format": int, "system": str, "fingerprint": str, "proved": list}
"""The fields of `about`, and their types."""


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of a file by name, without `about`; and the content of `about`."""
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no archive of arrays, such as uncork check --certificate writes")
        with np.load(path, allow_pickle=False) as archive:
            names = list(archive.files)
            arrays = {name: archive[name] for name in names}
    except Exception as error:  # zipfile, zlib and numpy raise many kinds of errors for a damaged file
        raise Rejected(f"it cannot be read: {' '.join(str(error).split()) or type(error).__name__}") from None
    if len(arrays) < len(names):
        raise Rejected("it has two arrays of one name")
    try:
        about = loads(str(_array(arrays, "about", "U", 0)))
    except ValueError as error:
        raise Rejected(f"'about' is not JSON: {error}") from None
    if isinstance(about, dict) and about.get("format", FORMAT) != FORMAT:
        raise Rejected(f"the format {about['format']!r:.80} is not known, {FORMAT} is")
    if not isinstance(about, dict) or about.keys() != _ABOUT.keys():
        raise Rejected(f"'about' has to be an object with {', '.join(_ABOUT)}, and nothing else")
    for name, kind in _ABOUT.items():
        if type(about[name]) is not kind:
            raise Rejected(f"{name!r} has to be a {kind.__name__}, not {about[name]!r:.80}")
    if not all(type(number) is int for number in about["proved"]):
        raise Rejected(f"'proved' has to be a list of numbers, not {about['proved']!r:.80}")
    return arrays, about


def _array(arrays: dict[str, Any], name: str, kinds: str, dimensions: int) -> NDArray[Any]:
    """Removes an array from `arrays` and returns it. Raises `Rejected` unless its type and dimensions fit."""
    found = arrays.pop(name, None)
    if found is None:
        raise Rejected(f"it has no {name!r}")
    if not isinstance(found, np.ndarray) or found.dtype.kind not in kinds or found.ndim != dimensions:
        what = f"{found.ndim} dimensions of {found.dtype}" if isinstance(found, np.ndarray) else "none"
        raise Rejected(f"{name!r} is no array of the kind that it has to be: {what}")
    return found


def _levels(arrays: dict[str, Any], number: int) -> Iterator[_Level]:
    for level in count():
        if f"parts {number} {level}" not in arrays:
            return
        parts = _array(arrays, f"parts {number} {level}", "iu", 1)
        yield parts, _array(arrays, f"steps {number} {level}", "iu", 1)


class _Inquiry:
    """The states of a certificate, and every step from them."""

    def __init__(self, system: System, columns: NDArray[Any]) -> None:
        self.system = system
        self.states = list(_decoded(system, columns))
        places = {state: place for place, state in enumerate(self.states)}
        if len(places) < len(self.states):
            raise Rejected("a state is there twice")
        if places.get(tuple(system.initial.values())) is None:
            raise Rejected("the first state is not there")
        sources: list[int] = []
        targets: list[int] = []
        actions: list[int] = []
        following = successors(system)
        for place, state in enumerate(self.states):
            for action, after in following(state):
                target = None if after is None else places.get(after)
                if target is None:
                    outside = "out of a variable's sort" if after is None else "to a state that is not there"
                    raise Rejected(f"{system.actions[action].name} leads {outside}, from state {place}")
                sources.append(place)
                targets.append(target)
                actions.append(action)
        self.sources, self.targets, self.actions = (np.array(each, np.int64) for each in (sources, targets, actions))
        self.steps = list(system.duties)
        self.step = np.array([self.steps.index(a.duty) for a in system.actions], np.int64)[self.actions]

    def judge(self, prop: Property, levels: Iterator[_Level]) -> None:
        """Raises `Rejected` unless a property holds."""
        match prop:
            case InRange():
                pass  # the constructor has checked that no step leads out of a sort
            case Always():
                holds = predicate(self.system, prop.condition)
                for place, state in enumerate(self.states):
                    if not holds(state):
                        raise Rejected(f"{prop.name}: it does not hold in state {place}")
            case NotForever():
                holds = predicate(self.system, prop.condition)
                left = np.array([holds(state) for state in self.states], np.bool_)
                for level, (parts, steps) in enumerate(levels):
                    if not left.any():
                        raise Rejected(f"{prop.name}, level {level}: no state is left that it could be about")
                    left = self._after(f"{prop.name}, level {level}", prop.without, left, parts, steps)
                if left.any():
                    raise Rejected(f"{prop.name}: it says nothing of state {np.flatnonzero(left)[0]}, in the end")

    def _after(
        self, where: str, without: frozenset[str], left: NDArray[np.bool_], parts: NDArray[Any], steps: NDArray[Any]
    ) -> NDArray[np.bool_]:
        """The states of the next level, out of the states `left` at this level. Raises `Rejected`."""
        if parts.shape != (left.sum(),):
            raise Rejected(f"{where}: {left.sum()} states are left, and {parts.size} have a part")
        if parts.size and (parts.min() < 0 or parts.max() >= len(steps)):
            raise Rejected(f"{where}: a part starves no step")
        fair = np.array([outcomes[0].fair for outcomes in self.system.duties.values()])
        weak = np.array([outcomes[0].fairness is Fairness.WEAK for outcomes in self.system.duties.values()])
        if len(steps) and (steps.min() < 0 or steps.max() >= len(fair) or not fair[steps].all()):
            raise Rejected(f"{where}: nothing is owed to a step that is said to be starved")
        part, starved = np.full(len(left), -1, np.int64), np.full(len(left), -1, np.int64)
        part[left] = parts
        starved[left] = steps[parts]
        banned = np.array([action.name in without for action in self.system.actions], np.bool_)[self.actions]
        way = left[self.sources] & left[self.targets] & ~banned
        source, target = self.sources[way], self.targets[way]
        if (part[target] > part[source]).any():
            raise Rejected(f"{where}: a step leads to a part with a greater number")
        if (self.step[way] == starved[source])[part[target] == part[source]].any():
            raise Rejected(f"{where}: a part takes the step that it is said to starve")
        owed = np.zeros(len(left), np.bool_)
        owed[self.sources[left[self.sources] & (self.step == starved[self.sources])]] = True
        if (left & ~owed)[left][weak[starved[left]]].any():
            raise Rejected(f"{where}: a step is weakly fair, and not enabled throughout its part")
        return left & ~owed


def _decoded(system: System, columns: NDArray[Any]) -> Iterator[Plain]:
    """The states in the rows of an array, as plain values."""
    made: list[list[Value]] = []
    begin = 0
    for variable in system.variables:
        sort = variable.sort
        values = list((sort.element if isinstance(sort, Array) else sort).values())
        width = sort.size if isinstance(sort, Array) else 1
        codes = columns[:, begin : begin + width]
        if codes.shape[1] != width or (codes.size and codes.max() >= len(values)):
            raise Rejected(f"{variable.name} has values that are none of its sort")
        elements = [[values[code] for code in codes[:, k].tolist()] for k in range(width)]
        made.append(list(zip(*elements, strict=True)) if isinstance(sort, Array) else elements[0])
        begin += width
    if begin != columns.shape[1]:
        raise Rejected(f"a state has {columns.shape[1]} columns, and the system's variables need {begin}")
    return zip(*made, strict=True)
