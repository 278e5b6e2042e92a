"""Arm's memory: the litmus tests of its makers, the axioms written a second time, and what the sources do in it."""

from __future__ import annotations

import csv
import doctest
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise, permutations, product
from typing import Any

import pytest
from budgets import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pages.orders import table as orders
from pages.orders.table import NoRoomError, outcomes, possible
from repository import ROOT
from uncork.core.expr import number
from uncork.core.property import InRange, NotForever
from uncork.core.sorts import SlipError
from uncork.core.system import System, say
from uncork.core.verdict import Proved, Refuted
from uncork.engines import explicit, reference
from uncork_nvme.orders import arm
from uncork_nvme.orders.arm import Arm, Core
from uncork_nvme.orders.kernels import KERNELS, Kernel
from uncork_nvme.orders.program import Instruction, litmus, parsed


# -- the published verdicts --------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Row:
    """A litmus test of herdtools7 5feffe4e8: its verdict in `kinds.txt` of the folder `where`.

    `differs` says why the model has another verdict: load buffering, which it forbids, or an address that the programs
    here do not have. `x86_64` has the tests of x86-TSO.
    """

    memory: str
    test: str
    where: str
    verdict: str
    differs: str
    outcome: str
    programs: str

    @property
    def allowed(self) -> bool:
        return self.verdict.startswith("Allow")

    @property
    def depends(self) -> bool:
        """Whether a dependency forbids it, which the programs here do not have."""
        return self.test.endswith(("addr", "data"))

    @property
    def codes(self) -> list[list[Instruction]]:
        return [parsed(text) for text in self.programs.split(" || ")]

    @property
    def reached(self) -> bool:
        """Whether the model allows it."""
        return possible(litmus(self.programs.split(" || "), self.memory), self.outcome)


TABLE = [Row(**row) for row in csv.DictReader((ROOT / "tests" / "data" / "litmus.csv").read_text().splitlines())]
ARM = [row for row in TABLE if row.memory == "arm"]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.memory} {row.test}")
def test_a_litmus_test_has_its_published_verdict_or_differs_as_it_says(row: Row) -> None:
    assert row.reached == (row.allowed != bool(row.differs))


def test_the_table_differs_in_the_direction_that_the_page_says() -> None:
    """Load buffering is allowed and not shown; what an address forbids is shown all the same."""
    assert {(row.differs, row.allowed) for row in TABLE} >= {("load buffering", True), ("an address", False)}
    assert not [row for row in TABLE if row.differs == "load buffering" and not row.allowed]
    assert not [row for row in TABLE if row.differs == "an address" and row.allowed]
    shapes = {row.test.split("+dmb")[0].split("+rel")[0] for row in ARM}
    assert shapes >= {"MP", "SB", "LB", "S", "R", "2+2W", "IRIW", "WRC", "CoRR"}


# -- the axioms, written a second time ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Event:
    """A load or a store of an execution; `fences` are those of its thread before it."""

    thread: int
    at: int
    kind: str
    word: str
    value: int = 0
    order: str = ""
    register: str = ""
    lock: bool = False


def events(codes: Sequence[Sequence[Instruction]]) -> tuple[list[Event], dict[int, list[tuple[int, str]]]]:
    """The events of the programs, and the fences of each thread.

    Taking a lock is a load that acquires, and a store, which is the next event.
    """
    found, fences = list[Event](), dict[int, list[tuple[int, str]]]()
    for thread, code in enumerate(codes):
        for at, each in enumerate(code):
            match each.kind:
                case "fence":
                    fences.setdefault(thread, []).append((2 * at, each.word))
                case "lock":
                    found.append(Event(thread, 2 * at, "R", each.word, order="acquire", lock=True))
                    found.append(Event(thread, 2 * at + 1, "W", each.word, 1, lock=True))
                case "unlock":
                    found.append(Event(thread, 2 * at, "W", each.word, 0, "release"))
                case "store":
                    found.append(Event(thread, 2 * at, "W", each.word, each.value, each.order))
                case _:
                    found.append(Event(thread, 2 * at, "R", each.word, order=each.order, register=each.register))
    return found, fences


