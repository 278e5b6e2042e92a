"""Turns the filters of a command into instances."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from uncork_nvme.catalogue import DEVICES, GUESTS, find_device, find_guest
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
    """The filters of a command. An empty list stands for everything in the default matrix."""

    policies: Sequence[str] = ()
    devices: Sequence[str] = ()
    guests: Sequence[str] = ()
    sqs: Sequence[int] = ()
    sq_sizes: Sequence[int] = ()
    cq_sizes: Sequence[int] = ()
    overrides: Sequence[str] = ()


def select(filters: Filters) -> list[Instance]:
    """Returns the filtered instances of the default matrix, and those outside the matrix that the filters name.

    A missing size comes from the matrix where it has the given ones; otherwise it equals the given size. The missing
    number of SQs is then 1. A device or guest `all` stands for the whole catalogue. Raises `InstanceError` or
    `ChoiceError` for unknown names.
    """
    if "all" in filters.devices:
        filters = replace(filters, devices=list(DEVICES))
    if "all" in filters.guests:
        filters = replace(filters, guests=list(GUESTS))
    for name in filters.devices:
        find_device(name)
    for name in filters.guests:
        find_guest(name)
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
    """Returns the named and filtered instances, and the reasons why combinations were left out.

    Raises `InstanceError` or `ChoiceError` for unknown names, or if no instance is named.
    """
    if filters == Filters():
        if not names:
            raise InstanceError("no instance: name an instance, or filter with --device NAME (see: uncork list)")
        return [from_name(name) for name in names], []
    fit, left_out = fitting(select(filters))
    return [*(from_name(name) for name in names), *fit], left_out


def is_instance(word: str) -> bool:
    """Returns whether a word of a command line, which is not a file, is meant as the name of an instance."""
    return word.count("/") >= 3 and not os.path.exists(word) and not word.endswith((".py", ".csv"))


def fitting(instances: Sequence[Instance]) -> tuple[list[Instance], list[str]]:
    """Returns the instances whose choices are compatible; and why not, for every other device and guest.

    Raises `ChoiceError` if no instance is left.
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
    """Returns the named reductions; all of them for None. Raises `InstanceError` for unknown names."""
    if names is None:
        return REDUCTIONS
    if "none" in names and len(names) > 1:
        raise InstanceError("--reductions is none or a list of names, not both")
    for name in names:
        if name not in (*REDUCTIONS, "none"):
            raise InstanceError(f"there is no reduction {name!r}{did_you_mean(name, [*sorted(REDUCTIONS), 'none'])}")
    return frozenset(names) - {"none"}


def rows(names: Sequence[str]) -> list[str]:
    """Returns the named properties; all of them if no name is given. Raises `InstanceError` for unknown names."""
    for name in names:
        look_up(ROWS, name, "property")
    return [row for row in ROWS if row in names or not names]
