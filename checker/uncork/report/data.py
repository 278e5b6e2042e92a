"""Collects verdicts, counterexamples, the museum and recorded costs as data for the page of `uncork report`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from uncork_nvme.catalogue import POLLS, find_device, find_guest
from uncork_nvme.choices import YES
from uncork_nvme.device import Device, Guest
from uncork_nvme.instance import Instance, find_policy, from_name
from uncork_nvme.museum import BUGS, Bug
from uncork_properties import expected
from uncork_properties.catalogue import ROWS, properties
from uncork_properties.load import SPREAD

from uncork import __version__
from uncork.core.verdict import Open, Proved, Refuted
from uncork.cost import show as costs
from uncork.decide.gate import judge
from uncork.decide.one import Checked
from uncork.measure import show as measured
from uncork.museum.check import Exhibit
from uncork.render.html.scene import scene
from uncork.report.sources import pieces


class Pool:
    """Shared data, each item kept once and referred to by number."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self.all: list[Any] = []

    def add(self, data: Any) -> int:
        """Returns the number of the item equal to `data`."""
        number = self._known.setdefault(json.dumps(data), len(self.all))
        if number == len(self.all):
            self.all.append(data)
        return number


@dataclass(frozen=True)
class Written:
    """A page, and the number of its counterexamples."""

    html: str
    runs: int


def write(found: Sequence[Checked], exhibits: Sequence[Exhibit]) -> Written:
    """Returns the page. Raises `ReplayError` if a counterexample does not replay."""
    from uncork.render.html.page import page  # jinja2

    recorded = expected.recorded()
    stages, runs = Pool(), Pool()
    told: dict[str, dict[str, Any]] = {}
    shown = [*found, *(checked for each in exhibits for checked in (*each.variants, *each.fixes))]
    for checked in found:
        known = recorded.get(checked.instance.name)
        findings = judge(checked, known[1] if known else None)
        said = [f"{finding.property or 'covers'}: {finding.message}" for finding in findings]
        told[checked.instance.name] = _instance(checked, said, stages, runs)
    for checked in shown[len(found) :]:
        if checked.instance.name not in told:
            told[checked.instance.name] = _instance(checked, [], stages, runs)
    instances = [checked.instance for checked in shown]
    words = {
        "version": __version__,
        "counts": counts(found),
        "tables": list(_tables(found, told)),
        "events": any(checked.instance.choices.events != "none" for checked in found),
        "polls": [POLLS.format(name) for name in _polling(found)],
        "exhibits": [_exhibit(each, told) for each in exhibits],
        "not_shown": [_bug(bug) for bug in BUGS if bug.shown is None] if exhibits else [],
        **_costs(found),
    }
    data = {
        "instances": told,
        "stages": stages.all,
        "runs": runs.all,
        "properties": ROWS,
        "devices": {each.device: _entry(find_device(each.device)) for each in instances},
        "guests": {each.guest: _entry(find_guest(each.guest)) for each in instances},
        "policies": {each.policy: _policy(each.policy) for each in instances},
    }
    return Written(page(words, data), len(runs.all))


# -- instances ---------------------------------------------------------------------------------------------------------
def _instance(checked: Checked, unexpected: list[str], stages: Pool, runs: Pool) -> dict[str, Any]:
    instance, outcome = checked.instance, checked.outcome
    cells = {row.property: expected.cell(row.verdict.word, *row.verdict.steps) for row in checked.rows}
    stated = {prop.name: prop for prop in properties(instance.machine, instance.system)}
    rows = []
    for row in checked.rows:
        told: dict[str, Any] = {"property": row.property, "name": row.name, "cell": cells[row.property]}
        match row.verdict:
            case Proved(how):
                told["said"] = f"Proved: {how}."
            case Open(reason, depth):
                told["said"] = f"Open to depth {depth}: {reason}."
            case Refuted(trace, shortest):
                played = scene(instance.system, stated[row.name], trace)
                told |= {"said": played.headline, "wakers": played.wakers, "shortest": shortest}
                told |= {"cause": played.cause.text, "causing": played.cause.steps}
                told |= {"stage": stages.add(played.stage), "run": runs.add(played.run)}
        rows.append(told)
    return {
        "device": instance.device,
        "guest": instance.guest,
        "policy": instance.policy,
        "word": expected.word(cells),
        "rows": rows,
        "unexpected": unexpected,
        "states": outcome.states,
        "depth": outcome.depth,
        "engine": outcome.engine,
    }


def _polling(found: Iterable[Checked]) -> list[str]:
    return list(dict.fromkeys(c.instance.device for c in found if c.instance.choices.poll == YES))