def ordered(a: Event, b: Event, fences: Sequence[tuple[int, str]], *, buffering: bool) -> bool:
    """Whether a is locally ordered before b, which is later in its thread (aarch64.cat: lmws, bob, aob).

    The fence of C++'s release is DMB ISH, that of acquire DMB ISHLD. Without `buffering` a load comes before every
    later store, which is the one rule that aarch64.cat does not have.
    """
    between = {kind for at, kind in fences if a.at < at < b.at}
    return (
        (a.word == b.word and b.kind == "W")
        or bool(between & {"full", "release"})
        or (a.kind == "R" and bool(between & {"ld", "acquire"}))
        or (a.kind == b.kind == "W" and "st" in between)
        or (a.order == "release" and b.order == "acquire")
        or a.order in ("acquire", "acquire-pc")
        or b.order == "release"
        or (a.kind == "R" and b.kind == "W" and not buffering)
    )


def acyclic(edges: Sequence[int]) -> bool:
    """Whether a graph has no cycle: `edges[a]` has bit b set if there is an edge from a to b."""
    left = (1 << len(edges)) - 1
    while left:
        ends = [a for a in range(len(edges)) if left >> a & 1 and not edges[a] & left]
        if not ends:
            return False
        for a in ends:
            left &= ~(1 << a)
    return True


def by_the_axioms(codes: Sequence[Sequence[Instruction]], *, buffering: bool) -> set[tuple[int, ...]]:
    """What registers and words can hold at the end by Armv8's axioms, each candidate execution tried.

    After aarch64.cat of herdtools7: internal visibility, external visibility (ordered-before has no cycle), atomicity.
    """
    found, fences = events(codes)
    size, numbers = len(found), range(len(found))
    writes = {word: [n for n in numbers if found[n].kind == "W" and found[n].word == word] for word in
              {each.word for each in found}}  # fmt: skip
    reads = [n for n in numbers if found[n].kind == "R"]
    same = [
        (a, b) for a in numbers for b in numbers if found[a].thread == found[b].thread and found[a].at < found[b].at
    ]
    local = [0] * size
    for a, b in same:
        if ordered(found[a], found[b], fences.get(found[a].thread, []), buffering=buffering):
            local[a] |= 1 << b
    words = sorted({each.word for code in codes for each in code if each.kind in ("store", "load")})
    registers = sorted({each.register for each in found if each.register})
    results = set[tuple[int, ...]]()
    for order in product(*([line for line in permutations(writes[word]) if fits(found, line)] for word in writes)):
        rank = {n: place for line in order for place, n in enumerate(line, 1)}
        finals = {word: found[line[-1]].value if line else 0 for word, line in zip(writes, order, strict=True)}
        before = {b: a for line in order for a, b in pairwise((-1, *line))}
        for sources in product(*([before[n + 1]] if found[n].lock else [-1, *writes[found[n].word]] for n in reads)):
            if execution(found, same, local, rank, dict(zip(reads, sources, strict=True))):
                read = {found[n].register: found[w].value if w >= 0 else 0 for n, w in zip(reads, sources, strict=True)}
                values = read | {word: finals[word] for word in words}
                results.add(tuple(values[name] for name in sorted([*registers, *words])))
    return results


def fits(found: Sequence[Event], line: Sequence[int]) -> bool:
    """Whether stores to a word may come in this order: those of a thread in its own, and a lock is taken if free."""
    ordered = all(a < b for a, b in combinations(line, 2) if found[a].thread == found[b].thread)
    return ordered and not any(found[b].lock and a >= 0 and found[a].value for a, b in pairwise((-1, *line)))


