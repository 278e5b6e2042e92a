"""Proves designs for queues of every size, without printing anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from uncork_nvme.anysize import AnySize, any_workers
from uncork_nvme.choices import Choices
from uncork_nvme.instance import Design, find_policy, system
from uncork_nvme.names import of_file
from uncork_nvme.own.lemma import OwnLemma, stated
from uncork_nvme.state.stores import buffered
from uncork_properties.argument import argument
from uncork_properties.catalogue import named, properties
from uncork_properties.runs import KNOWN

from uncork.core.expr import variables
from uncork.core.property import Property
from uncork.core.questions.argument import Argument
from uncork.core.sorts import SlipError
from uncork.core.system import Action
from uncork.core.trace import Trace, followed, refutes
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.one import Checked, Row
from uncork.decide.patience import patiently
from uncork.engines import Budget, Outcome, Tick, Watch, unwatched
from uncork.engines.deductive import Failure, Judgement, judge

LEAST = (2, 3)
"""The least CQ sizes that are tried: some designs are live only from 3 entries up."""
REAL = ((1, 2, 2), (1, 3, 2), (1, 3, 3), (2, 2, 2), (2, 2, 3), (3, 2, 2))
"""Sizes searched for a failure of an unproved design."""
SQS = ("one", "two", "three")
"""The numbers of SQs that a proof may be about, besides any number of them, in words."""

_ALONE, _READS = ("events", "threads", "poll"), ("sq_read", "sq_arm", "sq_event", "sq_reread", "cq_full")
"""Choices that have to be the usual ones for a proof with store buffers; the second are told together."""

SMALL = 3_000_000
"""Budget of states for such a search."""


def argued(design: Design, *, several: bool, least: int, sqs: int = 1) -> tuple[Argument, list[Property]]:
    """Returns the proof argument for a design with `sqs` SQs (or any number, if `several`), and its properties.

    With store buffers the argument is about the design without them, whose guest may leave its loop at any time, and
    that each run with buffers is one of its runs.
    """
    own, tso = owned(design), design.at(1, 2, 2).choices.memory == "tso"
    _refuse_uncovered(design, own, several=several, sqs=sqs)
    plain = replace(design, overrides={**design.overrides, "memory": "sc"}) if tso else design
    calm = replace(plain, overrides={**plain.overrides, "drain": "any"}) if tso else design
    with design.within():
        assembled, policy = calm.at(1, 2, 2).assembled, find_policy(design.policy)
        machine = AnySize(assembled, policy, several=several, sqs=sqs, least=least, counted=counted(design))
        found = system(design.name, machine)
        takes = [f"consume({q.label})" for q in machine.sqs]
        for action in found.actions:
            if own and sqs > 1:
                _refuse_order(action, takes)
            if f"{machine.cq.name}.tail" in action.updates and action.family not in ("post", "post_queued"):
                raise SlipError(
                    f"{action.name} writes a CQE: a proof for all sizes speaks of CQEs that the steps post and "
                    "post_queued write"
                )
        made = argument(
            machine, found, [stated(each, machine, q) for each in own_lemmas(design) for q in machine.every]
        )
    if tso:
        shape = 2 if several else 1, 3, 3
        like = design.at(*shape)
        made = replace(made, buffered=buffered(machine, found, like.machine, like.system, plain.at(*shape).system))
    return made, properties(machine, found)


def _refuse_uncovered(design: Design, own: str, *, several: bool, sqs: int) -> None:
    """Raises `SlipError` for a design of one's `own`, or with store buffers, that is not proved for these SQs."""
    parts = design.at(1, 2, 2).assembled
    if own and several:
        raise SlipError(own)
    if own and sqs > 1 and type(parts.guest).__name__ in parts.own:
        raise SlipError(
            f"{type(parts.guest).__name__}: a guest with a part of your own is proved with one SQ only. A proof counts "
            "CQEs, and does not know their order: use --sqs one, or uncork check"
        )
    if parts.choices.memory != "tso":
        return
    if sqs > 1:
        raise SlipError(f"memory=tso is not proved with {sqs} SQs alone: use --sqs any, which is about any number")
    values, usual = parts.values, Choices().items()
    told = [f"parts of your own ({', '.join(parts.own)})"] if parts.own else []
    told += [f"{name}={values[name]}" for name in _ALONE if values[name] != usual[name]]
    told += ["cork=self-kick"] if parts.full.insists else []
    if not told and any(values[name] != usual[name] for name in _READS):
        raise _together(f"{name}={values[name]}" for name in _READS)
    if told:
        raise _together(told[:1])


def _together(what: Iterable[str]) -> SlipError:
    return SlipError(
        f"{', '.join(what)} and memory=tso are not proved together for all sizes: leave memory at sc, or use uncork "
        "check, which decides it at the sizes you name"
    )


def counted(design: Design) -> bool:
    """Whether a proof is for any number of workers: then their number in the design is an example.

    Parts and lemmas of the user's own may tell one worker from another.
    """
    return any_workers(design.at(1, 2, 2).assembled.choices) and not owned(design)


def _refuse_order(action: Action, takes: Sequence[str]) -> None:
    """Raises `SlipError` for a step that looks at whose the CQEs are, or takes one; but for the guest's, which `takes`.

    In a proof CQEs have no order: one of any SQ that has one counts as the next that the guest may find. So a step that
    waits for such a CQE may do more than in the ring, one that waits for there to be none less, and one that takes it
    might find another SQ's.
    """
    if action.name in takes:
        return
    looks = {str(v.value) for v in variables(action.guard)}
    for name, value in action.updates.items():
        looks |= {str(v.value) for v in variables(value)} - {name}
    of = sorted(name for name in looks if name.endswith(".ledger.unread"))
    if of or "cq.cursor" in action.updates:
        what = f"looks at {', '.join(of)}" if of else "takes a CQE"
        raise SlipError(
            f"{action.name} {what}: with several SQs the order of CQEs is "
            "not known to a proof. Use --sqs one, or uncork check, which decides it at the sizes you name"
        )


