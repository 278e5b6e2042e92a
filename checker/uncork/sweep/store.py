"""The SQLite file of a sweep: the verdicts on every system.

An instance is committed with all its verdicts when its search ends. The key of a system is its fingerprint: a changed
policy or device is another system, and instances that differ only in name are one. docs/scale.md has the tables.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import click
from uncork_nvme.instance import Instance, InstanceError
from uncork_properties.catalogue import ROWS
from uncork_properties.expected import cell, deciding

from uncork import __version__
from uncork.core import jsontext
from uncork.core.trace import Trace
from uncork.core.verdict import Open, Proved, Refuted, Verdict
from uncork.decide.many import fingerprint
from uncork.decide.one import Checked, Row
from uncork.engines import Budget
from uncork.render import itf

_OURS, _FORM = 0x756E636B, 1
"""Marks of the file: SQLite's application_id (`unck`), and user_version, the format of its tables."""

_OPENS, _COMMITS = 3, 60
"""Seconds to wait for a file locked by another program: before any work, and after a search."""

_VERDICTS = ("open", "proved", "refuted")
"""Verdicts in increasing order of weight."""

WORKER = "worker"
"""The value of `ran_out` if the worker process died."""
_EFFORT = "effort"

_TABLES = """
CREATE TABLE IF NOT EXISTS instances (
    name TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,  -- of its system, when it was last asked about
    device TEXT NOT NULL, guest TEXT NOT NULL, policy TEXT NOT NULL,
    sqs INTEGER NOT NULL, sq_size INTEGER NOT NULL, cq_size INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,  -- of the system that was searched
    instance TEXT NOT NULL,     -- a name of it
    engine TEXT NOT NULL,
    version TEXT NOT NULL,      -- of uncork
    ended TEXT NOT NULL,        -- when, UTC
    seconds REAL NOT NULL,
    states INTEGER NOT NULL, transitions INTEGER NOT NULL, depth INTEGER NOT NULL,
    unreached TEXT,             -- covers that no run reaches, a JSON list; NULL where the search did not end
    ran_out TEXT,               -- states, memory, seconds, effort or worker; NULL if nothing is open
    budget REAL,                -- how much there was of that: states, bytes, seconds; for worker, how often it died
    contradictions TEXT         -- what engines said of each other (--engine all), a JSON list
);
CREATE INDEX IF NOT EXISTS runs_of_a_system ON runs (fingerprint);
CREATE TABLE IF NOT EXISTS verdicts (
    run INTEGER NOT NULL REFERENCES runs (id),
    property TEXT NOT NULL,
    name TEXT NOT NULL,         -- the one that decided it: uncorked SQ1
    verdict TEXT NOT NULL CHECK (verdict IN ('proved', 'refuted', 'open')),
    reason TEXT,                -- how it is proved, or why it is open
    steps INTEGER, loop INTEGER,  -- of the counterexample, the loop included; and in the loop
    shortest INTEGER,           -- whether it is known to be a shortest one
    trace BLOB,                 -- the counterexample, ITF in gzip
    PRIMARY KEY (run, property)
);
CREATE VIEW IF NOT EXISTS results AS
    SELECT instances.name AS instance, instances.fingerprint, property, verdict, reason, steps, loop, states, depth,
           seconds, engine, version, ended, device, guest, policy, sqs, sq_size, cq_size
    FROM instances JOIN runs USING (fingerprint) JOIN verdicts ON verdicts.run = runs.id;
"""


@dataclass(frozen=True)
class StoredVerdict:
    """A verdict in the file, with the run that found it."""

    run: int
    instance: str
    engine: str
    version: str
    ended: str
    seconds: float
    states: int
    depth: int
    unreached: tuple[str, ...] | None
    ran_out: str | None
    budget: float | None
    contradictions: tuple[str, ...]
    row: str
    name: str
    verdict: str
    reason: str | None
    steps: int | None
    loop: int | None
    shortest: bool

    @property
    def decided(self) -> bool:
        """Whether the verdict is proved or refuted."""
        return self.verdict != "open"

    def might_go_further(self, budget: Budget) -> bool:
        """Returns whether a repeated search may get further: this budget has more of what ran out."""
        if self.ran_out is None or self.budget is None:
            return False
        if self.ran_out == WORKER:
            return True
        if self.ran_out == _EFFORT:  # a time limit replaces the effort limit
            return budget.seconds is not None
        now: float | None = getattr(budget, self.ran_out)
        return now is None or now > self.budget


