"""Asks two engines that share no code the same, and holds them to one another."""

from __future__ import annotations

from uncork.core.property import Property
from uncork.core.verdict import Verdict
from uncork.engines import explicit
from uncork.engines.reference import check
from uncork_nvme.instance import Instance
from uncork_properties.catalogue import covers, properties


def both(instance: Instance) -> list[tuple[Property, Verdict, Verdict]]:
    """The verdicts of the explicit engine and of the reference, which agree in kind, as do counts and covers."""
    asked = properties(instance.machine, instance.system), covers(instance.machine, instance.system)
    fast, plain = explicit.check(instance.system, *asked), check(instance.system, *asked)
    assert (fast.states, fast.transitions, fast.depth) == (plain.states, plain.transitions, plain.depth)
    assert fast.unreached == plain.unreached
    pairs = [(prop, one, other) for (prop, one), (_, other) in zip(fast.verdicts, plain.verdicts, strict=True)]
    for prop, one, other in pairs:
        assert type(one) is type(other), prop.name
    return pairs