def counts(found: Sequence[Checked]) -> str:
    """Returns a sentence: the number of instances, and of verdicts of every kind."""
    verdicts = [row.verdict.word for checked in found for row in checked.rows]
    counted = ", ".join(f"{verdicts.count(each)} {each}" for each in ("proved", "refuted", "open") if each in verdicts)
    return f"{len(found)} instance{'s' * (len(found) != 1)}, {len(verdicts)} verdicts: {counted}"


def _tables(found: Sequence[Checked], told: dict[str, dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Returns a table for every device and guest: a line for every policy, a column for every shape."""
    pairs = dict.fromkeys((c.instance.device, c.instance.guest, _overrides(c.instance)) for c in found)
    for pair in pairs:
        here = [c.instance for c in found if (c.instance.device, c.instance.guest, _overrides(c.instance)) == pair]
        shapes = list(dict.fromkeys(each.shape for each in here))
        lines: dict[str, dict[tuple[int, int, int], Any]] = {}
        for instance in here:
            this = told[instance.name]
            lines.setdefault(instance.policy, {})[instance.shape] = _cell(instance, this["word"], this["unexpected"])
        device, guest, overrides = pair
        rows = [(policy, [cells.get(shape) for shape in shapes]) for policy, cells in lines.items()]
        yield {"device": device, "guest": guest, "overrides": overrides, "shapes": shapes, "rows": rows}


def _cell(instance: Instance, said: str, unexpected: Sequence[str] = (), row: str = "") -> dict[str, Any]:
    """Returns a linked verdict: its text, kind, target, and whether it is as expected."""
    kind = said.split(" ")[0].lower()
    return {"name": instance.name, "row": row, "word": said, "kind": kind, "unexpected": bool(unexpected)}


def _overrides(instance: Instance) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(instance.overrides.items()))


def _entry(entry: Device | Guest) -> dict[str, Any]:
    return {"doc": entry.doc, "source": pieces(entry.source), "assumes": entry.assumes}


def _policy(name: str) -> dict[str, Any]:
    policy = find_policy(name)
    return {"doc": policy.doc, "source": pieces(policy.source), "assumes": ""}


# -- the museum --------------------------------------------------------------------------------------------------------
def _bug(bug: Bug) -> dict[str, Any]:
    return {
        "name": bug.name,
        "happened": bug.happened,
        "where": pieces(bug.where),
        "mended": bug.mended,
        "needs": bug.needs,
    }


def _exhibit(each: Exhibit, told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return _bug(each.bug) | {
        "variant": each.shown.variant.name,
        "fix": each.shown.fix.name,
        "refutes": each.shown.refutes,
        "assumes": each.shown.assumes,
        "variants": [(c.instance.shape, _failing(c, each.shown.refutes)) for c in each.variants],
        "fixes": [(c.instance.shape, _holding(c)) for c in each.fixes],
        "unexpected": [f"{finding.instance}: {finding.message}" for finding in each.findings],
    }


def _failing(checked: Checked, name: str) -> dict[str, Any]:
    """Returns how a variant fails the property that its bug violates."""
    verdict = next(row.verdict for row in checked.rows if row.property == name)
    return _cell(checked.instance, expected.cell(verdict.word, *verdict.steps), row=name)


def _holding(checked: Checked) -> dict[str, Any]:
    """Returns whether a fix has all required properties."""
    words = {row.verdict.word for row in checked.rows}
    return _cell(checked.instance, next((each for each in ("refuted", "open") if each in words), "proved"))


# -- recorded costs ----------------------------------------------------------------------------------------------------
def _costs(found: Iterable[Checked]) -> dict[str, Any]:
    """Returns the recorded costs and measurements of the instances on the page."""
    shown = {(c.instance.device, c.instance.guest, c.instance.policy) for c in found}
    folder = Path(str(files("uncork_properties"))) / "recorded"
    exact = [row for row in costs.load(folder / "costs.csv") if _design(row["instance"]) in shown]
    simulated = [
        row[1:]
        for row in measured.recorded(folder / "measured.csv")
        if row[0] == f"{SPREAD:g}" and _design(row[1]) in shown
    ]
    rates = [_number(row[2]) for row in simulated]
    return {
        "cost_heads": costs.HEADS,
        "cost_legend": costs.LEGEND,
        "costs": exact,
        "measured_heads": measured.HEADS,
        "measured_legend": measured.LEGEND.format(measured.RUNS),
        "measured": [
            (row, None if rate is None else round(100 * rate / (max(filter(None, rates), default=0) or 1), 1))
            for row, rate in zip(simulated, rates, strict=True)
        ],
    }


def _design(name: str) -> tuple[str, str, str]:
    instance = from_name(name)
    return instance.device, instance.guest, instance.policy


def _number(cell: str) -> float | None:
    try:
        return float(cell.split(" ")[0])
    except ValueError:
        return None
