"""The mutation scores of logs: the page shows what is recorded, and a spread of it is made anew."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from pages.logs import scores
from pages.logs.changes import Source, changes, sources
from repository import RECORDED, ROOT
from uncork.core.evaluate import evaluate, holds
from uncork.logs.read import read
from uncork.validate import follow
from uncork.validate.follow import Reader

ROWS = scores.recorded(RECORDED / "changed-logs.csv")


def test_the_page_shows_what_is_recorded() -> None:
    page = (ROOT / "docs" / "validate.md").read_text()
    assert scores.updated(page, ROWS) == page


def test_of_changed_values_nearly_all_are_rejected() -> None:
    """And nothing is left open; each kind of log is changed in each way."""
    counts = Counter[tuple[str, bool]]()
    for _, change, what, number in ROWS:
        counts[change, what == scores.REJECTED] += number
    assert counts["change", True] >= 0.95 * (counts["change", True] + counts["change", False])
    assert not any(what == scores.OPEN for _, _, what, _ in ROWS)
    assert {change for _, change, _, _ in ROWS} == {"", *scores.KINDS}
    assert {what for _, change, what, _ in ROWS if change == "cut"} == {"prefix", "short"}


def some() -> list[Source]:
    """One log of each kind, the smallest; a stored counterexample more."""
    found: dict[str, Source] = {}
    for source in sources(every=50):
        if source.kind not in found or len(source.lines) < len(found[source.kind].lines):
            found[source.kind] = source
    return list(found.values())


def test_a_spread_of_changed_logs_comes_out_as_the_page_says() -> None:
    """Each change is one of those that are recorded of its kind; what is rejected is no run by another search."""
    recorded = {row[:3] for row in ROWS}
    for source in some():
        for changed in changes(source, random.Random(7), 2):
            what = scores.outcome(source, changed)
            assert (source.kind, changed[0], what) in recorded or what == scores.REJECTED
            if source.format == "uncork" and "every step" in source.kind:
                assert (what == scores.REJECTED) != is_run(source, changed[2])


def is_run(source: Source, told: list[str]) -> bool:
    """Whether a log of every step is a run: the interpreter takes the only steps that it can be."""
    log, reader, system = read(iter(told), source.format), Reader(source.instance), source.instance.system
    try:
        follow.check(source.instance, log)
    except ValueError:
        return False
    states = [system.initial]
    for seen in log.events:
        actions = [action for action in system.actions if action.name in reader.actions(seen)]
        after = [system.after(state, a) for state in states for a in actions if holds(a.guard, state)]
        states = [
            state
            for state in after
            if not system.strays(state)
            and all(evaluate(reader.shows[name], state) == value for name, value in seen.saw.items())
        ]
    return bool(states)


@pytest.mark.deep
def test_changing_the_logs_anew_changes_nothing() -> None:
    assert scores.found(sources()) == ROWS