class Store:
    """An open file of verdicts. Errors of the file are raised as `click.FileError`."""

    def __init__(self, path: str, *, create: bool = True) -> None:
        """Opens a file; creates a missing file if `create` is set."""
        self.path = path
        if not create and not os.path.isfile(path):
            raise click.FileError(path, "there is no such file: uncork sweep makes one")
        with self._told():
            self._base = sqlite3.connect(os.path.abspath(path), timeout=_OPENS)
            self._base.row_factory = sqlite3.Row
            with contextlib.closing(self._base.cursor()) as cursor:
                # In this order: another sweep may be creating the tables at this moment.
                tables, mark, form = (
                    cursor.execute(each).fetchone()[0]
                    for each in ("SELECT count(*) FROM sqlite_master", "PRAGMA application_id", "PRAGMA user_version")
                )
                if mark == 0 and tables == 0:
                    if not create:
                        raise click.FileError(path, "it is empty: uncork sweep has written nothing there")
                    marks = f"PRAGMA application_id = {_OURS}; PRAGMA user_version = {_FORM};"
                    cursor.executescript(f"BEGIN IMMEDIATE; {_TABLES} {marks} COMMIT;")
                elif mark != _OURS:
                    raise click.FileError(path, "a database, but none of uncork sweep")
                elif form != _FORM:
                    raise click.FileError(path, f"of another version of uncork: its form is {form}, here it is {_FORM}")
                wrong = cursor.execute("PRAGMA quick_check(1)").fetchone()[0]
                if wrong != "ok":
                    raise click.FileError(path, f"damaged: {' '.join(wrong.split())}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise click.FileError(self.path, str(error)) from None

    def name(self, instances: Sequence[Instance], fingerprints: Sequence[str]) -> None:
        """Records the system of every instance. From then on, writing waits longer for other programs."""
        lines = [
            (i.name, mark, i.device, i.guest, i.policy, i.sqs, i.sq_size, i.cq_size)
            for i, mark in zip(instances, fingerprints, strict=True)
        ]
        with self._told(), self._base:
            self._base.executemany("INSERT OR REPLACE INTO instances VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lines)
        with self._told():
            self._base.execute(f"PRAGMA busy_timeout = {_COMMITS * 1000}")

    def known(self, fingerprint: str) -> list[StoredVerdict]:
        """Returns all verdicts on a system, newest run last."""
        with self._told():
            lines = self._base.execute(
                "SELECT id AS run, instance, engine, version, ended, seconds, states, depth, unreached, ran_out, "
                "budget, contradictions, property AS row, name, verdict, reason, steps, loop, shortest "
                "FROM runs JOIN verdicts ON run = id WHERE fingerprint = ? ORDER BY id",
                (fingerprint,),
            ).fetchall()
        try:
            return [_found(dict(line)) for line in lines]
        except ValueError as error:
            raise click.FileError(self.path, f"damaged: {error}") from None

    def record(self, fingerprint: str, checked: Checked, engine: str, budget: Budget) -> None:
        """Commits the result of a search."""
        outcome = checked.outcome
        ran_out, amount = _ran_out(checked, engine, budget)
        run = {
            "fingerprint": fingerprint,
            "instance": checked.instance.name,
            "engine": engine,
            "seconds": round(outcome.seconds, 3),
            "states": outcome.states,
            "transitions": outcome.transitions,
            "depth": outcome.depth,
            "unreached": None if outcome.unreached is None else json.dumps(outcome.unreached),
            "ran_out": ran_out,
            "budget": amount,
            "contradictions": json.dumps(checked.disagreements),
        }
        self._commit(run, [_line(checked.instance, row) for row in checked.rows])

    def lost(self, fingerprint: str, instance: Instance, rows: Sequence[str], engine: str, deaths: int) -> None:
        """Commits that the worker of a search died every time."""
        run = {
            **{"fingerprint": fingerprint, "instance": instance.name, "engine": engine, "seconds": 0.0},
            **{"states": 0, "transitions": 0, "depth": 0, "ran_out": WORKER, "budget": deaths},
        }
        reason = f"its worker died {deaths} times" if deaths > 1 else "its worker died"
        self._commit(run, [(row, row, "open", reason, None, None, None, None) for row in rows])

    def _commit(self, run: Mapping[str, Any], lines: Sequence[tuple[Any, ...]]) -> None:
        run = {**run, "version": __version__, "ended": datetime.now(UTC).isoformat(timespec="seconds")}
        columns, places = ", ".join(run), ", ".join(f":{name}" for name in run)
        with self._told(), self._base:
            number = self._base.execute(f"INSERT INTO runs ({columns}) VALUES ({places})", run).lastrowid
            self._base.executemany(
                "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(number, *line) for line in lines]
            )

    def trace(self, found: StoredVerdict) -> Trace:
        """Returns the stored counterexample of a verdict, not yet replayed."""
        with self._told():
            (blob,) = self._base.execute(
                "SELECT trace FROM verdicts WHERE run = ? AND property = ?", (found.run, found.row)
            ).fetchone()
        try:
            return itf.loads(gzip.decompress(blob).decode())[0]
        except (OSError, EOFError, zlib.error, TypeError, ValueError) as error:
            raise click.FileError(self.path, f"the counterexample of {found.instance} is damaged: {error}") from None


_TEXT, _NUMBER, _WHOLE = (str,), (int, float), (int,)
_NONE = (type(None),)
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("instance", "engine", "version", "ended", "row", "name", "verdict"), _TEXT),
    **dict.fromkeys(("ran_out", "reason", "unreached", "contradictions"), _TEXT + _NONE),
    **{"run": _WHOLE, "seconds": _NUMBER, "states": _WHOLE, "depth": _WHOLE, "budget": _NUMBER + _NONE},
    **dict.fromkeys(("steps", "loop", "shortest"), _WHOLE + _NONE),
}
"""The expected types of columns: SQLite stores any value in any column."""


