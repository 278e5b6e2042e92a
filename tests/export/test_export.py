"""What is exported means what the system means: SPIN counts and judges alike, JSON evaluates alike, DOT draws all."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from budgets import spread
from commands import uncork
from toys import TOYS, Toy, act, at, draw
from uncork.core.evaluate import State, evaluate
from uncork.core.expr import Expr, boolean, ite
from uncork.core.property import Always, NotForever, Property, Sometimes, always
from uncork.core.sorts import Array, Bool, Enum, Nat, Range, Ring, Value
from uncork.core.system import Fairness, Record, System, var, when
from uncork.core.verdict import Refuted
from uncork.engines import explicit
from uncork.export import Inexpressible, data, dot, promela
from uncork_nvme.instance import Instance, from_name
from uncork_properties.catalogue import covers, properties

MISSING = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
needs_spin = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed (Debian: spin, gcc)")
SMALLEST = "mmio/linux/tail/n1-sq2-cq2"


# -- promela -----------------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class SpinResult:
    """What SPIN says of a program."""

    errors: int
    states: int
    transitions: int


@pytest.fixture
def spin(tmp_path: Path) -> Callable[[System, Property | None], SpinResult]:
    def run(system: System, prop: Property | None = None) -> SpinResult:
        """Does what the program itself says: how to run it is part of what is tested."""
        text, _ = promela.program(system, prop)
        (tmp_path / "FILE").write_text(text)
        (how,) = re.findall(r"^ \* Run: (.*)$", text, re.MULTILINE)
        done = subprocess.run(
            how.replace("-O2", "-O0 -w"), shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        said = done.stdout
        assert "max search depth too small" not in said
        numbers = (r"errors: (\d+)", r"(\d+) states, stored", r"(\d+) transitions")
        return SpinResult(*(int(re.findall(number, said)[0]) for number in numbers))

    return run


@pytest.mark.slow
@needs_spin
@pytest.mark.parametrize(
    "name",
    [
        SMALLEST,
        "mmio/linux/tail/n1-sq3-cq3",
        "mmio/linux/tail/n2-sq2-cq2",
        "propolis-2025/linux/tail/n1-sq2-cq2",
        "propolis-2025/linux/tail/n1-sq2-cq2/backend=detached",
        "propolis-2025/linux/tail/n1-sq2-cq2/workers=2",
        "propolis-2026/lazy/tail-lag/n1-sq2-cq2/early_free=no",
        "arm-recheck/linux/arm-on-cork/n1-sq2-cq2",
        "mmio/linux/tail/n2-sq2-cq2/serve=all",
        "propolis-2026/linux/tail-lag/n1-sq2-cq2/notify=lost-bits,workers=2",
        "qemu/linux/head/n1-sq3-cq2/doorbell_buffer=off,pool=1",
    ],
)
def test_spin_finds_as_many_states_and_steps(name: str, spin) -> None:
    system = from_name(name).system
    here, there = explicit.check(system, []), spin(system)
    # SPIN counts its way into the first state as a transition.
    assert (there.errors, there.states, there.transitions - 1) == (0, here.states, here.transitions)


def weakened(system: System) -> System:
    """The same system with weak fairness for strong: SPIN has no other."""
    weak = {action.name: Fairness.WEAK if action.fair else Fairness.NONE for action in system.actions}
    actions = tuple(dataclasses.replace(action, fairness=weak[action.name]) for action in system.actions)
    return dataclasses.replace(system, actions=actions)


def refuted(system: System, prop: Property) -> bool:
    ((_, verdict),) = explicit.check(system, [prop]).verdicts
    return isinstance(verdict, Refuted)


@pytest.mark.slow
@needs_spin
@pytest.mark.parametrize(
    ("name", "prop", "wrong"),
    [
        ("propolis-2025/linux/tail/n1-sq2-cq2", "uncorked SQ0", True),
        ("propolis-2025/linux/tail/n1-sq2-cq2", "the CQ never overflows", False),
        ("arm-recheck/linux/arm-on-cork/n1-sq2-cq2", "uncorked SQ0", False),
        ("arm-recheck/linux/arm-on-cork/n1-sq2-cq2", "drains SQ0", False),
        ("arm-recheck/linux/arm-on-cork/n1-sq2-cq2", "progress SQ0", False),
        ("mmio/linux/tail/n2-sq2-cq2", "progress SQ1", True),
        pytest.param("mmio/linux/tail/n2-sq2-cq2/serve=all", "drains SQ1", False, marks=pytest.mark.deep),
        (
            "propolis-2026/linux/tail-lag/n1-sq2-cq2/notify=lost-bits,workers=2",
            "no idle worker is forgotten (SQ0)",
            True,
        ),
    ],
)
def test_spin_judges_as_the_explicit_engine_does(name: str, prop: str, wrong: bool, spin) -> None:
    instance = from_name(name)
    stated = named(instance, prop)
    assert refuted(instance.system, stated) is wrong
    assert bool(spin(instance.system, stated).errors) is wrong


def named(instance: Instance, name: str) -> Property:
    (found,) = (p for p in properties(instance.machine, instance.system) if p.name == name)
    return found


@needs_spin
@pytest.mark.slow
@pytest.mark.parametrize("toy", spread(TOYS, 3), ids=lambda toy: toy.name)
def test_spin_judges_toys_as_weak_fairness_does(toy: Toy, spin) -> None:
    system = weakened(toy.system)
    assert bool(spin(toy.system, toy.prop).errors) is refuted(system, toy.prop)


PROSE = "if a b /* c */ d"
"""A name with everything in it that Promela could stumble over."""


def gadget() -> System:
    """Every operator, and updates that read each other's old values, in a system that is all corners."""
    r = Record(
        "do",
        left=var(Ring(3), "one of two that change places"),
        right=var(Ring(3), "the other", initial=2),
        depth=var(Range(-2, 300), "a number", initial=-1),
        mode=var(Enum(("run", "if", "if_", PROSE)), "/* reserved words */"),
        flags=var(Array(3, Bool()), "flags", initial=(False, True, False)),
        others=var(Array(3, Bool()), "more of them"),
        odd=var(Bool(), "a flag"),
    )
    yes = boolean(True)
    return System(
        "gadget */",
        r.variables,
        (
            act("swap", when(r.left != r.right, r(left=r.right, right=r.left, odd=~r.odd))),
            act("walk", when((r.left - r.right <= 1) | r.odd, r(left=r.left - 1, right=r.right - 2 + r.depth))),
            act("sink", when(r.depth < 1, r(depth=r.depth + (r.left - r.right), mode="if"))),
            act("rise", when((r.depth > -1) & ~(r.odd == (r.depth < 1)), r(depth=ite(r.odd, -1, r.depth - 1)))),
            act("turn", when(yes, r(flags=r.flags.store(r.left, r.odd), left=r.left + 1, odd=r.flags[r.left]))),
            act("trade", when(r.flags != r.others, r(flags=r.others, others=r.flags))),
            act(PROSE, when(r.flags.store(r.right, True)[r.left], r(mode=ite(r.mode == "if", r.mode, PROSE)))),
            act("mix", when(r.mode.among("if_", PROSE), r(others=chosen(r).store(r.left, False), mode="if_"))),
        ),
    )


