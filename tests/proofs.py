"""What tests of proofs for all sizes share: designs by name, proofs that are made once, mutants, and runs."""

from __future__ import annotations

import importlib
import operator
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mutants import mutated
from uncork.core.evaluate import evaluate
from uncork.core.expr import Expr
from uncork.core.size import Size
from uncork.core.sorts import Ring
from uncork.core.system import Action, System
from uncork.core.verdict import Refuted
from uncork.engines import REDUCTIONS, Watch, explicit, unwatched
from uncork.engines.deductive import judge
from uncork.prove import proof
from uncork.prove.proof import Part
from uncork_nvme.instance import Design, Instance
from uncork_nvme.state.actors import IN_POP
from uncork_properties import catalogue
from uncork_properties.lemmas import UNDER_CQ_LOCK

ONE, ANY = False, True


def design(name: str) -> Design:
    device, guest, policy, *changed = name.split("/")
    overrides = dict(each.split("=") for each in ",".join(changed).split(",") if each)
    return Design(device, guest, policy, {k: int(v) if v.isdecimal() else v for k, v in overrides.items()})


PROVED: dict[tuple[str, bool, int, int], Part] = {}
"""What was proved in this process, of the model as it is: several tests ask for the same."""


def once(design: Design, several: bool, least: int, watch: Watch, sqs: int = 1) -> Part:
    key = design.name, several, least, sqs
    if key not in PROVED:
        PROVED[key] = PROVE(design, several, least, watch, sqs)
    return PROVED[key]


PROVE = proof._part


def part(name: str, several: bool, least: int = 2) -> Part:
    return once(design(name), several, least, unwatched)


def broken(found: Part) -> set[str]:
    return {failure.obligation.name for failure in found.judgement.broken}


def hangs(name: str, shape: tuple[int, int, int] = (2, 2, 2), row: str = "uncorked") -> bool:
    """Whether an SQ may stay corked, or asleep with entries, at a size; or whether another property is refuted."""
    instance = design(name).at(*shape)
    wanted = [p for p in catalogue.properties(instance.machine, instance.system) if p.row == row]
    outcome = explicit.check(instance.system, wanted, reductions=REDUCTIONS)
    return any(isinstance(verdict, Refuted) for _, verdict in outcome.verdicts)


def mutant(module: str, old: str, new: str, name: str, several: bool) -> tuple[Any, list[Any]]:
    """What is found of a mutated model, and the properties of SQ0 that are not proved of it, told by name."""
    asked = design(name)
    with mutated(module, old, new) as (where, what):
        instance = where.Instance(asked.device, asked.guest, asked.policy, 1, 2, 2, asked.overrides)
        anysize, properties = (
            importlib.import_module(m) for m in ("uncork_nvme.anysize", "uncork_properties.argument")
        )
        policy, counted = where.find_policy(asked.policy), proof.counted(asked)
        machine = anysize.AnySize(instance.assembled, policy, several=several, counted=counted)
        made = where.system("mutant", machine)
        found = judge(properties.argument(machine, made))
        return found, [p.name for p in what.properties(machine, made) if not found.proves(p)]


# -- runs --------------------------------------------------------------------------------------------------------------
def unwound(node: Expr, seen: Mapping[str, Any]) -> Any:
    """What an expression says of positions that do not wrap."""
    if node.op == "const":
        return sized(node.value, seen)
    if node.op == "var":
        return seen[str(node.value)]
    if node.op == "ite":
        return unwound(node.args[1 if unwound(node.args[0], seen) else 2], seen)
    args = [unwound(arg, seen) for arg in node.args]
    if node.op == "wrap":
        return args[0] if isinstance(node.sort, Ring) else args[0] % sized(node.value, seen)
    if node.op == "==" and isinstance(ring := node.args[0].sort, Ring):
        return (args[0] - args[1]) % sized(ring.size, seen) == 0
    return OPERATORS[node.op](*args)


def sized(value: Any, seen: Mapping[str, Any]) -> Any:
    """A size of which the symbols are known."""
    return sum((seen[s.name] * k for s, k in value.terms), value.number) if isinstance(value, Size) else value


