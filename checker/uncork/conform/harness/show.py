"""Prints the trials of a harness, and a failed run beside what the model allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from uncork.conform.harness.player import Played
from uncork.conform.harness.trials import Examined, Failure
from uncork.conform.show import seen
from uncork.core.numbers import counted
from uncork.core.sorts import Value


def lines(found: Examined) -> Iterator[str]:
    """Yields a line for each trial."""
    for each in found.lines:
        made = f"{counted(each.runs, 'run')}, {counted(each.moves, 'move')}: " if each.runs else ""
        yield f"{each.part} of {each.instance.shape}: {made}{each.result}"


def about(found: Examined) -> str:
    """Returns what the harness says of itself."""
    steps = ", ".join(found.stepped) or "no thread: every answer is given at rest"
    return f"{found.name}: steps {steps}" + (f"; tells {found.told} events" if found.stepped else "")


def failure(failed: Failure) -> Iterator[str]:
    """Yields the lines of a failed run: what went wrong, every move, and what the model allows instead."""
    run = failed.run
    last, wide = run.first, max((len(each) for each in run.did), default=0)
    yield f"found in run {failed.runs:,}, after {counted(failed.moves, 'move')}; the same with {len(run.moves):,}:"
    for number, (move, did, saw) in enumerate(zip(run.moves, run.did, run.seen, strict=True), 1):
        yield f"{number:3}. {move:<17} {did:<{wide}}  {seen(_changed(last, saw))}".rstrip()
        last = saw
    yield from _why(run)
    if not failed.again:
        yield "The same moves did not fail again: the harness does not do the same each time."


def _changed(last: Mapping[str, Value], saw: Mapping[str, Value]) -> dict[str, Value]:
    """Returns the values that are not as before."""
    return {name: value for name, value in saw.items() if last.get(name) != value}


def _why(run: Played) -> Iterator[str]:
    if run.broken:
        yield f"the harness {WORDS[run.broken.word]}: {run.broken}"
        return
    assert run.mismatch is not None
    differs = run.mismatch.differs
    told = {name: run.mismatch.saw[name] for name in differs}
    yield f"the harness shows  {seen(told)}"
    for values in dict.fromkeys(seen({name: shown[name] for name in differs}) for shown in run.mismatch.model):
        yield f"the model allows   {values}"
    if not run.mismatch.model:
        yield "the model never comes to rest here"


WORDS = {
    "died": "died",
    "hangs": "hangs",
    "rubbish": "says what the protocol has not",
    "out of order": "answers out of order",
    "lies": "contradicts itself",
    "version": "speaks another protocol",
    "refuses": "refuses",
}
"""What a harness did that cannot be believed, as a verb, by the word of its `HarnessError`."""