def execution(
    found: Sequence[Event],
    same: Sequence[tuple[int, int]],
    local: Sequence[int],
    rank: dict[int, int],
    source: dict[int, int],
) -> bool:
    """Whether the axioms allow an execution: the place of each store among those to its word, and what a load reads."""
    inner, outer = [0] * len(found), [*local]
    for a, b in same:
        if found[a].word == found[b].word:
            inner[a] |= 1 << b
    for a, w in source.items():
        if w >= 0:
            inner[w] |= 1 << a
            if found[w].thread != found[a].thread:
                outer[w] |= 1 << a
    for a, each in enumerate(found):
        before = rank[a] if each.kind == "W" else rank.get(source[a], 0)
        for b in rank:
            if found[b].word == each.word and rank[b] > before:
                inner[a] |= 1 << b
                if found[b].thread != each.thread:
                    outer[a] |= 1 << b
    for a, w in source.items():
        if found[a].lock:
            if (w >= 0 and found[w].value) or rank[a + 1] != rank.get(w, 0) + 1:
                return False
            outer[a] |= 1 << a + 1
    return acyclic(inner) and acyclic(outer)


@pytest.mark.parametrize("row", ARM, ids=lambda row: row.test)
def test_the_axioms_have_the_published_verdict_and_one_more_rule_the_models(row: Row) -> None:
    def reached(*, buffering: bool) -> bool:
        names = sorted(litmus(row.programs.split(" || "), "arm").registers)
        asked = {name: int(value) for name, value in (part.split("=") for part in row.outcome.split())}
        ends = by_the_axioms(row.codes, buffering=buffering)
        return any(all(dict(zip(names, end, strict=True))[name] == asked[name] for name in asked) for end in ends)

    assert reached(buffering=True) == (row.allowed or row.depends)
    assert reached(buffering=False) == row.reached


BY_HAND = [
    ("x=1; p=w; r=x acquire; s=y", "q=x; fence full; y=1; fence full; y=2; fence full; w=1"),
    ("x=1; y=1 release; z=1", "r=z acquire; s=x; t=y"),
    ("x=1 release; r=x acquire; s=y", "y=1; fence full; t=x"),
    ("x=1 release; r=y acquire; s=z", "y=1; z=1 release; t=x acquire-pc"),
    ("x=1; y=1 release; y=2", "r=y acquire; s=x"),
    ("lock l; x=1; y=1; unlock l", "r=y; lock l; s=x; t=y; unlock l; u=x"),
    ("lock l; x=1; unlock l; y=1", "lock l; r=y; s=x; unlock l", "t=x; fence ld; u=y"),
    ("x=1; lock l; unlock l; r=y", "y=1; lock l; unlock l; s=x"),
    ("x=1; lock l; unlock l; lock m; unlock m; r=y", "y=1; fence full; s=x"),
    ("x=1; fence st; r=y; y=1", "y=2; fence st; s=x; x=2"),
    ("x=1; r=x; fence ld; s=y", "y=1; x=2; fence full; t=x"),
    ("r=x; s=x acquire; t=y", "y=1; fence st; x=1; x=2"),
]
"""Programs in which one of the rules decides, that no litmus test of the table has."""


@pytest.mark.parametrize("texts", BY_HAND, ids=lambda texts: " || ".join(texts))
def test_programs_end_as_the_axioms_say(texts: tuple[str, ...]) -> None:
    assert outcomes(litmus(texts, "arm")) == by_the_axioms([parsed(text) for text in texts], buffering=False)


