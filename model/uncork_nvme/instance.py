"""An instance: device, guest, policy, number of SQs and sizes, with a name that identifies all of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

from uncork.core.frozen import frozen
from uncork.core.sorts import SlipError, did_you_mean
from uncork.core.system import Action, Guarded, RingPicture, System

from uncork_nvme import catalogue
from uncork_nvme.assembly import Parts, assembled, steps
from uncork_nvme.catalogue import DEVICES, GUESTS, find_device, find_guest
from uncork_nvme.choices import MAX_SIZE, MAX_WORKERS, YES, Choice, ChoiceError, Choices, parse_all
from uncork_nvme.choices import InstanceError as InstanceError  # re-exported: callers import it from here
from uncork_nvme.formulas import FormulaError, formula
from uncork_nvme.names import apart, files, joined, of_file
from uncork_nvme.policies import POLICIES, Policy
from uncork_nvme.shape import Shape
from uncork_nvme.state.machine import Machine

MAX_STEPS = 100_000
"""The most steps of a machine; one with that many takes half a minute to build."""


@frozen
class Instance:
    """One machine to check. `overrides` replace choices of the device and the guest."""

    device: str
    guest: str
    policy: str
    sqs: int
    sq_size: int
    cq_size: int
    overrides: Mapping[str, Choice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        find_device(self.device)
        find_guest(self.guest)
        if not 1 <= self.sqs <= MAX_WORKERS:
            raise InstanceError(f"a CQ has 1 to {MAX_WORKERS} SQs here, not {self.sqs}")
        for what, size in (("an SQ", self.sq_size), ("a CQ", self.cq_size)):
            if not 2 <= size <= MAX_SIZE:
                raise InstanceError(f"{what} has 2 to {MAX_SIZE} entries, not {size}")

    @property
    def shape(self) -> Shape:
        """Its sizes."""
        return Shape(self.sqs, self.sq_size, self.cq_size)

    @property
    def name(self) -> str:
        """`device/guest/policy/n1-sq3-cq3`, with the overrides at the end."""
        return joined(self.device, self.guest, self.policy, str(self.shape), overrides=self.overrides)

    @property
    def files(self) -> list[Path]:
        """The files of the user's own that its device, guest and policy stand in."""
        return files([self.device, self.guest, self.policy])

    @property
    def parts(self) -> dict[str, Any]:
        """The parts of the instance as plain data."""
        return {
            "policy": self.policy,
            "device": self.device,
            "guest": self.guest,
            "sqs": self.sqs,
            "sq_size": self.sq_size,
            "cq_size": self.cq_size,
            "overrides": dict(self.overrides),
        }

    @property
    def choices(self) -> Choices:
        """The device's choices, replaced by the guest's and then by the overrides; raises `ChoiceError`."""
        chosen = self.assembled.choices
        if self.sqs * chosen.workers > MAX_WORKERS:
            raise ChoiceError(
                f"SQs times workers is {MAX_WORKERS} at most, not {self.sqs} times {chosen.workers}: take fewer of them"
            )
        return chosen

    @property
    def assembled(self) -> Parts:
        """The parts of the device and the guest; raises `ChoiceError`."""
        return _assembled(self.device, self.guest, tuple(self.overrides.items()))

    @property
    def steps(self) -> int:
        """About how many steps the machine has; raises `InstanceError` if there are too many to build."""
        chosen = self.choices
        workers = self.sqs * chosen.workers
        kicks = 1 if chosen.kick_size == "all" else 4 * 2**self.sqs
        sites = [
            (chosen.kick_on_doorbell, 1),
            (chosen.kick_on_post, self.sqs),
            (chosen.kick_on_reserve, workers),
            (chosen.kick_on_remit, workers),
        ]
        steps = 13 * workers + self.sqs * min(chosen.submit_batch, self.sq_size - 1)
        steps += sum(times * kicks for kicked, times in sites if kicked == YES)
        unfenced = (chosen.weak and chosen.guest_fence != YES) + (chosen.arm and chosen.device_load_fence != YES)
        steps += unfenced * (self.sqs * self.sq_size**2 + self.cq_size**2)  # each store is a variable that steps read
        if chosen.weak and chosen.device_locks != YES:
            steps += (self.sqs * self.sq_size + 3 * self.cq_size) ** 2
        if steps > MAX_STEPS:
            raise InstanceError(
                f"{self.name} has some {steps:,} steps, which are more than can be written down: fewer SQs, smaller "
                "queues or submit_batch=1 have fewer"
            )
        return steps

    @cached_property
    def machine(self) -> Machine:
        """The state and choices from which actions and properties are built; raises `InstanceError`, like `steps`."""
        _ = self.steps
        with _within(self.device, self.guest):
            return Machine(self.assembled, find_policy(self.policy), *self.shape)

    def shares(self, known: dict[object, Machine]) -> None:
        """Makes the machine from a known machine that differs in the policy only, if there is one.

        Most steps do not depend on the policy, so this saves time when many instances are built.
        """
        _ = self.steps
        key = self.device, self.guest, self.shape, tuple(self.overrides.items())
        like = known.get(key)
        found = like.under(find_policy(self.policy)) if like else None
        if found:
            self.__dict__["machine"] = found
        else:
            known[key] = self.machine

    @cached_property
    def system(self) -> System:
        """The machine in the form that engines read; raises `InstanceError` for a mistake in a file of the user's."""
        machine = self.machine
        replicas = tuple((q.name, q.label) for q in machine.sqs)
        with _within(self.device, self.guest):
            return system(self.name, machine, machine.pictures(), replicas, machine.watched())