def _found(line: dict[str, Any]) -> StoredVerdict:
    """Returns a line of the file. Raises `ValueError` for a value of the wrong type."""
    for name, kinds in _KINDS.items():
        if type(line[name]) not in kinds:
            raise ValueError(f"{name!r} of run {line['run']} is {line[name]!r:.60}")
    if line["verdict"] not in _VERDICTS or line["row"] not in ROWS:
        raise ValueError(f"run {line['run']} says {line['verdict']!r:.60} of {line['row']!r:.60}")
    if line["verdict"] == "refuted" and line["steps"] is None:
        raise ValueError(f"{line['row']} of run {line['run']} is refuted in no number of steps")
    unreached, contradictions = (_list(line, name) for name in ("unreached", "contradictions"))
    return StoredVerdict(**{**line, "unreached": unreached, "contradictions": contradictions or (),
                    "shortest": bool(line["shortest"])})  # fmt: skip


def best(known: Sequence[StoredVerdict]) -> dict[str, StoredVerdict]:
    """Returns the best verdict on every property: the shortest counterexample, else a proof, else an open one.

    Among equals, the newest.
    """

    def rank(found: StoredVerdict) -> tuple[int, int, int]:
        return _VERDICTS.index(found.verdict), -(found.steps or 0), found.run

    return {each.row: each for each in sorted(known, key=rank)}


def contradictions(known: Sequence[StoredVerdict]) -> Iterator[str]:
    """Yields contradictions between all verdicts on a system, as sentences."""
    for each in {each.run: each for each in known}.values():
        yield from each.contradictions
    decided = [each for each in known if each.decided]
    for index, one in enumerate(decided):
        for other in decided[index + 1 :]:
            both_shortest = one.shortest and other.shortest and _stem(one) != _stem(other)
            if one.row == other.row and (one.verdict != other.verdict or both_shortest):
                yield f"{one.row}: {_told(one)}, {_told(other)}"


def _stem(found: StoredVerdict) -> int:
    return (found.steps or 0) - (found.loop or 0)


def _told(found: StoredVerdict) -> str:
    length = f" {_stem(found)}+{found.loop}" if found.verdict == "refuted" else ""
    return f"{found.engine} of uncork {found.version} says {found.verdict}{length} (run {found.run})"


def _list(line: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    if line[name] is None:
        return None
    found = jsontext.loads(line[name])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"{name!r} of run {line['run']} is no list of texts")
    return tuple(found)


def _line(instance: Instance, row: Row) -> tuple[Any, ...]:
    verdict: Verdict = row.verdict
    steps, loop = verdict.steps
    reason, shortest, blob = None, None, None
    match verdict:
        case Proved(how):
            reason = how
        case Open(why):
            reason = why
        case Refuted(trace, is_shortest):
            shortest = is_shortest
            meta = {"instance": instance.name, "refutes": [row.name], "shortest": is_shortest}
            blob = gzip.compress(itf.dumps(trace, meta).encode(), mtime=0)
    return row.property, row.name, verdict.word, reason, steps, loop, shortest, blob


def _ran_out(checked: Checked, engine: str, budget: Budget) -> tuple[str | None, float | None]:
    """Returns what an open search ran out of, and how much of it the budget had; None twice if nothing is open."""
    outcome = checked.outcome
    if not any(isinstance(row.verdict, Open) for row in checked.rows):
        return None, None
    if budget.states is not None and outcome.states >= budget.states:
        return "states", budget.states
    if budget.seconds is not None and outcome.seconds >= budget.seconds:
        return "seconds", budget.seconds
    if engine in ("bmc", "induction"):
        return (_EFFORT, 0) if budget.seconds is None else ("seconds", budget.seconds)
    return "memory", budget.memory


def kept(db: str, instance: Instance, row: str | None) -> tuple[StoredVerdict, Trace] | str:
    """Returns an instance's counterexample in a sweep's file, or a sentence that says that there is none.

    Without a row it is the counterexample whose steps `uncork check` counts.
    """
    with Store(db, create=False) as store:
        found = best(store.known(fingerprint(instance)))
        asked = [found[each] for each in ([row] if row else ROWS) if each in found]
        if not asked:
            raise InstanceError(f"{db} knows nothing of {instance.name}{f': {row}' if row else ''} as it is now")
        name = deciding({each.row: cell(each.verdict, each.steps, each.loop) for each in asked})
        if name is not None:
            return found[name], store.trace(found[name])
    verdicts = ", ".join(f"{each.row} {each.verdict}" for each in asked)
    return f"{instance.name}: {db} has no counterexample: {verdicts}"