@st.composite
def programs(draw: st.DrawFn, most: int) -> list[str]:
    """Two or three threads that load and store two words with any orders, fences and locks: `most` instructions."""
    said = []
    threads = draw(st.integers(2, 3))
    for thread in range(threads):
        code = []
        for at in range(draw(st.integers(1, most // threads))):
            word = draw(st.sampled_from("xy"))
            code.append(draw(st.sampled_from([
                *(f"{word}={draw(st.integers(1, 2))}", f"{word}={draw(st.integers(1, 2))} release"),
                *(f"r{thread}{at}={word}", f"r{thread}{at}={word} acquire", f"r{thread}{at}={word} acquire-pc"),
                *(f"r{thread}{at}={word}", "fence full", "fence ld", "fence st"),
            ])))  # fmt: skip
        if draw(st.integers(0, 4)) == 0:
            first = draw(st.integers(0, len(code)))
            code = [*code[:first], "lock l", *code[first:], "unlock l"]
        said.append("; ".join(code))
    return said


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None)
@given(programs(most=6))
def test_random_programs_end_as_the_axioms_say(texts: list[str]) -> None:
    assert outcomes(litmus(texts, "arm")) == by_the_axioms([parsed(text) for text in texts], buffering=False)


@pytest.mark.deep
@settings(max_examples=500, deadline=None)
@given(programs(most=9))
def test_random_programs_of_nine_instructions_end_as_the_axioms_say(texts: list[str]) -> None:
    assert outcomes(litmus(texts, "arm")) == by_the_axioms([parsed(text) for text in texts], buffering=False)


# -- a rule left out is noticed ----------------------------------------------------------------------------------------
def _in_line(plain: Callable[..., Any]) -> Callable[..., Any]:
    def leaves(memory: Arm, core: Core, word: arm.Named) -> Any:
        action = plain(memory, core, word)
        return replace(action, guard=action.guard & core.buffer.what(0, word.word))

    return leaves


def _no_read(self: Arm, core: Core, start: Any, stored: Any, *, raised: bool) -> Any:
    return core(floor=start)


MUTANTS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None]]] = {
    "a release does not wait": (
        "MP+rel+acq",
        lambda patch: patch.setattr(arm.Line, "release", lambda self, k: number(0) == 1),
    ),
    "an acquire does not start at the release before it": (
        "SB+dmb.sy+rel-acq",
        lambda patch: patch.setattr(Arm, "_released", lambda self, name: number(0)),
    ),
    "a load raises no floor": ("MP+rel+acqpc", lambda patch: patch.setattr(Arm, "_read", _no_read)),
    "stores leave in the order of the program": (
        "MP+po+dmb.sy",
        lambda patch: patch.setattr(arm, "leave", _in_line(arm.leave)),
    ),
    "a thread forgets what it has seen of a word": (
        "CoRR",
        lambda patch: patch.setattr(Core, "at", lambda self, word: number(0)),
    ),
    "a fence is none": (
        "MP+dmb.sys",
        lambda patch: patch.setattr(Arm, "fence", lambda *_: iter([arm.Choice(number(0) == 0, arm.Updates())])),
    ),
}
"""Rules of the memory left out, each with a litmus test that notices."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_rule_left_out_changes_a_verdict(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    test, patch = MUTANTS[mutant]
    row = next(row for row in ARM if row.test == test)
    assert row.reached == row.allowed
    patch(monkeypatch)
    assert row.reached != row.allowed


# -- seen some time, and kept no longer than needed --------------------------------------------------------------------
@pytest.mark.parametrize(("left_out", "said"), [("", Proved), ("see", Refuted), ("leave", Refuted)])
def test_every_store_is_seen_some_time(left_out: str, said: type) -> None:
    found = litmus(["x=1", "until x=1"], "arm")
    actions = tuple(action for action in found.system.actions if action.family != left_out)
    system = System("litmus", found.system.variables, actions)
    waits = NotForever("ends", "litmus", "", ~found.programs[1].ended, say("the second thread waits for ever"))
    assert isinstance(reference.check(system, [waits]).verdicts[0][1], said)


PING_PONG = ("x=1; until y=1 acquire; x=2; r=y", "until x=1 acquire; y=1; until x=2 acquire; s=x")


def test_a_line_keeps_only_stores_that_some_thread_may_pass_over() -> None:
    assert outcomes(litmus(PING_PONG, "arm", room=1)) == outcomes(litmus(PING_PONG, "arm")) == {(1, 2, 2, 1)}
    narrow = litmus(["x=1; y=1", "r=y; s=x"], "arm", room=1)
    with pytest.raises(NoRoomError):
        outcomes(narrow)
    assert isinstance(reference.check(narrow.system, [InRange("room", "litmus", "")]).verdicts[0][1], Refuted)


# -- what the sources do -----------------------------------------------------------------------------------------------
BUGS = {
    "SPDK's driver before 3a7a66e505": "SPDK's driver",
    "SPDK's target before 93db90f7f3": "SPDK's target",
    "Linux before b69e2ef24b7b": "Linux",
    "libvfn before 9e4191a0": "libvfn",
    "OpenVMM before #506": "OpenVMM",
    "nvmet-mdev-pci before 28387e1aaeff": "nvmet-mdev-pci",
    "FEMU before 04ce8b1a7": "FEMU",
}
"""Public bugs of orders that x86 has anyway, each with what its fix made of it."""


def kernel(who: str, like: Kernel | None = None) -> Kernel:
    return next(each for each in KERNELS if each.who == who and (like is None or each.question is like.question))


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_shown_on_arm_only_and_its_fix_proved(bug: str) -> None:
    broken = kernel(bug)
    fixed = kernel(BUGS[bug], broken)
    assert [orders.wrong(each, memory) for each in (broken, fixed) for memory in ("sc", "tso", "arm")] == [
        *(False, False, True),
        *(False, False, False),
    ]


def test_the_engine_replays_the_run_and_proves_the_fix() -> None:
    for each, said in ((kernel("SPDK's target before 93db90f7f3"), Refuted), (kernel("SPDK's target"), Proved)):
        found = each.at("arm")
        verdicts = explicit.check(found.system, [found.never(each.question.outcome), InRange("room", "", "")]).verdicts
        assert isinstance(verdicts[0][1], said)
        assert isinstance(verdicts[1][1], Proved)


def test_load_buffering_decides_no_kernel() -> None:
    """So what the model leaves out does not matter to them: Armv8's axioms say the same of each."""
    for each in KERNELS:
        names = sorted(each.at("arm").registers)
        asked = dict(part.split("=") for part in each.question.outcome.split())
        ends = [dict(zip(names, end, strict=True)) for end in by_the_axioms(each.codes, buffering=True)]
        assert any(all(end[name] == int(asked[name]) for name in asked) for end in ends) == orders.wrong(each, "arm")


