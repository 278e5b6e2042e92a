"""Collects verdicts, counterexamples, the museum and recorded costs as data for the page of `uncork report`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from uncork_nvme.catalogue import POLLS, find_device, find_guest
from uncork_nvme.choices import YES
from uncork_nvme.device import Device, Guest
from uncork_nvme.instance import Instance, find_policy, from_name
from uncork_nvme.museum import BUGS, Bug
from uncork_nvme.shape import Shape
from uncork_properties import expected
from uncork_properties.catalogue import ROWS, properties
from uncork_properties.load import SPREAD

from uncork import __version__
from uncork.core.trace import Trace
from uncork.core.verdict import Open, Proved, Refuted
from uncork.cost import show as costs
from uncork.decide.gate import judge
from uncork.decide.one import Checked, Row
from uncork.engines import Outcome
from uncork.measure import show as measured
from uncork.museum.check import Exhibit
from uncork.render.html.scene import scene
from uncork.report import drawn, terms
from uncork.report.mended import KINDS, Mended
from uncork.report.mended import told as mending
from uncork.report.sources import pieces
from uncork.trace.runs import Stored


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
class Pools:
    """What many rows of a page share."""

    stages: Pool = field(default_factory=Pool)
    runs: Pool = field(default_factory=Pool)
    besides: Pool = field(default_factory=Pool)


@dataclass(frozen=True)
class Written:
    """A page, and the number of its counterexamples."""

    html: str
    runs: int


STORED = "stored run"
"""Stands for the engine of a verdict that comes from the file of a run: nothing was searched."""


def of_file(run: Stored) -> Checked:
    """Returns the verdicts that a stored run shows: the properties that it refutes, and no others."""
    rows = tuple(Row(prop.row, prop.name, Refuted(run.run, run.shortest)) for prop in run.refutes)
    return Checked(run.instance, rows, Outcome(STORED, (), None, 0, 0, len(run.run.steps), 0))


def write(found: Sequence[Checked], exhibits: Sequence[Exhibit]) -> Written:
    """Returns the page. Raises `ReplayError` if a counterexample does not replay."""
    from uncork.render.html.page import page  # jinja2

    recorded = expected.recorded()
    pools, mended = Pools(), Mended(found, exhibits)
    told: dict[str, dict[str, Any]] = {}
    shown = [*found, *(checked for each in exhibits for checked in (*each.variants, *each.fixes))]
    for checked in found:
        known = recorded.get(checked.instance.name)
        findings = [] if checked.outcome.engine == STORED else judge(checked, known[1] if known else None)
        said = [f"{finding.property or 'covers'}: {finding.message}" for finding in findings]
        told[checked.instance.name] = _instance(checked, said, pools, mended)
    for checked in shown[len(found) :]:
        if checked.instance.name not in told:
            told[checked.instance.name] = _instance(checked, [], pools, mended)
    instances = [checked.instance for checked in shown]
    blocks, alike = _blocks(found, told)
    words = {
        "version": __version__,
        "counts": counts(found),
        "blocks": blocks,
        "featured": _featured(found, told),
        "events": any(checked.instance.choices.events != "none" for checked in found),
        "polls": [POLLS.format(name) for name in _polling(found)],
        "terms": terms.TERMS,
        "exhibits": [_exhibit(each, told) for each in exhibits],
        "not_shown": [_bug(bug) for bug in BUGS if bug.shown is None] if exhibits else [],
        **_costs(found),
    }
    data = {
        "texts": _texts(told, pools),
        "instances": told,
        "alike": alike,
        "only": found[0].instance.name if len(found) == 1 and not exhibits else None,
        "stages": pools.stages.all,
        "runs": pools.runs.all,
        "besides": pools.besides.all,
        "kinds": KINDS,
        "properties": ROWS,
        "devices": {each.device: _entry(find_device(each.device)) for each in instances},
        "guests": {each.guest: _entry(find_guest(each.guest)) for each in instances},
        "policies": {each.policy: _policy(each.policy) for each in instances},
    }
    return Written(page(words, data), len(pools.runs.all))


def _texts(told: Mapping[str, dict[str, Any]], pools: Pools) -> list[str]:
    """Puts the number of a text in place of every sentence that many runs share, and returns the texts.

    These are a third of a page of the matrix.
    """
    texts = Pool()

    def numbered(step: Sequence[Any]) -> list[Any]:
        actor, action, did, changed = step
        return [actor, texts.add(action), texts.add(did), changed]

    for this in told.values():
        for row in this["rows"]:
            row |= {key: texts.add(row[key]) for key in ("said", "cause") if key in row}
    for stage in pools.stages.all:
        stage["variables"] = [[name, texts.add(doc)] for name, doc in stage["variables"]]
    for run in pools.runs.all:
        run["steps"] = list(map(numbered, run["steps"]))
    for each in pools.besides.all:
        each["why"] = texts.add(each["why"])
        each["rows"] = [
            [row[0], row[1], numbered(row[2])] if isinstance(row, list) and isinstance(row[2], list) else row
            for row in each["rows"]
        ]
    return texts.all


# -- instances ---------------------------------------------------------------------------------------------------------
def _instance(checked: Checked, unexpected: list[str], pools: Pools, mended: Mended) -> dict[str, Any]:
    instance, outcome = checked.instance, checked.outcome
    cells = {row.property: expected.cell(row.verdict.word, *row.verdict.steps) for row in checked.rows}
    stated = {prop.name: prop for prop in properties(instance.machine, instance.system)}
    rows: list[dict[str, Any]] = []
    for row in checked.rows:
        told: dict[str, Any] = {"property": row.property, "cell": cells[row.property]}
        match row.verdict:
            case Proved(how):
                told["said"] = f"Proved: {how}."
            case Open(reason, depth):
                told["said"] = f"Open to depth {depth}: {reason}."
            case Refuted(trace, shortest):
                played = scene(instance.system, stated[row.name], trace)
                stage = drawn.stage(instance)
                played.run["messages"] = {
                    number: [[kind, stage["actors"].index(to)] for kind, to in sent]
                    for number, sent in drawn.messages(instance, trace).items()
                }
                played.run["moves"] = drawn.moves(instance, trace)
                told |= {"name": row.name, "said": played.headline, "wakers": played.wakers}
                told |= {} if shortest else {"shortest": False}
                told |= {"cause": played.cause.text, "causing": played.cause.steps}
                told |= {"stage": pools.stages.add(stage), "run": pools.runs.add(played.run)}
                told |= _beside(instance, row.name, trace, mended, pools, rows, played.run["steps"], told["run"])
        rows.append(told)
    return {
        "device": instance.device,
        "guest": instance.guest,
        "policy": instance.policy,
        "word": expected.word(cells),
        "rows": rows,
        "unexpected": unexpected,
        "searched": _searched(outcome),
        **({"mended": other.name} if (other := mended.of(instance)) and any("beside" in row for row in rows) else {}),
    }


def _beside(
    instance: Instance,
    name: str,
    trace: Trace,
    mended: Mended,
    pools: Pools,
    rows: Sequence[dict[str, Any]],
    steps: Sequence[Sequence[Any]],
    run: int,
) -> dict[str, Any]:
    """Returns what stands beside a run; what stood there before if one of the `rows` before has the same run."""
    known = next((row for row in rows if row.get("run") == run and "beside" in row), None)
    if known:
        return {"beside": known["beside"]}
    other = mended.of(instance)
    found = mending(instance, name, trace, other, steps) if other else None
    if other is None or found is None:
        return {}
    found["stage"] = pools.stages.add(found["stage"])
    return {"beside": pools.besides.add(found)}


def _polling(found: Iterable[Checked]) -> list[str]:
    return list(dict.fromkeys(c.instance.device for c in found if c.instance.choices.poll == YES))


def counts(found: Sequence[Checked]) -> str:
    """Returns a sentence: the number of instances, and of verdicts of every kind."""
    verdicts = [row.verdict.word for checked in found for row in checked.rows]
    counted = ", ".join(f"{verdicts.count(each)} {each}" for each in ("proved", "refuted", "open") if each in verdicts)
    return f"{len(found)} instance{'s' * (len(found) != 1)}, {len(verdicts)} verdicts: {counted}"


def _searched(outcome: Outcome) -> str:
    if outcome.engine == STORED:
        return f"A stored run of {outcome.depth} steps, replayed; nothing was searched."
    return f"{outcome.states:,} states to depth {outcome.depth}, {outcome.engine} engine."


_GLYPHS = {"live": "✓", "hangs": "✗", "unsafe": "‼", "fails": "✗", "starves": "~", "open": "?"}
"""What stands for a verdict in the table; the number of steps follows."""


def _blocks(
    found: Sequence[Checked], told: Mapping[str, Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Returns the tables of verdicts, and the lists of instances that share a cell.

    A table has a line for every policy and a column for every shape. Policies with equal lines share a line, and
    devices and guests with equal tables share a table.
    """
    pairs: dict[tuple[str, str, str], list[Instance]] = {}
    for checked in found:
        each = checked.instance
        pairs.setdefault((each.device, each.guest, _overrides(each)), []).append(each)
    merged: dict[str, list[list[list[Instance]]]] = {}
    heads: dict[str, list[tuple[str, str, str]]] = {}
    shapes: dict[str, list[Shape]] = {}
    for pair, instances in pairs.items():
        columns = list(dict.fromkeys(each.shape for each in instances))
        lines = _lines(instances, columns, told)
        key = json.dumps([columns, [[[_shown(told, i) for i in row], [i.policy for i in row]] for row in lines]])
        merged.setdefault(key, []).append([list(row) for row in lines])
        heads.setdefault(key, []).append(pair)
        shapes[key] = columns
    alike: list[list[str]] = []
    blocks = []
    for key, tables in merged.items():
        rows = []
        for those in zip(*tables, strict=True):
            instances = [each for line in those for each in line]
            cells = []
            for shape in shapes[key]:
                here = [each for each in instances if each.shape == shape]
                cells.append(_merged_cell(here, told, alike) if here else None)
            policies = list(dict.fromkeys(each.policy for each in instances))
            rows.append({"policies": policies, "cells": cells, "find": " ".join(each.name for each in instances)})
        blocks.append({"pairs": _together(heads[key]), "shapes": shapes[key], "rows": rows})
    return blocks, alike


