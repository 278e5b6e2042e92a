"""The table of docs/validate.md: how many logs are rejected after a small change, from changed-logs.csv."""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from uncork.core.trace import replay
from uncork.logs import LogError, Seen
from uncork.logs.read import read
from uncork.validate import follow
from uncork_nvme.observe import LOOK

from pages import DOCS, RECORDED, readme
from pages.logs.changes import Changed, Source, changes, sources

MARKS = ("<!-- changed logs: generated -->", "<!-- end of changed logs -->")
KINDS = {
    "change": "a value changed",
    "drop": "an event left out",
    "swap": "two neighbours swapped",
    "cut": "the end cut off",
}
REJECTED, OPEN = "rejected", "open"
WHY = {
    "end": "almost nothing follows the event (three events at most) that could contradict it",
    "value": "another run has this value there",
    "unlogged": "the log need not show the event",
    "without": "another run does without the step",
    "apart": "the two steps are of different actors, and neither sees what the other does",
    "same": "another run has the two steps in this order",
    "prefix": "the beginning of a run is a run",
    "short": "the beginning is too short to say of which queue it is, so it is no log",
}
"""Why a changed log is not rejected: it is a run all the same, but for the last."""

_MOST = 20_000
"""The most states that are followed."""


def outcome(source: Source, changed: Changed) -> str:
    """Returns whether a changed log is rejected or open; of one that is a run, why. The run is replayed."""
    kind, at, lines = changed
    try:
        log = read(iter(lines), source.format)
        follow.check(source.instance, log)
    except LogError:
        return "short" if kind == "cut" else REJECTED
    aimed = follow.has_many(source.instance)
    found = follow.follow(source.instance, log, aimed=aimed, most=_MOST)
    if not found.fits:
        return OPEN if found.crowd or found.unsure else REJECTED
    replay(source.instance.system, found.follower.run())
    return _why(source, found.reader, kind, at)


def _why(source: Source, reader: follow.Reader, kind: str, at: int) -> str:
    if kind == "cut":
        return "prefix"
    here = [seen for seen in source.log.events if seen.line == at + 1]
    after = source.places[source.places.index(at) + 1 :]
    if kind == "drop" and all(seen.event == LOOK or reader.actions(seen) <= _unlogged(source, reader) for seen in here):
        return "unlogged"
    if len(after) <= 3:
        return "end"
    if kind != "swap":
        return "value" if kind == "change" else "without"
    then = [seen for seen in source.log.events if seen.line == after[0] + 1]
    return "apart" if not _actors(reader, here) & _actors(reader, then) else "same"


def _unlogged(source: Source, reader: follow.Reader) -> frozenset[str]:
    return reader.unseen(source.log.header.always)


def _actors(reader: follow.Reader, events: Iterable[Seen]) -> set[str]:
    names = {name for seen in events for name in reader.actions(seen)}
    return {action.actor for action in reader.system.actions if action.name in names}


Row: TypeAlias = "tuple[str, str, str, int]"
"""A kind of log, a kind of change, what came of it, and how often."""


def found(of: Iterable[Source]) -> list[Row]:
    """Returns what comes of changes, counted."""
    counts, kinds = Counter[tuple[str, str, str]](), dict[str, int]()
    for place, source in enumerate(of):
        kinds.setdefault(source.kind, place)
        counts.update(found_of(place, source))
    return [(*key, number) for key, number in sorted(counts.items(), key=lambda each: (kinds[each[0][0]], each[0]))]


def found_of(place: int, source: Source) -> Counter[tuple[str, str, str]]:
    """Returns what comes of changes of one log, counted. They are drawn anew for each, from its place."""
    counts = Counter({(source.kind, "", "logs"): 1, (source.kind, "", "events"): len(source.places)})
    for changed in changes(source, random.Random(place), source.changes):
        counts[source.kind, changed[0], outcome(source, changed)] += 1
    return counts


def recorded(path: Path) -> list[Row]:
    """Returns the rows on file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(kind, change, what, int(number)) for kind, change, what, number in list(csv.reader(file))[1:]]


def page(rows: Sequence[Row]) -> str:
    """Returns the mutation scores in Markdown, and why the changed logs that are accepted are runs."""
    kinds = list(dict.fromkeys(kind for kind, *_ in rows))
    counts = {(kind, change, what): number for kind, change, what, number in rows}
    table = [
        [
            kind,
            f"{counts[kind, '', 'logs']:,}",
            f"{counts[kind, '', 'events']:,}",
            *(_score([row for row in rows if row[:2] == (kind, change)]) for change in KINDS),
        ]
        for kind in kinds
    ]
    every = [_score([row for row in rows if row[1] == change]) for change in KINDS]
    table.append(["**all**", "", "", *(f"**{score}**" for score in every)])
    whys = [
        [KINDS[change], WHY[why], f"{sum(row[3] for row in rows if row[1:3] == (change, why)):,}"]
        for change in KINDS
        for why in WHY
        if any(row[1:3] == (change, why) for row in rows)
    ]
    left = sum(row[3] for row in rows if row[2] == OPEN)
    return (
        readme.markdown(["accepted logs of", "logs", "events", *KINDS.values()], table)
        + "\nWhy the others are runs all the same, each with a run that was replayed"
        + (f" ({left:,} are open)" if left else "")
        + ":\n\n"
        + readme.markdown(["change", "why it is a run", "logs"], whys)
    )


def _score(rows: Sequence[Row]) -> str:
    rejected, every = sum(row[3] for row in rows if row[2] == REJECTED), sum(row[3] for row in rows)
    return f"{rejected:,} of {every:,} ({100 * rejected // every} %)" if every else ""


def updated(content: str, rows: Sequence[Row]) -> str:
    """Returns docs/validate.md with the table of these rows."""
    return readme.replaced(content, *MARKS, page(rows))


def record(docs: Path, path: Path) -> None:
    """Changes the logs, and writes what comes of it, as data and as a page."""
    rows = found(sources())
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["logs", "change", "what", "number"])
        writer.writerows(rows)
    docs.write_text(updated(docs.read_text(), rows))


def make() -> None:
    """Changes the logs, and writes docs/validate.md."""
    record(DOCS / "validate.md", RECORDED / "changed-logs.csv")
