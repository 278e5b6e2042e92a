"""Chooses the engine that decides an instance, and finds contradictions between engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from uncork_nvme.instance import Instance
from uncork_properties.catalogue import covers
from uncork_properties.lemmas import lemmas

from uncork.core.property import NotForever, Property
from uncork.core.verdict import Open, Proved, Refuted, Verdict
from uncork.engines import Budget, Outcome, Progress

ENGINES = ("explicit", "bmc", "induction", "all")

_SOUGHT = 60_000_000
"""Effort for finding a run that another engine has found: some ten seconds."""
_DOUBTED = 2_000_000
"""Effort for a run that another engine excludes: half a second."""
_PROVING = 7_000_000
"""Effort for a proof: two or three seconds; the lemmas take a third of the effort where there are several SQs."""


def decide(
    engine: str,
    instance: Instance,
    wanted: Sequence[Property],
    budget: Budget,
    report: Callable[[Progress], None],
    reductions: frozenset[str],
    threads: int = 1,
) -> tuple[Outcome, list[str]]:
    """Returns an engine's verdicts, and contradictions as sentences. `all` takes the first verdict not open."""
    system = instance.system
    if engine == "bmc":
        from uncork.engines.symbolic import bmc  # imports z3: slow

        return bmc.check(system, wanted, (), budget, report), []
    if engine == "induction":
        from uncork.engines.symbolic import induction  # z3

        return induction.check(system, wanted, (), budget, report, lemmas=[*lemmas(instance.machine)]), []
    from uncork.engines import explicit  # numpy and llvmlite

    outcome = explicit.check(system, wanted, covers(instance.machine, system), budget, report, reductions, threads)
    return (outcome, []) if engine == "explicit" else _compared(instance, outcome, report)


def _compared(instance: Instance, outcome: Outcome, report: Callable[[Progress], None]) -> tuple[Outcome, list[str]]:
    """Returns the explicit engine's outcome, completed by the other engines, and the contradictions between them.

    Sweeps look hard for every refuted property and briefly for the rest. Single steps look for runs to a state, whose
    length has to agree. Induction is asked about safety.
    """
    from uncork.engines.symbolic import bmc, induction  # z3

    system = instance.system
    found: list[dict[str, Verdict]] = [{"explicit": verdict} for _, verdict in outcome.verdicts]

    def ask(name: str, places: Sequence[int], check: Callable[[Sequence[Property]], Outcome]) -> None:
        if places and not outcome.stopped:
            answers = check([outcome.verdicts[place][0] for place in places])
            for place, (_, verdict) in zip(places, answers.verdicts, strict=True):
                found[place][name] = verdict

    every = range(len(found))
    refuted = [k for k in every if isinstance(outcome.verdicts[k][1], Refuted)]
    to_states = [k for k in refuted if _to_state(outcome.verdicts[k][1])]
    rest = [k for k in every if k not in refuted]
    safety = [k for k in every if not isinstance(outcome.verdicts[k][0], NotForever)]
    ask("sweeps", refuted, lambda some: bmc.check(system, some, report=report, effort=_SOUGHT))
    ask("sweeps", rest, lambda some: bmc.check(system, some, report=report, effort=_DOUBTED))
    ask("single steps", to_states, lambda some: bmc.check(system, some, report=report, shortest=True, effort=_DOUBTED))
    known = [*lemmas(instance.machine)]
    ask("induction", safety, lambda some: induction.check(system, some, report=report, lemmas=known, effort=_PROVING))
    decided = [next((v for v in each.values() if not isinstance(v, Open)), each["explicit"]) for each in found]
    asked = [prop for prop, _ in outcome.verdicts]
    merged = replace(outcome, verdicts=tuple(zip(asked, decided, strict=True)))
    return merged, [each for k in every for each in contradictions(asked[k], found[k])]


def _to_state(verdict: Verdict) -> bool:
    """Returns whether a verdict has a run that ends in a state (finite or stuck), not in a loop."""
    return isinstance(verdict, Refuted) and not verdict.trace.loop_steps


def contradictions(prop: Property, verdicts: Mapping[str, Verdict]) -> Iterator[str]:
    """Yields a sentence for every two verdicts on a property that contradict each other."""
    names = list(verdicts)
    for one in names:
        for other in names:
            a, b = verdicts[one], verdicts[other]
            if isinstance(a, Proved) and isinstance(b, Refuted):
                yield f"{prop.name}: {one} says proved ({a.how}), {other} says {_told(b)}"
            if isinstance(a, Open) and isinstance(b, Refuted) and len(b.trace.steps) <= a.depth:
                yield f"{prop.name}: {one} says there is none to depth {a.depth}, {other} says {_told(b)}"
    found, again = verdicts.get("explicit"), verdicts.get("single steps")
    if not isinstance(found, Refuted) or not isinstance(again, Refuted) or not found.shortest:
        return
    if _to_state(found) and _to_state(again) and found.trace.stem != again.trace.stem:
        yield f"{prop.name}: explicit says {_told(found)}, single steps say {_told(again)}, and both are shortest"


def _told(verdict: Refuted) -> str:
    return f"refuted {verdict.trace.stem}+{verdict.trace.loop_steps}"
