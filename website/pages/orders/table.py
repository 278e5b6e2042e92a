"""Writes the table of orders in docs/memory.md: what guest and device do to one entry, decided for x86 and for Arm."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

from uncork.core.verdict import Refuted
from uncork.engines import reference
from uncork.engines.python import Plain, predicate, successors, value
from uncork.render import story
from uncork_nvme.orders.kernels import KERNELS, Kernel, Question
from uncork_nvme.orders.program import Litmus

from pages import DOCS, readme

_SHOWN = "SPDK's target before 93db90f7f3"
_BEGIN, _END = "<!-- orders: generated -->", "<!-- end of orders -->"


class NoRoomError(AssertionError):
    """A store found no room in a buffer or in the line: then nothing that was found out of the programs holds."""


def states(litmus: Litmus) -> Iterator[Plain]:
    """Every reachable state, as it is found; raises `NoRoomError`."""
    after = successors(litmus.system)
    first: Plain = tuple(litmus.system.initial.values())
    seen, todo = {first}, [first]
    while todo:
        state = todo.pop()
        yield state
        for _, reached in after(state):
            if reached is None:
                raise NoRoomError(litmus.system.name)
            if reached not in seen:
                seen.add(reached)
                todo.append(reached)


def possible(litmus: Litmus, outcome: str) -> bool:
    """Whether the programs can all end with these values."""
    return any(map(predicate(litmus.system, litmus.holds(outcome)), states(litmus)))


def outcomes(litmus: Litmus, asked: Sequence[str] | None = None) -> set[Plain]:
    """What these registers and words can hold when all has ended: by default all, in the order of their names."""
    names = sorted(litmus.registers) if asked is None else asked
    ended = predicate(litmus.system, litmus.ended)
    values = [value(litmus.system, litmus.registers[name]) for name in names]
    return {tuple(each(state) for each in values) for state in states(litmus) if ended(state)}


def wrong(kernel: Kernel, memory: str) -> bool:
    """Whether what the kernel asks about can come of it."""
    return _wrong(kernel.question, kernel.guest, kernel.device, memory)


@functools.cache
def _wrong(question: Question, guest: str, device: str, memory: str) -> bool:
    """The same of two programs, which several kernels have."""
    return possible(Kernel(question, "", guest, device, "").at(memory), question.outcome)


def needed(kernel: Kernel, memory: str) -> dict[str, bool]:
    """Each order of a kernel, and whether it goes wrong without it."""
    return {said: wrong(left, memory) for said, left in kernel.without()}


def row(kernel: Kernel) -> list[str]:
    """The kernel in its table."""
    cells, told = [kernel.who], []
    for memory in ("tso", "arm"):
        broken = wrong(kernel, memory)
        cells.append("**goes wrong**" if broken else "right")
        asked = {} if broken else needed(kernel, memory)
        told.append("<br>".join(said for said, goes_wrong in asked.items() if goes_wrong) or "-")
    return [*cells, *told]


def steps(kernel: Kernel, memory: str) -> list[str]:
    """A shortest run of a kernel that goes wrong, a sentence a step."""
    found = kernel.at(memory)
    ((_, verdict),) = reference.check(found.system, [found.never(kernel.question.outcome)]).verdicts
    assert isinstance(verdict, Refuted), kernel.who
    return [f"{line.number}. {line.actor}: {line.did}\n" for line in story.lines(found.system, verdict.trace)]


def table() -> str:
    """The table, the programs and sources, and a run."""
    heads = ["source", "x86", "Arm", "needed on x86", "needed on Arm"]
    made = "\n".join(
        f"**{question.name}**: {question.wrong}.\n\n"
        + readme.markdown(*readme.merged(heads, [row(each) for each in KERNELS if each.question is question]))
        for question in dict.fromkeys(each.question for each in KERNELS)
    )
    programs = [[each.question.name, each.who, f"`{each.guest}`", f"`{each.device}`", each.where] for each in KERNELS]
    listed = readme.markdown(["", "source", "guest", "device", "where"], programs)
    shown = next(each for each in KERNELS if each.who == _SHOWN)
    run = f"{_SHOWN}, on Arm: {shown.question.wrong}.\n\n{''.join(steps(shown, 'arm'))}"
    folds = [readme.fold("The programs, and where they were read", listed), readme.fold("A run that goes wrong", run)]
    return f"{made}\n{folds[0]}\n{folds[1]}"


def updated(content: str) -> str:
    """The content of the page with the table replaced between its two marks."""
    return readme.replaced(content, _BEGIN, _END, table())


def make() -> None:
    """Writes the page."""
    page = DOCS / "memory.md"
    page.write_text(updated(page.read_text()))