def _lines(
    instances: Sequence[Instance], shapes: Sequence[Shape], told: Mapping[str, Mapping[str, Any]]
) -> list[list[Instance]]:
    """Returns the instances of every line: those of one policy, or of several that have equal verdicts."""
    policies: dict[str, list[Instance]] = {}
    for each in instances:
        policies.setdefault(each.policy, []).append(each)
    lines: dict[str, list[Instance]] = {}
    for those in policies.values():
        by_shape = {each.shape: each for each in those}
        cells = [_shown(told, by_shape[shape]) if shape in by_shape else None for shape in shapes]
        lines.setdefault(json.dumps(cells), []).extend(those)
    return list(lines.values())


def _shown(told: Mapping[str, Mapping[str, Any]], instance: Instance) -> tuple[str, bool]:
    this = told[instance.name]
    return this["word"], bool(this["unexpected"])


def _together(pairs: Sequence[tuple[str, str, str]]) -> list[str]:
    """Returns the names of merged devices and guests: those of one guest together."""
    guests: dict[tuple[str, str], list[str]] = {}
    for device, guest, overrides in pairs:
        guests.setdefault((guest, overrides), []).append(device)
    return [
        f"{', '.join(devices)} · {guest}" + (f" · {overrides}" if overrides else "")
        for (guest, overrides), devices in guests.items()
    ]


