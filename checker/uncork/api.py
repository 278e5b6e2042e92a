"""What a script calls: `from uncork import api`, and then `api.check`, `prove`, `trace`, `replay`, `validate`, ...

Each function does what the command of the same name does, without the options for files and terminals. An instance is
an `Instance` or its name, `"propolis-2025/linux/tail/n1-sq3-cq3"`. Results are plain data. Bad input raises
`InstanceError`, `ChoiceError`, `SlipError` or `LogError`, which are `ValueError`s.

The functions are not names of `uncork` itself, where the folders `check`, `prove`, `trace`, ... have these names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from uncork_nvme.choices import Choice
from uncork_nvme.instance import Design, Instance, InstanceError, from_name
from uncork_properties.catalogue import ROWS, named, properties

from uncork.core.causes.cause import cause as _cause
from uncork.core.property import Property
from uncork.core.trace import Trace, refutes
from uncork.core.trace import replay as _replay
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.one import Checked
from uncork.engines import Budget

if TYPE_CHECKING:  # z3 and numba take a second to import, and a script that only checks needs neither
    from uncork.design.search import SearchResult as Repairs
    from uncork.measure.simulate import Measurement
    from uncork.prove.proof import Part as Proof

Named = Instance | str
"""An instance, or its name."""


def instance(named: Named) -> Instance:
    """The instance of a name; an `Instance` is given back as it is. Raises `InstanceError`."""
    return from_name(named) if isinstance(named, str) else named


# -- check and trace ---------------------------------------------------------------------------------------------------
def check(
    *instances: Named, rows: Sequence[str] = tuple(ROWS), budget: Budget | None = None, engine: str = "explicit"
) -> list[Checked]:
    """The verdicts on each instance, in order: safety, `uncorked`, `drains` and `progress`, or some `rows` of these.

    `Checked.rows` has a verdict each: `Proved`, `Refuted` (with its replayed trace) or `Open`. `budget` is for each
    instance. Instances that are the same system are searched once, on all cores.
    """
    return list(many.check([instance(each) for each in instances], rows, budget, engine=engine))


@dataclass(frozen=True)
class Counterexample:
    """A run that refutes a property of an instance. `shortest`: no shorter run of its kind exists."""

    instance: Instance
    property: Property
    run: Trace
    shortest: bool

    def cause(self) -> str:
        """Which wake-up was missed, at which step, and why; or how the run breaks an invariant."""
        return _cause(self.instance.system, self.property, self.run).text

    def __str__(self) -> str:
        """The run step by step, as `uncork trace` prints it."""
        from uncork.render.terminal.text import Page, console  # rich
        from uncork.render.terminal.trace import show_trace

        of, to = self.instance, console()
        with to.capture() as captured:
            show_trace(Page(to=to), of.name, of.system, self.property, self.run, shortest=self.shortest)
        return captured.get()


def trace(of: Named, row: str | None = None, budget: Budget | None = None) -> Counterexample | None:
    """A shortest counterexample to one `row`, or to the refuted one whose steps `uncork check` counts; None if none is.

    None means proved only if `check` says so: a spent `budget` gives None too.
    """
    found = instance(of)
    _, refuted = many.counterexample(found, [row] if row else list(ROWS), budget)
    if refuted is None or not isinstance(refuted.verdict, Refuted):
        return None
    prop = named(properties(found.machine, found.system), refuted.name)
    return Counterexample(found, prop, refuted.verdict.trace, refuted.verdict.shortest)


def replay(of: Named, run: Trace) -> tuple[str, ...]:
    """The names of the properties that a run refutes, after the interpreter has re-derived each of its steps.

    Raises `ReplayError` for a run that is none of the instance.
    """
    found = instance(of)
    _replay(found.system, run)
    asked = properties(found.machine, found.system)
    return tuple(prop.name for prop in asked if refutes(found.system, run, prop))


# -- designs -----------------------------------------------------------------------------------------------------------
def prove(
    policy: str,
    device: str,
    guest: str = "linux",
    overrides: Mapping[str, Choice] | None = None,
    *,
    several: bool = False,
    sqs: int = 1,
) -> Proof:
    """The proof of a design for every queue size, with one to three SQs or, if `several`, with any number of SQs.

    `Proof.live` says whether safety and every liveness that was tried is proved, and `Proof.claim` says it in a
    sentence. A part that is not proved is not refuted: `check` looks at sizes.
    """
    from uncork.prove.proof import prove as proofs

    return proofs(Design(device, guest, policy, dict(overrides or {})), several, sqs=sqs)[-1]


def repair(
    device: str,
    guests: Sequence[str] = ("linux",),
    sqs: Sequence[int] = (1,),
    policies: Sequence[str] | None = None,
    budget: Budget | None = None,
) -> Repairs:
    """The minimal sets of changes that make a device live, at all shapes of the default matrix with so many SQs.

    `Repairs.live` has the designs, `Repairs.needed(live)` shows why each change in one is needed. `policies` are
    EventIdx policies or formulas to try; default: some thirty.
    """
    from uncork.design.decider import Decider
    from uncork.design.search import search
    from uncork.design.space import ROWS as LIVE
    from uncork.design.space import Space, shapes

    space = Space(device, tuple(guests), shapes(sqs))
    if policies is not None:
        space = replace(space, policies=tuple(policies))
    return search(space, Decider(LIVE, budget or Budget()))


def measure(of: Named, load: str = "full", *, milliseconds: float = 100, runs: int = 5, seed: int = 1) -> Measurement:
    """What a policy costs at real sizes, by simulation under a load: doorbells, time corked, time to resume.

    `Measurement.flow` has means with confidence intervals over the `runs`; it is None if a run got stuck. Raises
    `InstanceError` for a load that does not exist.
    """
    from uncork_properties.load import LOADS

    from uncork.measure.simulate import measure as simulated

    if load not in LOADS:
        raise InstanceError(f"there is no load {load!r}: {', '.join(LOADS)}")
    return simulated(instance(of), LOADS[load], time=milliseconds * 1000, runs=runs, seed=seed)


# -- logs --------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Validated:
    """Whether a log is a run of an instance.

    `accepted` of its `events` were followed; all of them, or `failed` is the line of the first that does not fit. `why`
    says what made the search give up, if it did. `stuck`: every continuation leaves the guest waiting for ever; `may`:
    some continuation does.
    """

    instance: Instance
    events: int
    accepted: int
    failed: int | None
    why: str | None
    stuck: bool
    may: bool

    @property
    def fits(self) -> bool:
        """Whether the log is a run of the instance."""
        return self.accepted == self.events


def validate(log: str | Path, of: Named, *, format: str = "uncork", queue: int | None = None) -> Validated:
    """Whether a log of a real device is a run of an instance; any step that the log does not show may happen between.

    `format` is uncork, propolis, dtrace or qemu; of dtrace and qemu, `queue` is the number of the CQ. Raises `LogError`
    for a line that cannot be read, `OSError` for a file that cannot.
    """
    from uncork.logs.read import FORMATS, read
    from uncork.validate import follow
    from uncork.validate.end import end

    if format not in FORMATS:
        raise InstanceError(f"there is no log format {format!r}: {', '.join(FORMATS)}")
    found = instance(of)
    with open(log, encoding="utf-8") as file:
        events = read(file, format, queue)
    follow.check(found, events)
    followed = follow.follow(found, events, aimed=follow.has_many(found), most=follow.STATES)
    ended = end(followed) if followed.fits else None
    failed = followed.failed.line if followed.failed else None
    ends = (ended.stuck, ended.may) if ended else (False, False)
    return Validated(found, len(events.events), followed.accepted, failed, followed.crowd, *ends)
