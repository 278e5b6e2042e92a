"""The expected verdicts as data: one line an instance, in a CSV file that people and `uncork check` read.

A property's cell is `proved`, `refuted` or `refuted STEM+LOOP` (the steps before and in the loop). A cell is `open` if
safety is refuted, because the search ends there. Empty cells are not compared; of `states` and `depth` the same holds.
`unreached` names the covers that no run reaches, joined by `;`: all other covers have to be reached.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from uncork.core.frozen import frozen
from uncork.core.numbers import whole
from uncork.core.sorts import did_you_mean
from uncork_nvme.choices import parse_all
from uncork_nvme.instance import Instance, find_policy

from uncork_properties.catalogue import COVERS, ROWS

COLUMNS = [
    *("device", "guest", "policy", "sqs", "sq_size", "cq_size", "overrides"),
    *(*ROWS, "states", "depth", "unreached"),
]
_HERE = Path(__file__).parent / "recorded"
_INSTANCE = 7
_MADE_OF = COLUMNS[: _INSTANCE - 1]
"""The columns of an instance, without its overrides."""
OPEN = "open"
_VERDICT = re.compile(rf"proved|{OPEN}|refuted( (0|[1-9][0-9]*)\+(0|[1-9][0-9]*))?")


@frozen
class Expected:
    """The expected verdicts of an instance, by property; `where` is the file and line."""

    verdicts: Mapping[str, str]
    states: int | None
    depth: int | None
    unreached: frozenset[str]
    where: str = ""

    @property
    def by_verdict(self) -> Expected:
        """The same without counts and lengths of loops, which depend on how states are merged."""
        verdicts = {row: each.split(" ")[0] for row, each in self.verdicts.items()}
        return replace(self, verdicts=verdicts, states=None, depth=None)


class ExpectationError(ValueError):
    """An unreadable file of expectations; the message names the file and the line."""


def default(name: str = "expected.csv", of: Collection[Instance] | None = None) -> dict[str, tuple[Instance, Expected]]:
    """The expectations of a recorded file (default: of the default matrix), by instance name.

    If `of` is given, lines for other instances are skipped.
    """
    only = None if of is None else {tuple(str(getattr(each, name)) for name in _MADE_OF) for each in of}
    return _read((_HERE / name).read_text(encoding="utf-8"), name, only)


RECORDED = ("field.csv", "lifecycle.csv", "second-sq.csv", "memory.csv", "arm.csv", "hand-over.csv", "expected.csv")
"""The files in which an instance's verdicts are looked up; if several have the instance, the last file counts."""


def recorded(of: Collection[Instance] | None = None) -> dict[str, tuple[Instance, Expected]]:
    """The expectations of all recorded instances, or only `of` some, by name."""
    return {name: each for file in RECORDED for name, each in default(file, of).items()}


def load(path: str) -> dict[str, tuple[Instance, Expected]]:
    """Reads expectations, by instance name; raises `ExpectationError`. Skips the byte-order mark of spreadsheets."""
    try:
        content = Path(path).read_bytes()
        found = _read(content.decode("utf-8-sig"), path)
    except OSError as error:
        raise ExpectationError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ExpectationError(f"{path}:{line}: this is not UTF-8: save it as CSV in UTF-8, with commas") from None
    for instance, expected in found.values():
        try:
            _ = instance.choices
            if ":" not in instance.policy:  # a file of the user's is run when it is checked
                find_policy(instance.policy)
        except ValueError as error:
            raise ExpectationError(f"{expected.where}: {error}") from None
    return found


def _read(
    content: str, path: str, only: Collection[tuple[str, ...]] | None = None
) -> dict[str, tuple[Instance, Expected]]:
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    found: dict[str, tuple[Instance, Expected]] = {}
    header: list[str] = []
    line = 1
    try:
        for row in reader:
            if header and only is not None and tuple(row[: len(_MADE_OF)]) not in only:
                continue
            cells = [each.strip() for each in row]
            if cells and not header:
                header = _header(cells)
            elif cells:
                instance, expected = _line(header, cells, f"{path}:{line}")
                if instance.name in found:
                    raise ValueError(f"{instance.name} has a line already, {found[instance.name][1].where}")
                found[instance.name] = instance, expected
            line = reader.line_num + 1
        if not found and only is None:
            raise ValueError("nothing is expected: write a header, and a line for each instance to check")
    except csv.Error as error:
        raise ExpectationError(f"{path}:{line}: not CSV, is each quote closed? {error}") from None
    except ValueError as error:
        raise ExpectationError(f"{path}:{line}: {error}") from None
    return found


def _header(cells: list[str]) -> list[str]:
    for name in cells:
        if name not in COLUMNS:
            raise ValueError(f"unknown column {name!r}; the columns are {','.join(COLUMNS)}")
        if cells.count(name) > 1:
            raise ValueError(f"two columns are called {name}: leave one of them out")
    for name in _MADE_OF:
        if name not in cells:
            raise ValueError(f"no column {name!r}; the columns are {','.join(COLUMNS)}")
    return cells