def chosen(r: Record) -> Expr:
    return ite(r.odd, r.flags, r.others)


@needs_spin
def test_every_operator_means_the_same_to_spin(spin) -> None:
    system = gadget()
    here, there = explicit.check(system, []), spin(system)
    assert here.states > 1000
    assert (there.errors, there.states, there.transitions - 1) == (0, here.states, here.transitions)


@needs_spin
def test_spin_sees_a_value_leave_its_range(spin) -> None:
    toy = Record("toy", level=var(Nat(255), "a level, just in a byte"))
    system = System("toy", toy.variables, (act("up", when(boolean(True), toy(level=toy.level + 1))),))
    assert spin(system).errors == 1


def test_promela_tells_which_fairness_was_weakened() -> None:
    swing = draw("a swing b", "b swing a", "a leave c", free="swing")
    stays = NotForever("stays", "toy", "It leaves.", at(swing, "a b"), TOYS[0].prop.blame)
    for prop, said in ((stays, "weak fairness"), (always("here", "toy", at(swing, "a")), ""), (None, "exploring")):
        text, notes = promela.program(swing, prop)
        assert said in " ".join(notes)
        assert all(f" * {note}\n" in text for note in notes)
    assert promela.program(weakened(swing), stays)[1] == []


def test_promela_refuses_what_it_cannot_express() -> None:
    crowd = draw(*(f"a{k} go a{k + 1}" for k in range(300)))
    with pytest.raises(Inexpressible, match="255 names"):
        promela.program(crowd)
    big = Record("big", size=var(Nat(2**31), "too much for SPIN"))
    with pytest.raises(Inexpressible, match="32 bits"):
        promela.program(System("big", big.variables, ()))