def test_the_page_shows_the_table_and_its_example_runs() -> None:
    path = ROOT / "docs" / "memory.md"
    assert orders.updated(path.read_text()) == path.read_text()
    assert doctest.testfile(str(path), module_relative=False) == (0, 3)


def test_the_page_counts_and_names_the_litmus_tests() -> None:
    page = " ".join((ROOT / "docs" / "memory.md").read_text().split())
    alike = [sum(not row.differs for row in TABLE if row.memory == memory) for memory in ("arm", "tso")]
    assert f"the published verdict of {alike[0]} of {len(ARM)} litmus tests" in page
    assert f"of {alike[1]} of {len(TABLE) - len(ARM)} for x86-TSO" in page
    for why, said in (("load buffering", "It forbids {}, which are"), ("an address", "It allows {}, whose")):
        names = [row.test for row in TABLE if row.differs == why]
        assert said.format(f"{', '.join(names[:-1])} and {names[-1]}".removeprefix(" and ")) in page


# -- the text of a program ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "said"), [
    ("fence fll", "no such fence: fll .did you mean 'full'"), ("x=1 acquire", "'x=1 acquire' is no instruction"),
    ("r=x release", "'r=x release' is no instruction"), ("until r=x", "'until r=x' is no instruction"),
    ("x", "'x' is no instruction"), ("x=3", "x=3: a word holds less than 3"), ("lock", "'lock' is no instruction"),
])  # fmt: skip
def test_a_slip_in_a_program_is_named(text: str, said: str) -> None:
    with pytest.raises(SlipError, match=said):
        parsed(text)


def test_a_program_reads_as_it_was_written() -> None:
    text = "x=1 release; r=x acquire-pc; until x=2 acquire; fence st; lock l; unlock l"
    assert "; ".join(map(str, parsed(text))) == text


def test_an_outcome_names_what_there_is() -> None:
    with pytest.raises(SlipError, match="no such register or word: q"):
        litmus(["r=x"], "arm").holds("q=1")
    with pytest.raises(SlipError, match="no such memory: arn "):
        litmus(["r=x"], "arn")