def _merged_cell(
    instances: Sequence[Instance], told: Mapping[str, Mapping[str, Any]], alike: list[list[str]]
) -> dict[str, Any]:
    """Returns the cell of instances with the same verdict; it links to the first one."""
    if len(instances) > 1:
        alike.append([each.name for each in instances])
    this = told[instances[0].name]
    made = _cell(instances[0], this["word"], this["unexpected"], _row(this))
    steps = made["word"].partition(" ")[2]
    return made | {"glyph": _GLYPHS[made["kind"]] + steps, "more": len(instances) - 1}


def _row(this: Mapping[str, Any]) -> str:
    """Returns the property whose run has the number of steps that the word for the instance has."""
    for rows in (("safety",), ("drains", "uncorked"), ("progress",), tuple(row["property"] for row in this["rows"])):
        refuted = [row for row in this["rows"] if row["property"] in rows and row["cell"].startswith("refuted")]
        if refuted:
            return str(min(refuted, key=_steps)["property"])
    return ""


def _steps(row: Mapping[str, Any]) -> int:
    steps = row["cell"].partition(" ")[2]
    return sum(map(int, steps.split("+"))) if steps else 0


def _featured(found: Sequence[Checked], told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Returns the run that the first page shows: the shortest hang, and an unexpected one before others."""
    hangs = [c.instance for c in found if told[c.instance.name]["word"].startswith(("HANGS", "UNSAFE", "fails"))]
    hangs = hangs or [c.instance for c in found if told[c.instance.name]["word"].startswith("starves")]
    if not hangs:
        return None

    def rank(instance: Instance) -> tuple[bool, int]:
        this = told[instance.name]
        row = next(row for row in this["rows"] if row["property"] == _row(this))
        return not this["unexpected"], _steps(row)

    first = min(hangs, key=rank)
    this = told[first.name]
    row = next(row for row in this["rows"] if row["property"] == _row(this))
    return _cell(first, this["word"], this["unexpected"], row["property"]) | {
        "said": row["cause"],
        "steps": _steps(row),
        "of": first.shape,
    }


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