# -- dot ---------------------------------------------------------------------------------------------------------------
STRING = r'"(?:[^"\\]|\\.)*"'
NODE = re.compile(rf"    (\d+) \[tooltip={STRING}(?:, \w+=\w+)*\]")
EDGE = re.compile(rf"    (\d+) -> (\d+) \[label=({STRING})(?:, \w+=\w+)*\]")


def test_dot_draws_every_state_and_step() -> None:
    system = from_name(SMALLEST).system
    first, shape, *rest, last = dot.graph(system).splitlines()
    assert (first, shape, last) == (f'digraph "{SMALLEST}" {{', "    node [shape=box]", "}")
    nodes = [match[1] for line in rest if (match := NODE.fullmatch(line))]
    edges = [match for line in rest if (match := EDGE.fullmatch(line))]
    assert len(nodes) + len(edges) == len(rest)
    found = explicit.check(system, [])
    assert (len(set(nodes)), len(edges)) == (found.states, found.transitions)
    assert {end for edge in edges for end in edge.group(1, 2)} <= set(nodes)


def test_dot_quotes_and_tells_unfair_steps() -> None:
    toy = Record("toy", at=var(Nat(1), "here"))
    say_so = act('say "\\n"', when(toy.at < 1, toy(at=toy.at + 1)), Fairness.NONE)
    burst = act("burst", when(toy.at > 0, toy(at=toy.at + 1)))
    text = dot.graph(System('a "b" \\', toy.variables, (say_so, burst)))
    assert text.splitlines() == [
        r'digraph "a \"b\" \\" {',
        "    node [shape=box]",
        '    0 [tooltip="toy.at: 0", peripheries=2]',
        r'    0 -> 1 [label="say \"\\n\"", style=dashed]',
        '    1 [tooltip="toy.at: 1"]',
        '    1 -> 2 [label="burst"]',
        '    2 [tooltip="toy.at: 2", style=dashed]',
        "}",
    ]


def test_dot_refuses_what_nobody_can_look_at() -> None:
    with pytest.raises(Inexpressible, match="more than 600 states"):
        dot.graph(from_name(SMALLEST).system, 600)


# -- json --------------------------------------------------------------------------------------------------------------
def value(tree: dict[str, Any], state: dict[str, Any]) -> Any:
    """An evaluator of what was exported, written from its description."""
    if tree["op"] == "const":
        return tree["value"]
    if tree["op"] == "var":
        return state[tree["value"]]
    args = [value(arg, state) for arg in tree["args"]]
    match tree["op"], *args:
        case "ite", condition, then, otherwise:
            return then if condition else otherwise
        case "select", array, position:
            return array[position]
        case "store", array, position, element:
            return [*array[:position], element, *array[position + 1 :]]
        case "~", one:
            return not one
        case "wrap", one:
            return one % tree["value"]
        case op, one, other:
            return {
                **{"+": lambda: one + other, "-": lambda: one - other, "==": lambda: one == other},
                **{"<": lambda: one < other, "<=": lambda: one <= other},
                **{"&": lambda: one and other, "|": lambda: one or other},
            }[op]()
    raise AssertionError(tree)


def plain(found: Value) -> Any:
    return list(found) if isinstance(found, tuple) else found


