"""Follows a log as a run of an instance, tells what would fit where it stops, and finds the nearest device."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from uncork_nvme.catalogue import DEVICES
from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import Instance, InstanceError
from uncork_nvme.observe import LOOK, TELLS_ORDER, at_once, families, shows

from uncork.core.questions.observed import Event
from uncork.core.sorts import Value, contains, did_you_mean
from uncork.engines import Tick, Watch, unwatched
from uncork.engines.follow import Follower, TooManyStates
from uncork.engines.python import Plain
from uncork.logs import Log, LogError, Seen, known, parts
from uncork.validate import moves

STATES = 200_000
"""Following a log is given up if more states than this fit it, unless the caller says otherwise."""

_EVERY = 500


@dataclass(frozen=True)
class Followed:
    """The result of following a log as a run of an instance.

    `accepted` is the number of events that fit, `failed` the first event that does not. `crowd` says why following was
    given up. `aimed`: not all moves of the guest that the log leaves out were tried; `unsure`: so that a run may have
    been missed.
    """

    instance: Instance
    reader: Reader
    follower: Follower
    log: Log
    accepted: int
    failed: Seen | None
    crowd: str | None
    aimed: bool
    unsure: bool

    @property
    def fits(self) -> bool:
        """Whether the whole log is a run of the instance."""
        return self.failed is None and self.crowd is None


class Reader:
    """Translates events of a log into events of an instance's machine."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.machine, self.system = instance, instance.machine, instance.system
        self.shows = shows(self.machine)
        self._known = dict[tuple[str, int | None, int | None], frozenset[str]]()
        self._fine = set[tuple[str, type, Value]]()
        self._parts = {action.name: parts(action) for action in self.system.actions}

    def event(self, seen: Seen) -> Event:
        """Returns an event of a log for the machine; without actions if the machine has no such step."""
        saw = {name: value for name, value in seen.saw.items() if name in self.shows}
        return Event(f"line {seen.line}", self.actions(seen), saw)

    def actions(self, seen: Seen) -> frozenset[str]:
        """Returns the names of the actions that an event may be."""
        if seen.event == LOOK:
            return frozenset()
        key = (seen.event, seen.sq, seen.worker)
        if key not in self._known:
            wanted = self._families(seen.event)
            of = [a for a in self.system.actions if a.family in wanted]
            if seen.sq is not None:
                of = [a for a in of if self._parts[a.name][0] in (seen.sq, None)]
            if seen.worker is not None:
                of = [a for a in of if self._parts[a.name][1] in (seen.worker, None)]
            self._known[key] = frozenset(action.name for action in of)
        return self._known[key]

    def unseen(self, always: Sequence[str]) -> frozenset[str]:
        """Returns the actions that may happen between two events: all but those that are always logged."""
        shown = {family for event in always for family in self._families(event)}
        return frozenset(action.name for action in self.system.actions if action.family not in shown)

    def check(self, seen: Seen) -> None:
        """Raises `LogError` for an event, SQ, worker, name or value that the machine does not have."""
        if seen.sq is not None and not 0 <= seen.sq < len(self.machine.sqs):
            raise LogError(seen.line, f"there is no SQ {seen.sq}: there are {len(self.machine.sqs)}, from 0")
        self.known(seen.line, seen.event)
        workers = self.machine.choices.workers
        if seen.worker is not None and not 0 <= seen.worker < workers:
            raise LogError(seen.line, f"there is no worker {seen.worker}: there are {workers}, from 0")
        for name, value in seen.saw.items():
            if (name, type(value), value) in self._fine:
                continue
            if name not in self.shows:
                raise LogError(seen.line, f"there is no value {name!r}{did_you_mean(name, self.shows)}")
            sort = self.shows[name].sort
            if not contains(sort, value):
                raise LogError(seen.line, f"{name} is {sort}, and cannot be {value!r}")
            self._fine.add((name, type(value), value))

    def _families(self, event: str) -> tuple[str, ...]:
        """Returns the families of an event; none if it is a step of another device, of the user's own."""
        try:
            return families(event, self.system)
        except KeyError:
            return ()

    def known(self, line: int, event: str) -> None:
        """Raises `LogError` for an event that no step of the machine is."""
        if event != LOOK and not self._families(event):
            known(line, event)
            raise LogError(line, f"there is no event {event!r} in {self.instance.name}")


def has_many(instance: Instance) -> bool:
    """Whether the queues are so large that guest moves missing from a log are tried only to where the log leads."""
    return max(instance.sq_size, instance.cq_size) > moves.FEW


def check(instance: Instance, log: Log) -> None:
    """Checks that every event of a log can be an event of an instance. Raises `LogError`."""
    reader = Reader(instance)
    for event in log.header.always:
        reader.known(1, event)
    for seen in log.events:
        reader.check(seen)


