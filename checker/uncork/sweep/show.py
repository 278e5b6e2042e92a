"""Prints the output of `uncork sweep`: live instances by device and policy, and the smallest size that hangs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from uncork_nvme.instance import Instance
from uncork_properties.expected import cell, word

from uncork.core.numbers import counted
from uncork.render.terminal import text
from uncork.sweep.plan import Known, Sweep
from uncork.sweep.store import StoredVerdict

_LEGEND = (
    "live: every property asked for is proved, for all runs at these sizes. HANGS: an SQ can stay corked, or queues "
    "never drain. starves: only progress fails. Otherwise the instance is open. The smallest instance has the fewest "
    "SQs, then the fewest entries."
)
_LATER = "not yet"
_SHOWN = 10
"""The most open instances that are listed one by one."""


def kind(known: Known, rows: Sequence[str]) -> str:
    """Returns UNSAFE, HANGS, starves, fails, live, open, or not yet searched."""
    if not known.verdicts:
        return _LATER
    cells = {row: _cell(known.verdicts[row]) if row in known.verdicts else "open" for row in rows}
    return word(cells).split(" ")[0]


def _cell(found: StoredVerdict) -> str:
    return cell(found.verdict, found.steps, found.loop)


def table(known: Sequence[Known], rows: Sequence[str]) -> text.Table:
    """Returns a row for every device and policy: the number of instances of each kind, and the smallest that hangs."""
    groups: dict[tuple[str, str], list[tuple[str, Known]]] = {}
    for each in known:
        groups.setdefault((each.instance.device, each.instance.policy), []).append((kind(each, rows), each))
    seen = {name for group in groups.values() for name, _ in group}
    always = {"live", "HANGS", "starves", "open"}
    names = ("UNSAFE", "live", "HANGS", "starves", "fails", "open", _LATER)
    kinds = [name for name in names if name in seen | always]
    lines, before = [], ""
    for (device, policy), group in groups.items():
        if device != before:
            lines.append([device, *[""] * (len(kinds) + 1)])
        before, count = device, Counter(name for name, _ in group)
        hanging = [each.instance for name, each in group if name == "HANGS"]
        smallest = _shape(min(hanging, key=_size)) if hanging else ""
        lines.append([f" {policy}", *(str(count[name] or "") for name in kinds), smallest])
    numbers = range(1, len(kinds) + 1)
    return text.table(None, ["device, policy", *kinds, "smallest that hangs"], lines, numbers=numbers)


def _size(instance: Instance) -> tuple[int, int, int, int]:
    sizes = instance.sq_size, instance.cq_size
    return instance.sqs, sum(sizes), *sizes


def _shape(instance: Instance) -> str:
    return f"{instance.shape} {instance.guest}"


def summary(to: text.Page, known: Sequence[Known], rows: Sequence[str], sweep: Sweep) -> None:
    """Prints the table and sentences that explain it."""
    to.show(table(known, rows))
    to.say(_LEGEND)
    idle = [each for each in known if kind(each, rows) == "live" and _unreached(each)]
    if idle:
        what = sorted({cover for each in idle for cover in _unreached(each)})
        to.say(
            f"{len(idle)} of the live ones are vacuous (no run {', or '.join(what)}), as {idle[0].instance.name}: "
            "a proof there says little."
        )
    systems, left = len(sweep.systems), len(sweep.tasks) - sweep.searched
    to.say(
        f"{counted(len(known), 'instance')}, {systems} different: {sweep.searched} searched now, "
        f"{systems - len(sweep.tasks)} known before" + (f", {left} not searched yet." if left else "."),
        "bold",
    )


def opened(known: Sequence[Known]) -> Iterator[tuple[str, str]]:
    """Yields a sentence for every open instance and reason; a last one counts the rest."""
    told = [
        (each.instance.name, f"{', '.join(rows)} open: {reason}")
        for each in known
        for reason, rows in _reasons(each).items()
    ]
    yield from told[:_SHOWN]
    if len(told) > _SHOWN:
        yield "...", f"and {len(told) - _SHOWN} more open"


def _reasons(known: Known) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for found in known.verdicts.values():
        if not found.decided:
            reasons.setdefault(found.reason or "", []).append(found.row)
    return reasons


def _unreached(known: Known) -> tuple[str, ...]:
    return tuple({cover for found in known.verdicts.values() for cover in found.unreached or ()})


def as_json(known: Known, rows: Sequence[str]) -> list[Mapping[str, Any]]:
    """Returns an object for every property of an instance, as in the file; null if not known yet."""
    instance = known.instance
    told: list[Mapping[str, Any]] = []
    for row in rows:
        found = known.verdicts.get(row)
        told.append(
            {
                "instance": instance.name,
                "fingerprint": known.fingerprint,
                **instance.parts,
                "property": row,
                "verdict": found.verdict if found else None,
                "reason": found.reason if found else None,
                "trace_steps": found.steps if found else None,
                "loop_steps": found.loop if found else None,
                "states": found.states if found else None,
                "depth": found.depth if found else None,
                "seconds": found.seconds if found else None,
                "unreached": None if found is None or found.unreached is None else list(found.unreached),
                "engine": found.engine if found else None,
                "version": found.version if found else None,
                "ended": found.ended if found else None,
            }
        )
    return told