@frozen
class Design:
    """A device, a guest and a policy, without sizes; `overrides` replace choices of the device and the guest."""

    device: str
    guest: str
    policy: str
    overrides: Mapping[str, Choice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        find_device(self.device)
        find_guest(self.guest)

    @property
    def name(self) -> str:
        """`device/guest/policy`, with the overrides at the end."""
        return joined(self.device, self.guest, self.policy, overrides=self.overrides)

    @property
    def files(self) -> list[Path]:
        """The files of the user's own that its device, guest and policy stand in."""
        return files([self.device, self.guest, self.policy])

    def within(self) -> AbstractContextManager[None]:
        """Runs parts of its device and guest; those of the user's own say in which line of their files an error is."""
        return _within(self.device, self.guest)

    def at(self, sqs: int, sq_size: int, cq_size: int) -> Instance:
        """The instance of this design with the given sizes."""
        return Instance(self.device, self.guest, self.policy, sqs, sq_size, cq_size, self.overrides)


@cache
def _assembled(device: str, guest: str, overrides: tuple[tuple[str, Choice], ...]) -> Parts:
    """The parts of a device and a guest, with overrides."""
    made = find_device(device), find_guest(guest)
    choices = Choices().replace({**made[0].choices, **made[1].choices, **dict(overrides)})
    with _within(device, guest, lines=not overrides, choices=True):
        return assembled(choices, [part for each in made for part in each.parts])


@contextmanager
def _within(*names: str, lines: bool = True, choices: bool = False) -> Iterator[None]:
    """Runs parts of a device and a guest; those of the user's own say in which line of their files an error is."""
    own = [name for name in names if of_file(name)]
    if not own:
        yield
        return
    for name, find in zip(names, (find_device, find_guest), strict=True):
        find(name)  # they may have been forgotten, and are loaded again
    from uncork_nvme.own import device

    with device.within(own, lines=lines, choices=choices):
        yield


def system(
    name: str,
    machine: Machine,
    pictures: tuple[RingPicture, ...] = (),
    replicas: tuple[tuple[str, str], ...] = (),
    watched: tuple[tuple[str, str], ...] = (),
) -> System:
    """The system of a machine: its variables and steps; raises `InstanceError` for a mistake in a user's own policy."""
    try:
        actions = tuple(_step(each) for each in steps(machine))
    except InstanceError:
        raise
    except Exception as error:
        if ":" in machine.policy.name and not machine.parts.own:  # the policy's result does not fit where it is used
            raise InstanceError(f"{machine.policy.name}: {error}") from error
        raise
    variables = tuple(v for record in machine.records for v in record.variables)
    return System(name, variables, actions, pictures, replicas, watched)


def _step(each: object) -> Action:
    """A step that a part gives; raises `SlipError` if it is none."""
    if not isinstance(each, Action):
        what = "a command" if isinstance(each, Guarded) else repr(each)[:40]
        raise SlipError(f'a part gives {what} for a step: write @step("worker {{}}") above the function, and yield it')
    return each


def from_name(name: str) -> Instance:
    """The instance of a name such as `propolis-2025/linux/tail/n1-sq3-cq3`; raises `InstanceError`."""
    found = apart(name, DEVICES, GUESTS)
    if found is not None:
        find_device(found.device)
        find_guest(found.guest)
    if found is None or not found.found:
        raise InstanceError(
            f"{name!r} is not an instance: write device/guest/policy/n1-sq3-cq3, and overrides after another /"
        )
    sizes = shape(found.found)
    try:
        overrides = parse_all(found.overrides)
    except ChoiceError as error:
        raise InstanceError(str(error)) from None
    made = Instance(found.device, found.guest, found.policy, *sizes, overrides)
    find_policy(made.policy)
    return made


def shape(text: str) -> Shape:
    """The sizes that are written as `n1-sq3-cq3`; raises `InstanceError` for another text."""
    found = Shape.parse(text)
    if found is None:
        raise InstanceError(f"{text!r} is not a shape: write n1-sq3-cq3 for one SQ of 3 entries and a CQ of 3")
    return found


_Named = TypeVar("_Named")


def look_up(known: Mapping[str, _Named], name: str, kind: str) -> _Named:
    """The device, guest or the like of a name; raises `InstanceError` with the nearest name."""
    if name not in known:
        raise InstanceError(f"there is no {kind} {name!r}{did_you_mean(name, known)}")
    return known[name]


def find_policy(name: str) -> Policy:
    """The policy with a name, a formula, or `path/to/file.py:function`; raises `InstanceError`."""
    if (path := name.removesuffix(":")).endswith(".py"):
        raise InstanceError(f"policy {path}: {_functions(path)}")
    if ":" in name:
        return _load(name)
    if name in POLICIES:
        return POLICIES[name]
    try:
        return formula(name)
    except FormulaError as error:
        said = f"; as a formula: {error}" if not re.fullmatch(r"[a-z-]+", name) else ""
        raise InstanceError(
            f"there is no policy {name!r}{did_you_mean(name, POLICIES)}{said}; one of your own is named "
            f"path/to/file.py:function"
        ) from None


def _functions(path: str) -> str:
    """What to write instead of the path of a file alone: its functions, which are read and not run."""
    import ast  # only needed for this error

    try:
        top = ast.parse(Path(path).read_bytes()).body
    except OSError:
        return f"there is no file {path}"
    except (SyntaxError, ValueError):
        return f"name a function of the file: {path}:function"
    names = [each.name for each in top if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")]
    if not names:
        return f"{path} has no function: write one, and name it as {path}:function"
    return f"name a function of the file: {' or '.join(f'{path}:{each}' for each in names)}"


_LOADED: dict[str, Policy] = {}


def forget() -> None:
    """Makes the next look-up in a file of the user's own read it again; existing instances keep what they have."""
    _LOADED.clear()
    _assembled.cache_clear()
    catalogue.forget()
    own = sys.modules.get("uncork_nvme.own.policy")
    if own is not None:  # a file was loaded, perhaps without success
        own.forget()


def _load(name: str) -> Policy:
    if name not in _LOADED:
        from uncork_nvme.own import policy  # imported late: this adds a tenth to the time of all imports

        _LOADED[name] = policy.load(name)
    return _LOADED[name]