def follow(instance: Instance, log: Log, *, aimed: bool, most: int, watch: Watch = unwatched) -> Followed:
    """Follows a log as a run of an instance, to its end or to the first event that does not fit."""
    reader = Reader(instance)
    system, machine = reader.system, reader.machine
    unseen = reader.unseen(log.header.always)
    aims = moves.aims(machine, system, unseen) if aimed else {}
    cursor = any(name.endswith(TELLS_ORDER) for seen in log.events for name in seen.saw)
    worker = any(seen.worker is not None for seen in log.events)
    soon = at_once(machine, system, cursor=cursor, worker=worker)
    follower = Follower(system, unseen, reader.shows, most, at_once=soon, aims=aims, lazily=True)
    ahead = moves.ahead(log.events, {aim.name for aim in aims.values()})
    accepted, failed, crowd = 0, None, None
    collects = gc.isenabled()
    gc.disable()  # what is made here has no cycles, and looking for some takes a quarter of the time
    try:
        for seen, next_ in zip(log.events, ahead, strict=True):
            if not accepted % _EVERY:
                watch(Tick(accepted, len(log.events), instance.name))
            event = reader.event(seen)
            impossible = seen.event != LOOK and not event.actions
            if impossible or not follower.take(event, next_):
                failed = seen
                break
            accepted += 1
    except TooManyStates as why:
        crowd = str(why)
    finally:
        if collects:
            gc.enable()
    unsure = bool(failed and aims) and not moves.lose_no_run(
        machine, system, aims, reader.shows, log.events, reader.actions, unseen
    )
    return Followed(instance, reader, follower, log, accepted, failed, crowd, bool(aims), unsure)


# -- what the model would have allowed ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Allowed:
    """What the model allows in place of an event that does not fit.

    `values`: the allowed values of every name that the event saw; empty if no such event may happen.
    `together`: whether each seen value alone is allowed, but not all of them at once.
    `steps`: the families of steps that may happen, each with the actors that may take it.
    """

    values: Mapping[str, Sequence[Value]]
    together: bool
    steps: Mapping[str, Sequence[str]]


def allowed(followed: Followed) -> Allowed:
    """Returns what the model allows where the log stops fitting. Raises `Crowd` if too many states fit."""
    assert followed.failed is not None
    follower, reader = followed.follower, followed.reader
    event = reader.event(followed.failed)
    words = {"cq.shadow", *(f"{q.name}.shadow" for q in reader.machine.sqs)}
    ahead = moves.ahead(followed.log.events[followed.accepted :], words)
    after: Sequence[Plain] = [state for _, state in follower.outcomes(event, ahead[0])]
    if followed.failed.event == LOOK:
        after = list(follower.reachable(ahead[0]))
    shown = follower.shown(after)
    values = {name: sorted({each[name] for each in shown}, key=repr) for name in event.saw} if shown else {}
    every = Event("", frozenset(a.name for a in reader.system.actions if a.family != "submit" or a.args[1] == 1))
    steps = dict[str, set[str]]()
    for name, _ in follower.outcomes(every, ahead[0]):
        action = reader.system.action(name)
        steps.setdefault(action.family, set()).add(action.actor)
    fits = bool(shown) and all(event.saw[name] in may for name, may in values.items())
    return Allowed(values, fits, {family: sorted(actors) for family, actors in sorted(steps.items())})


# -- the nearest device ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Nearest:
    """A device of the catalogue, and how many events it accepts; `fits` if all of them.

    `open`: too many states fit after those events to follow the log any further.
    """

    device: str
    policy: str
    accepted: int
    fits: bool
    open: bool


def nearest(followed: Followed, *, most: int, watch: Watch) -> list[Nearest]:
    """Returns the devices, with their own policies, that accept a rejected log; else those that accept most events.

    Overrides of choices that the other device sets itself are dropped.
    """
    found = []
    rejected = followed.instance
    for name, device in DEVICES.items():
        overrides = {k: v for k, v in rejected.overrides.items() if k not in device.choices}
        try:
            other = Instance(name, rejected.guest, device.policy, *rejected.shape, overrides)
            if not rejected.assembled.own and (other.choices, other.policy) == (rejected.choices, rejected.policy):
                continue
            tried = follow(other, followed.log, aimed=followed.aimed, most=most, watch=partial(_trying, name, watch))
        except (ChoiceError, InstanceError):
            continue
        found.append(Nearest(name, device.policy, tried.accepted, tried.fits, bool(tried.crowd)))
    furthest = max((each.accepted for each in found), default=0)
    best = [each for each in found if each.fits] or [each for each in found if each.accepted == furthest]
    return [*best, *(each for each in found if each.open and each not in best)]


def _trying(device: str, watch: Watch, tick: Tick) -> None:
    watch(replace(tick, current=f"trying {device}"))