OPERATORS = {"&": operator.and_, "|": operator.or_, "~": operator.not_, "<": operator.lt, "<=": operator.le,
             "==": operator.eq, "+": operator.add, "-": operator.sub, "gap": operator.sub}  # fmt: skip


class Walk:
    """A random run of a machine of fixed sizes, with positions that do not wrap: how often each was moved on."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.system = instance, instance.system
        self.state: Mapping[str, Any] = self.system.initial
        self.rings = {v.name: v.sort.size for v in self.system.variables if isinstance(v.sort, Ring)}
        self.at = {name: int(self.state[name]) for name in self.rings}
        self.tickets, self.next = [0] * instance.sqs, 1
        self._arms()

    def step(self, chosen: random.Random) -> Action:
        before = self.state
        enabled = self.system.enabled(before)
        taken = chosen.choice(enabled)
        while taken.family in ("create_sq", "delete_sq") and len(enabled) > 1 and chosen.random() < 0.95:
            taken = chosen.choice(enabled)  # there are few of these: not all at the beginning
        self.state = self.system.after(before, taken)
        for name, size in self.rings.items():
            moved = (self.state[name] - before[name]) % size
            if not name.endswith(".event"):
                self.at[name] += moved
            if taken.family in ("create_sq", "delete_sq") and name in taken.updates:
                self.at[name] = self.state[name]  # the SQ begins anew
        self._arms()
        if "sq0.before" in self.state:
            self._lines_up(before, taken)
        return taken

    def _arms(self) -> None:
        """Finds where each EventIdx is, which may be moved back. That of a deleted SQ stays as it was."""
        exist = [q.name for q in self.instance.machine.sqs if self.state.get(f"{q.name}.live", True)]
        for queue in ("cq", *exist):
            last = f"{queue}.tail" if queue == "cq" else f"{queue}.head"  # behind which it is by less than a lap
            behind = (self.state[last] - self.state[f"{queue}.event"]) % self.rings[last]
            self.at[f"{queue}.event"] = self.at[last] - behind

    def _lines_up(self, before: Mapping[str, Any], taken: Action) -> None:
        """Draws tickets for the SQs that have joined the line, after those that it has let out; or closes a gap."""
        numbers = range(len(self.tickets))
        if taken.family == "delete_sq":
            (gone,) = (k for k in numbers if before[f"sq{k}.live"] and not self.state[f"sq{k}.live"])
            for k in numbers:
                behind = before[f"sq{k}.corked"] and before[f"sq{k}.before"] > before[f"sq{gone}.before"]
                self.tickets[k] -= behind and before[f"sq{gone}.corked"]
            self.tickets[gone] = 0
            return
        self.next += sum(before[f"sq{k}.corked"] and not self.state[f"sq{k}.corked"] for k in numbers)
        for k in numbers:
            if self.state[f"sq{k}.corked"] and not before[f"sq{k}.corked"]:
                self.tickets[k] = self.next + self.state[f"sq{k}.before"]

    def seen(self, several: bool, followed: Sequence[int] = (0, 1)) -> dict[str, Any]:
        """The state as the machine of all sizes has it that follows these SQs, and has sums for the others."""
        shown = {name: value for name, value in self.state.items() if name != "cq.slots"} | self.at
        sqs = self.instance.machine.sqs
        unread = {q.name: sum(label == q.label for label in self.state["cq.slots"]) for q in sqs}
        for q in sqs:
            shown |= {f"{q.name}.ledger.unread": unread[q.name], f"{q.name}.ledger.ticket": self.tickets[q.number]}
            stand = [self.state[f"{worker.name}.at"] for worker in q.workers]
            shown |= {f"{q.name}.workers.{place}": stand.count(place) for place in q.workers[0].places}
            shown.setdefault(f"{q.name}.popping", any(place in IN_POP for place in stand))
        names = {f"sq{number}": f"sq{place}" for place, number in enumerate(followed)}
        found = {k: v for k, v in shown.items() if not k.startswith("sq")}
        for name, value in shown.items():
            owner, _, field = name.partition(".")
            if owner in names:
                found[f"{names[owner]}.{field}"] = value
        if several:
            rest = [q for q in sqs if q.number not in followed]
            corked = sum(bool(self.state[f"{q.name}.corked"]) for q in rest)
            places = [
                p for q in rest for p in dict.fromkeys((*UNDER_CQ_LOCK, *IN_POP)) if evaluate(q.at(p), self.state)
            ]
            locking, looking = [p for p in places if p in UNDER_CQ_LOCK], [p for p in places if p not in UNDER_CQ_LOCK]
            found |= {
                "rest.held": sum(int(evaluate(q.permits, self.state)) for q in rest),
                "rest.in_flight": sum(self.state[f"{q.name}.in_flight"] for q in rest),
                "rest.unread": sum(unread[q.name] for q in rest),
                "rest.queued": sum(self.state.get(f"{q.name}.queued", 0) for q in rest),
                "rest.corked": corked > 0,
                "rest.waiting": corked,
                "rest.next": self.next,
                "rest.at": locking[0] if locking else "elsewhere",
                "rest.look": looking[0] if looking else "elsewhere",
                "rest.looks": sum(int(evaluate(q.at("reserve"), self.state)) for q in rest),
                "rest.live": sum(bool(self.state.get(f"{q.name}.live")) for q in rest),
                "rest.way": 0,
            }
        sizes = {"C": self.instance.cq_size, **dict.fromkeys("STU", self.instance.sq_size)}
        return found | sizes | {"n": self.instance.sqs, "W": self.instance.choices.workers}


def renamed(name: str, followed: Sequence[int]) -> str:
    """The name of a step, or of a duty, as the machine of all sizes has it that follows these SQs."""
    name = re.sub(r"(, |\()wakes [^)]*", lambda kick: "" if kick[1] == ", " else "(", name).replace("()", "")
    for place, number in enumerate(followed):
        name = name.replace(f"SQ{number}", f"SQ?{place}")
    return name.replace("?", "")


def too_free(system: System, walk: Walk, followed: Sequence[int]) -> list[str]:
    """The steps of SQs that are followed, and of the guest, that are possible in the machine of all sizes only."""
    others = {f"SQ{q.number}" for q in walk.instance.machine.sqs if q.number not in followed}
    real = walk.system.duties.items()
    may = {
        renamed(duty, followed): any(evaluate(each.guard, walk.state) for each in outcomes)
        for duty, outcomes in real if not any(other in duty for other in others)
    }  # fmt: skip
    seen = {**walk.seen(True, followed), "anything.way": 0, "anything.behind": 1}
    seen |= {f"anything.entries{place}": 1 for place in range(len(followed))}
    return [
        duty for duty, outcomes in system.duties.items()
        if duty in may and not may[duty] and any(unwound(each.guard, seen) for each in outcomes)
    ]  # fmt: skip


def begins(system: System, first: Mapping[str, Any]) -> str:
    """How the first state of a machine of fixed sizes is none of the machine of all sizes; empty if it is one."""
    sorts = (
        variable for variable in system.variables if not variable.name.startswith(("anything.", "life.", "rest.live"))
    )
    unlike = [v.name for v in sorts if sized(v.initial, first) != first[v.name]]
    return f"begins with other values of {', '.join(unlike)}" if unlike else ""


def differs(system: System, taken: Action, followed: Sequence[int], before: Mapping[str, Any], after: Any) -> str:
    """How a step of a machine of fixed sizes is none of the machine of all sizes; empty if it is one."""
    name = renamed(taken.name, followed)
    name = re.sub(r", worker \d+", "", name) if not any(", worker " in each.name for each in system.actions) else name
    chosen = {"anything.way": 0, "anything.behind": 1}
    action = next((each for each in system.actions if each.name == name), None)
    if action is None and (batch := re.fullmatch(r"submit\(SQ(\d), (\d+)\)", name)):
        action = system.action(f"submit(SQ{batch[1]})")
        chosen[f"anything.entries{batch[1]}"] = int(batch[2])
    if action is None:
        return f"no step {name}"
    state = {**before, **chosen}
    if not unwound(action.guard, state):
        return f"{name} is not enabled"
    led = state | {variable: unwound(value, state) for variable, value in action.updates.items()}
    for variable in system.variables:
        if not variable.name.startswith(("anything.", "rest.way")) and led[variable.name] != after[variable.name]:
            return f"{name}: {variable.name} is {after[variable.name]}, not {led[variable.name]}"
    return ""
