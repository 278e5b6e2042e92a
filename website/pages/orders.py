"""Writes the table of orders in docs/memory.md: what guest and device do to one entry, decided for x86 and for Arm."""

from __future__ import annotations

from collections.abc import Iterator

from uncork.engines.python import Plain, predicate, successors, value
from uncork_nvme.orders.kernels import KERNELS, Kernel
from uncork_nvme.orders.program import Litmus

from pages import DOCS, readme

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


def outcomes(litmus: Litmus) -> set[Plain]:
    """What the registers and the words in memory can hold when all has ended, in the order of their names."""
    names = sorted(litmus.registers)
    ended = predicate(litmus.system, litmus.ended)
    values = [value(litmus.system, litmus.registers[name]) for name in names]
    return {tuple(each(state) for each in values) for state in states(litmus) if ended(state)}


def wrong(kernel: Kernel, memory: str) -> bool:
    """Whether what the kernel asks about can come of it."""
    return possible(kernel.at(memory), kernel.question.outcome)


def needed(kernel: Kernel, memory: str) -> dict[str, bool]:
    """Each order of a kernel, and whether it goes wrong without it."""
    return {said: wrong(left, memory) for said, left in kernel.without()}


def row(kernel: Kernel) -> list[str]:
    """The kernel in the table."""
    verdicts = [wrong(kernel, memory) for memory in ("tso", "arm")]
    cells = [kernel.question.name, kernel.who, *("**goes wrong**" if each else "right" for each in verdicts)]
    for memory, broken in zip(("tso", "arm"), verdicts, strict=True):
        asked = {} if broken else needed(kernel, memory)
        cells.append("; ".join(said for said, goes_wrong in asked.items() if goes_wrong) or "-")
    return cells


def table() -> str:
    """The table, and in a fold the programs and sources."""
    heads = ["", "source", "x86", "Arm", "needed on x86", "needed on Arm"]
    made = readme.markdown(heads, map(row, KERNELS))
    programs = [[each.question.name, each.who, f"`{each.guest}`", f"`{each.device}`", each.where] for each in KERNELS]
    listed = readme.markdown(["", "source", "guest", "device", "where"], programs)
    return f"{made}\n{readme.fold('The programs, and where they were read', listed)}"


def updated(content: str) -> str:
    """The content of the page with the table replaced between its two marks."""
    return readme.replaced(content, _BEGIN, _END, table())


def make() -> None:
    """Writes the page."""
    page = DOCS / "memory.md"
    page.write_text(updated(page.read_text()))