def owned(design: Design) -> str:
    """Why a design is not proved for any number of SQs, and what to do; empty if it may be.

    A proof for any number follows two SQs. Parts of the user's own may do other things with the next. So a proof of
    them follows all SQs of a number of them.
    """
    parts = [*design.at(1, 2, 2).assembled.own, *(f"the lemma {each.name}" for each in own_lemmas(design))]
    if not parts:
        return ""
    return (
        f"{', '.join(parts)}: with parts or lemmas of your own a design is proved for one, two or three SQs, and not "
        "for any number. Use --sqs one, two or three, or uncork check, which decides more SQs at the sizes you name"
    )


def own_lemmas(design: Design) -> list[OwnLemma]:
    """Returns the lemmas in the files of a design's device and guest."""
    files = [name for name in dict.fromkeys((design.device, design.guest)) if of_file(name)]
    if not files:
        return []
    from uncork_nvme.own.device import lemmas

    return list(dict.fromkeys(each for name in files for each in lemmas(name)))  # both may stand in one file


@dataclass(frozen=True)
class Part:
    """The result for any number of SQs (`several`) or for `sqs` of them, with a CQ of at least `least` entries.

    `counted`: it is for any number of workers. `rows` maps every tried property to whether it is proved, and to what
    failed.
    """

    several: bool
    least: int
    counted: bool
    judgement: Judgement
    rows: Mapping[str, tuple[bool, Sequence[Failure]]]
    sqs: int = 1

    @property
    def proved(self) -> list[str]:
        """The properties that are proved."""
        return [row for row, (proved, _) in self.rows.items() if proved]

    @property
    def live(self) -> bool:
        """Whether every property that was tried is proved."""
        return len(self.proved) == len(self.rows)

    @property
    def claim(self) -> str:
        """What is proved, in a sentence."""
        return claim(self.several, self.least, self.proved, len(self.rows), self.sqs, counted=self.counted)


def claim(several: bool, least: int, proved: Sequence[str], tried: int, sqs: int = 1, *, counted: bool = False) -> str:
    """What is proved, in a sentence."""
    sizes = "every queue size" if least == LEAST[0] else f"every SQ size and every CQ of {least} entries or more"
    what = "live" if len(proved) == tried else f"{', '.join(proved) or 'nothing'} proved"
    number = "any number of" if several else SQS[sqs - 1]
    of = f"{number} {'SQ' if number == 'one' else 'SQs'}"
    return f"{what} for {sizes}, {of} and any number of workers an SQ" if counted else f"{what} for {sizes} and {of}"


def prove(design: Design, several: bool, watch: Watch = unwatched, sqs: int = 1) -> list[Part]:
    """Proves a design for every size. If that fails, also for larger CQs, if more can be proved there."""
    parts: list[Part] = []
    for least in LEAST:
        part = patiently(partial(_part, design, several, least, watch, sqs))
        if not parts or len(part.proved) > len(parts[-1].proved):
            parts.append(part)
        if part.live:
            break
    return parts


def _part(design: Design, several: bool, least: int, watch: Watch, sqs: int = 1) -> Part:
    found, stated = argued(design, several=several, least=least, sqs=sqs)
    judgement = judge(found, lambda what: watch(Tick(0, 1, what)))
    rows: dict[str, tuple[bool, list[Failure]]] = {}
    for prop in tried_of(found, stated):
        proved, against = rows.get(prop.row, (True, []))
        rows[prop.row] = proved and judgement.proves(prop), against + judgement.against(prop)
    return Part(several, least, counted(design), judgement, rows, sqs)


def tried_of(found: Argument, stated: Sequence[Property]) -> list[Property]:
    """Returns the properties that a proof is about."""
    named = {d.prop.name for d in found.descents} | {r.prop.name for r in found.responses}
    return [prop for prop in stated if prop.row == "safety" or prop.name in named]


def failing(design: Design, several: bool, rows: Sequence[str], watch: Watch, sqs: int = 1) -> list[Checked]:
    """Returns small instances with a counterexample to one of these properties.

    If a search finds none, a recorded run may be one, at sizes that a search does not reach.
    """
    instances = [design.at(*shape) for shape in REAL if (shape[0] > 1 if several else shape[0] == sqs)]
    every = many.check(instances, rows, Budget(states=SMALL), watch)
    found = [each for each in every if any(isinstance(row.verdict, Refuted) for row in each.rows)]
    return found or known_to_fail(design, several, rows, sqs)


def known_to_fail(design: Design, several: bool, rows: Sequence[str], sqs: int = 1) -> list[Checked]:
    """Returns the instances of a design that a recorded run refutes, by one of these properties."""
    found: list[Checked] = []
    for run in KNOWN:
        if run.row not in rows or not (run.shape[0] > 1 if several else run.shape[0] == sqs):
            continue
        instance = design.at(*run.shape)
        trace = followed(instance.system, Trace((), run.steps, len(run.before)))
        prop = named(properties(instance.machine, instance.system), run.prop)
        if trace is not None and refutes(instance.system, trace, prop):
            verdict = Refuted(trace, shortest=False)
            outcome = Outcome("replay", ((prop, verdict),), None, 0, 0, 0, 0)
            found.append(Checked(instance, (Row(run.row, prop.name, verdict),), outcome))
    return found