def some_states(system: System, most: int) -> Iterator[State]:
    """The first states of a breadth-first search."""
    found: dict[tuple[Value, ...], State] = {tuple(system.initial.values()): system.initial}
    yield system.initial
    level = [system.initial]
    while level and len(found) < most:
        following = [system.after(state, action) for state in level for action in system.enabled(state)]
        level = [s for s in following if tuple(s.values()) not in found]
        found.update({tuple(s.values()): s for s in level})
        yield from level


@pytest.mark.parametrize("which", [
    "gadget", "propolis-2026/linux/tail-lag/n2-sq3-cq3/kick_size=room",
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/events=config",
])  # fmt: skip
def test_json_evaluates_to_the_same_values(which: str) -> None:
    if which == "gadget":
        system, stated, shown = gadget(), [], []
    else:
        instance = from_name(which)
        system = instance.system
        stated, shown = properties(instance.machine, system), covers(instance.machine, system)
    read = json.loads(data.dumps(system, stated, shown))
    assert read["format"] == data.FORMAT
    assert {v["name"]: v["initial"] for v in read["variables"]} == {n: plain(v) for n, v in system.initial.items()}
    pairs = [
        (expression, there)
        for action, entry in zip(system.actions, read["actions"], strict=True)
        for expression, there in [
            (action.guard, entry["guard"]),
            *((updated, entry["updates"][name]) for name, updated in action.updates.items()),
            *zip(action.told.blanks, entry["told"]["blanks"], strict=True),
            *(
                (where, other["where"])
                for (where, _), other in zip(action.told.instead, entry["told"].get("instead", []), strict=True)
            ),
        ]
    ]
    for prop, entry in zip([*stated, *shown], [*read["properties"], *read["covers"]], strict=True):
        assert entry["name"] == prop.name
        if isinstance(prop, Always | NotForever | Sometimes):
            pairs.append((prop.condition, entry["condition"]))
    for state in some_states(system, 60):
        there_state = {name: plain(v) for name, v in state.items()}
        for expression, there in pairs:
            assert value(there["tree"], there_state) == plain(evaluate(expression, state)), there["text"]


def test_json_keeps_duties_and_what_may_not_end_a_property() -> None:
    instance = from_name(SMALLEST)
    system = instance.system
    read = json.loads(data.dumps(system, properties(instance.machine, system)))
    assert read["duties"] == {
        duty: [a.name for a in actions] for duty, actions in system.duties.items() if actions[0].fair
    }
    assert [a["fairness"] for a in read["actions"]] == [a.fairness.value for a in system.actions]
    (drains,) = (p for p in read["properties"] if p["row"] == "drains")
    assert drains["kind"] == "not forever" and drains["without"] == ["submit(SQ0, 1)"]


# -- the command -------------------------------------------------------------------------------------------------------
def export(*args: str) -> subprocess.CompletedProcess[str]:
    done = uncork("export", *args)
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
def test_export_prints_text_to_one_place_and_remarks_to_another() -> None:
    done = export("promela", SMALLEST, "--property", "drains")
    assert done.returncode == 0
    assert "never drains_SQ0" in done.stdout
    assert done.stderr.startswith("SPIN has no strong fairness")
    assert export("promela", SMALLEST, "--property", "drains SQ0").stdout == done.stdout
    assert json.loads(export("json", SMALLEST).stdout)["name"] == SMALLEST
    assert export("dot", SMALLEST).stdout.startswith("digraph")


def test_export_prints_a_tla_module_or_its_configuration() -> None:
    module, config = export("tla", SMALLEST), export("tla", SMALLEST, "--config")
    assert module.returncode == config.returncode == 0
    assert "MODULE" in module.stdout and "SPECIFICATION" in config.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["dot", "propolis-2025/linux/tail/n1-sq2-cq2"], "more than 2,000 states"),
        (["promela", SMALLEST, "--property", "safty"], "did you mean 'safety'?"),
        (["json", SMALLEST, "--property", "safety"], "--property is for promela"),
        (["dot", SMALLEST, "--config"], "--config is for tla"),
        (["smv", SMALLEST], "'smv' is not one of"),
        (["json", "mmio/linux/tail/n1"], "is not a shape"),
    ],
)
def test_export_refuses_what_it_cannot_write(args: list[str], said: str) -> None:
    done = export(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
