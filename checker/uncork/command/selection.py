"""From the filters of a command to the instances they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.choices import ChoiceError, parse_all
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name, look_up
from uncork_nvme.shape import Shape
from uncork_properties import matrix
from uncork_properties.catalogue import ROWS

from uncork.core.frozen import frozen
from uncork.core.sorts import did_you_mean
from uncork.engines import REDUCTIONS


@frozen
class Filters:
    """What was asked for; an empty list is everything in the default matrix."""

    policies: Sequence[str] = ()
    devices: Sequence[str] = ()
    guests: Sequence[str] = ()
    sqs: Sequence[int] = ()
    sq_sizes: Sequence[int] = ()
    cq_sizes: Sequence[int] = ()
    overrides: Sequence[str] = ()


def select(filters: Filters) -> list[Instance]:
    """The instances of the default matrix that pass; where a filter names something outside it, that is added.

    Sizes that are not named are those of the matrix if it has the others, else equal to the one that is named, and
    one SQ. A device or guest called `all` is every one there is. Raises
    `InstanceError` or `ChoiceError` for what does not exist.
    """
    if "all" in filters.devices:
        filters = replace(filters, devices=list(DEVICES))
    if "all" in filters.guests:
        filters = replace(filters, guests=list(GUESTS))
    for name in filters.devices:
        look_up(DEVICES, name, "device")
    for name in filters.guests:
        look_up(GUESTS, name, "guest")
    for name in filters.policies:
        find_policy(name)
    overrides = parse_all(filters.overrides)
    found = [
        Instance(device, guest, policy, *shape)
        for device in filters.devices or matrix.DEVICES
        for guest in filters.guests or matrix.GUESTS
        for policy in filters.policies or matrix.policies(device)
        for shape in _shapes(filters)
        if filters.guests or guest in matrix.guests(shape.sqs)
        if filters.sqs or matrix.fits(device, shape.sqs)
    ]
    return [replace(instance, overrides=overrides) for instance in found] if overrides else found


def named(names: Sequence[str], filters: Filters) -> tuple[list[Instance], list[str]]:
    """The instances of these names, and those that the filters name, if there are any; and what does not fit, and why.

    Raises `InstanceError` or `ChoiceError` for what does not exist, or if nothing is named.
    """
    if filters == Filters():
        if not names:
            raise InstanceError("name an instance, or filter them, as with --device propolis-2026 (see: uncork list)")
        return [from_name(name) for name in names], []
    fit, left_out = fitting(select(filters))
    return [*(from_name(name) for name in names), *fit], left_out


def fitting(instances: Sequence[Instance]) -> tuple[list[Instance], list[str]]:
    """The instances whose choices go together; and of each device and guest whose do not, why not.

    Raises `ChoiceError` if there are none that do.
    """
    fit, why, last = [], {}, None
    for instance in instances:
        try:
            _ = instance.choices
        except ChoiceError as error:
            last = error
            why[f"{instance.device} with {instance.guest}"] = str(error)
        else:
            fit.append(instance)
    if last and not fit:
        raise last
    return fit, [f"{pair}: {reason}" for pair, reason in why.items()]


def _shapes(filters: Filters) -> list[Shape]:
    shapes: dict[Shape, None] = {}
    anything: Sequence[int | None] = [None]
    for wanted in product(filters.sqs or anything, filters.sq_sizes or anything, filters.cq_sizes or anything):
        known = [s for s in matrix.SHAPES if all(w is None or w == v for w, v in zip(wanted, s, strict=True))]
        if not known:
            sqs, sq_size, cq_size = wanted
            size = next((each for each in (sq_size, cq_size) if each is not None), 2)
            sqs = 1 if sqs is None else sqs
            known = [Shape(sqs, size if sq_size is None else sq_size, size if cq_size is None else cq_size)]
        shapes.update(dict.fromkeys(known))
    return list(shapes)


def reductions(names: Sequence[str] | None) -> frozenset[str]:
    """The reductions of some names, all of them for None; raises `InstanceError`."""
    if names is None:
        return REDUCTIONS
    if "none" in names and len(names) > 1:
        raise InstanceError("--reductions is none, or names some, not both")
    for name in names:
        if name not in (*REDUCTIONS, "none"):
            raise InstanceError(f"there is no reduction {name!r}{did_you_mean(name, [*sorted(REDUCTIONS), 'none'])}")
    return frozenset(names) - {"none"}


def rows(names: Sequence[str]) -> list[str]:
    """The properties of some names, all of them for none; raises `InstanceError`."""
    for name in names:
        look_up(ROWS, name, "property")
    return [row for row in ROWS if row in names or not names]
