"""Sets a run beside the same steps on a mended design, as data for the page; see `uncork.trace.beside`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, get_args

from uncork_nvme.instance import Instance
from uncork_properties import expected
from uncork_properties.catalogue import ROWS, properties

from uncork.core.trace import Trace, replay
from uncork.decide.one import Checked
from uncork.museum.check import Exhibit
from uncork.render.html.scene import changes, whole
from uncork.report import drawn
from uncork.trace.beside import Kind, beside

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The kinds of rows, which the page's data name by their place here."""
_Sizes: TypeAlias = tuple[str, tuple[int, ...], str]


class Mended:
    """The live instances that are known, among which one is found to set beside a run.

    They are those of the page, those of which live verdicts are recorded, and the fixes of the museum.
    """

    def __init__(self, found: Iterable[Checked], exhibits: Iterable[Exhibit]) -> None:
        self._fixes = {
            variant.instance.name: fix.instance
            for each in exhibits
            for variant, fix in zip(each.variants, each.fixes, strict=True)
        }
        live: dict[str, Instance] = {}
        for checked in found:
            if len(checked.rows) == len(ROWS) and all(row.verdict.word == "proved" for row in checked.rows):
                live.setdefault(checked.instance.name, checked.instance)
        for name, (instance, known) in expected.recorded().items():
            if expected.word(known.verdicts) == "live":
                live.setdefault(name, instance)
        self._live: dict[_Sizes, list[Instance]] = {}
        for instance in live.values():
            self._live.setdefault(_sizes(instance), []).append(instance)

    def of(self, instance: Instance) -> Instance | None:
        """Returns the instance to set beside a run: the fix of the museum, or the live design that differs least.

        It has the same guest, sizes and overrides. Another policy differs as much as one other choice of the device.
        """
        if instance.name in self._fixes:
            return self._fixes[instance.name]
        return min(
            (each for each in self._live.get(_sizes(instance), ()) if each.name != instance.name),
            key=lambda each: (_apart(each, instance), each.device != instance.device),
            default=None,
        )


def _apart(one: Instance, other: Instance) -> int:
    """Returns in how many choices two instances differ, the policy among them."""
    choices = other.choices.items()
    return (one.policy != other.policy) + sum(choices[name] != value for name, value in one.choices.items().items())


def _sizes(instance: Instance) -> _Sizes:
    return instance.guest, tuple(instance.shape), str(sorted(instance.overrides.items()))


def told(
    instance: Instance, name: str, trace: Trace, other: Instance, steps: Sequence[Sequence[Any]]
) -> dict[str, Any] | None:
    """Returns what another design does at the steps of a run that refutes the property `name`; None if it is the same.

    Rows begin where the designs part, after `from` equal steps: each has its kind, the step of the run (0: none), and
    what the other design does, as a step of a scene (0: nothing; 1: what `steps`, those of the run's scene, have
    there). A row where both take the same step is its number. Raises `ReplayError` if that is no run of it.
    """
    system = other.system
    forbids = next((prop for prop in properties(other.machine, system) if prop.name == name), None)
    found = beside(instance.system, trace, system, forbids)
    if found.parting is None:
        return None
    replay(system, found.run)
    begin = found.rows.index(found.parting)
    taken = sum(row.other is not None for row in found.rows[:begin])
    stage = drawn.stage(other)
    actors, alike = stage["actors"], stage == drawn.stage(instance)
    before = found.rows[begin - 1].second if begin else system.initial
    start, rows = before, list[Any]()
    for row in found.rows[begin:]:
        does, number = row.other, row.number or 0
        step = [actors.index(does.actor), does.name, row.other_did, changes(system, before, row.second)] if does else 0
        if alike and number and step == steps[number - 1]:
            step = 1
        rows.append(number if (row.kind, step) == ("same", 1) else [KINDS.index(row.kind), number, step])
        before = row.second
    return {
        "stage": stage,
        "from": begin,
        "state": whole(system, start),
        "rows": rows,
        "moves": {number - taken: move for number, move in drawn.moves(other, found.run).items() if number > taken},
        "why": f"{found.why} {found.outcome}",
    }
