"""The expected verdicts as data: one line an instance, in a CSV file that people and `uncork check` read.

A property's cell is `proved`, `refuted` or `refuted STEM+LOOP` (the steps before the loop and in it), or empty for no
expectation; `states` and `depth` may be empty too. `unreached` names the covers that no run reaches, joined by `;`.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from uncork_nvme.choices import ChoiceError, parse
from uncork_nvme.instance import Instance, InstanceError

from uncork_properties.catalogue import ROWS

COLUMNS = [
    *("device", "guest", "policy", "sqs", "sq_size", "cq_size", "overrides"),
    *(*ROWS, "states", "depth", "unreached"),
]
_INSTANCE = 7


@dataclass(frozen=True)
class Expected:
    """What one instance is expected to give; a verdict is `proved`, `refuted` or `refuted STEM+LOOP`."""

    verdicts: Mapping[str, str]
    states: int | None
    depth: int | None
    unreached: frozenset[str]

    @property
    def by_verdict(self) -> Expected:
        """The same without what depends on which states are told apart: counts, and the lengths of loops."""
        return Expected({row: each.split(" ")[0] for row, each in self.verdicts.items()}, None, None, self.unreached)


class ExpectationError(ValueError):
    """A file of expectations cannot be read; the message names the file and the line."""


def default(name: str = "expected.csv") -> dict[str, tuple[Instance, Expected]]:
    """The default matrix with its expectations, by instance name; or the deep one, `deep.csv`."""
    return _read(files("uncork_properties").joinpath(name).read_text(), name)


RECORDED = ("field.csv", "lifecycle.csv", "second-sq.csv", "memory.csv", "hand-over.csv", "expected.csv")
"""The files of verdicts that are looked up by name; where an instance stands in several, the last one counts."""


def recorded() -> dict[str, tuple[Instance, Expected]]:
    """All that is expected of any instance, by its name."""
    return {name: each for file in RECORDED for name, each in default(file).items()}


def load(path: str) -> dict[str, tuple[Instance, Expected]]:
    """A file of expectations, by instance name; raises `ExpectationError`."""
    try:
        return _read(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise ExpectationError(f"{path}: {error}") from None


def _read(content: str, path: str) -> dict[str, tuple[Instance, Expected]]:
    reader = csv.DictReader(content.splitlines())
    unknown = [name for name in reader.fieldnames or [] if name not in COLUMNS]
    missing = [name for name in COLUMNS[: _INSTANCE - 1] if name not in (reader.fieldnames or [])]
    if unknown or missing:
        wrong = f"unknown column {unknown[0]!r}" if unknown else f"no column {missing[0]!r}"
        raise ExpectationError(f"{path}:1: {wrong}; the columns are {','.join(COLUMNS)}")
    found: dict[str, tuple[Instance, Expected]] = {}
    for line in reader:
        try:
            instance, expected = _instance(line), _expected(line)
        except (InstanceError, ChoiceError, ValueError) as error:
            raise ExpectationError(f"{path}:{reader.line_num}: {error}") from None
        if instance.name in found:
            raise ExpectationError(f"{path}:{reader.line_num}: {instance.name} has a line already")
        found[instance.name] = instance, expected
    return found


def _instance(line: Mapping[str, str]) -> Instance:
    overrides = dict(parse(each) for each in (line.get("overrides") or "").split(";") if each)
    sqs, sq_size, cq_size = (int(line[name]) for name in ("sqs", "sq_size", "cq_size"))
    return Instance(line["device"], line["guest"], line["policy"], sqs, sq_size, cq_size, overrides)


def _expected(line: Mapping[str, str]) -> Expected:
    verdicts = {row: cell for row in ROWS if (cell := (line.get(row) or "").strip())}
    for row, cell in verdicts.items():
        if cell.split(" ")[0] not in ("proved", "refuted"):
            raise ValueError(f"{row} is {cell!r}: write proved, refuted, refuted STEM+LOOP, or nothing")
    states, depth = (int(line[name]) if line.get(name) else None for name in ("states", "depth"))
    return Expected(verdicts, states, depth, frozenset(filter(None, (line.get("unreached") or "").split(";"))))


def cell(verdict: str, trace_steps: int | None, loop_steps: int | None) -> str:
    """How a verdict stands in the file."""
    if verdict != "refuted" or trace_steps is None or loop_steps is None:
        return verdict
    return f"refuted {trace_steps - loop_steps}+{loop_steps}"


def word(cells: Mapping[str, str]) -> str:
    """One word for an instance's verdicts, and the number of steps that show it.

    `UNSAFE`; `HANGS` if an SQ can stay corked or the queues do not drain; `starves` if only progress fails; `live` if
    all is proved; `open` if that is not known.
    """
    for rows, name in ((("safety",), "UNSAFE"), (("drains", "uncorked"), "HANGS"), (("progress",), "starves")):
        refuted = [cells[row] for row in rows if cells.get(row, "").startswith("refuted")]
        if refuted:
            steps = min(sum(map(int, c.split(" ")[1].split("+"))) if " " in c else 0 for c in refuted)
            return f"{name} {steps}" if steps else name
    return "live" if all(c == "proved" for c in cells.values()) else "open"


def lines(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The lines that record what `uncork check --json` printed as expected; open rows expect nothing.

    Nor is anything expected of the counts of a search that did not end.
    """
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        overrides = ";".join(f"{name}={value}" for name, value in row["overrides"].items())
        key = [*(str(row[name]) for name in COLUMNS[: _INSTANCE - 1]), overrides]
        line = found.setdefault("/".join(key), dict(zip(COLUMNS[:_INSTANCE], key, strict=True)))
        if row["verdict"] != "open":
            line[row["property"]] = cell(row["verdict"], row["trace_steps"], row["loop_steps"])
            if row["unreached"] is not None:
                line |= {"states": str(row["states"]), "depth": str(row["depth"])}
                line["unreached"] = ";".join(row["unreached"])
    return list(found.values())


def dumps(recorded: Iterable[Mapping[str, str]]) -> str:
    """Lines as the file has them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(recorded)
    return text.getvalue()


if __name__ == "__main__":
    sys.stdout.write(dumps(lines(json.load(sys.stdin))))