def _line(header: list[str], cells: list[str], where: str) -> tuple[Instance, Expected]:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells under {len(header)} columns: write as many, also if they are empty")
    if any("\0" in each for each in cells):
        raise ValueError("there is a NUL in it: save it as CSV in UTF-8, with commas")
    line = dict(zip(header, cells, strict=True))
    sqs, sq_size, cq_size = (_number(line, name) for name in ("sqs", "sq_size", "cq_size"))
    overrides = parse_all(_parts(line, "overrides"))
    instance = Instance(line["device"], line["guest"], line["policy"], sqs, sq_size, cq_size, overrides)
    return instance, _expected(line, where)


def _expected(line: Mapping[str, str], where: str) -> Expected:
    verdicts = {row: line[row] for row in ROWS if line.get(row)}
    for row, each in verdicts.items():
        if not _VERDICT.fullmatch(each):
            raise ValueError(
                f"{row} is {each!r}: write proved, refuted, refuted STEM+LOOP such as refuted 28+0, or nothing"
            )
        if each == OPEN and not verdicts.get("safety", "").startswith("refuted"):
            raise ValueError(f"{row} is open: it can only be where safety is refuted, at which the search ends")
    if not verdicts:
        raise ValueError(f"nothing is expected: write proved or refuted under one of {', '.join(ROWS)}")
    unreached = _parts(line, "unreached")
    for name in unreached:
        if name not in COVERS:
            raise ValueError(f"there is no cover {name!r}{did_you_mean(name, COVERS)}")
    states, depth = (_number(line, name) if line.get(name) else None for name in ("states", "depth"))
    return Expected(verdicts, states, depth, frozenset(unreached), where)


def _number(line: Mapping[str, str], name: str) -> int:
    try:
        number = whole(line[name])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if number < 0:
        raise ValueError(f"{name} is {number}: it cannot be less than 0")
    return number


def _parts(line: Mapping[str, str], name: str) -> list[str]:
    return line[name].split(";") if line.get(name) else []


def cell(verdict: str, trace_steps: int | None, loop_steps: int | None) -> str:
    """The cell of a verdict in the file."""
    if verdict != "refuted" or trace_steps is None or loop_steps is None:
        return verdict
    return f"refuted {trace_steps - loop_steps}+{loop_steps}"


def word(cells: Mapping[str, str]) -> str:
    """One word for an instance's verdicts, and the number of steps of the refuting run.

    `UNSAFE`; `HANGS` if an SQ can stay corked or the queues never drain; `starves` if only progress fails; `fails` if
    only another property does; `live` if everything is proved; `open` otherwise.
    """
    row = deciding(cells)
    if row is None:
        return "live" if all(c == "proved" for c in cells.values()) else "open"
    steps = _steps(cells[row])
    name = _WORDS.get(row, "fails")
    return f"{name} {steps}" if steps else name


_WORDS = {"safety": "UNSAFE", "drains": "HANGS", "uncorked": "HANGS", "progress": "starves"}


def deciding(cells: Mapping[str, str]) -> str | None:
    """The refuted property that `word` speaks of: of the worst kind, the one with the shortest run; None if none is."""
    for rows in (("safety",), ("uncorked", "drains"), ("progress",), tuple(cells)):
        if refuted := [row for row in rows if cells.get(row, "").startswith("refuted")]:
            return min(refuted, key=lambda row: _steps(cells[row]))
    return None


def _steps(refuted: str) -> int:
    """The number of steps of a refuted cell; 0 if it has none."""
    return sum(map(int, refuted.split(" ")[1].split("+"))) if " " in refuted else 0


def lines(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The lines that record the rows of `uncork check --json` as expectations.

    Open rows are left out unless safety is refuted, and so are the counts of a search that did not end.
    """
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        overrides = ";".join(f"{name}={value}" for name, value in row["overrides"].items())
        key = [*(str(row[name]) for name in _MADE_OF), overrides]
        line = found.setdefault("/".join(key), dict(zip(COLUMNS[:_INSTANCE], key, strict=True)))
        if row["verdict"] != "open":
            line[row["property"]] = cell(row["verdict"], row["trace_steps"], row["loop_steps"])
            if row["unreached"] is not None:
                line |= {"states": str(row["states"]), "depth": str(row["depth"])}
                line["unreached"] = ";".join(row["unreached"])
        elif line.get("safety", "").startswith("refuted"):
            line[row["property"]] = OPEN
    return list(found.values())


def dumps(recorded: Iterable[Mapping[str, str]]) -> str:
    """The text of the file with these lines."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(recorded)
    return text.getvalue()


if __name__ == "__main__":
    import json

    sys.stdout.write(dumps(lines(json.load(sys.stdin))))
