"""Finds overrides that change nothing: the instance is the same machine without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import Instance

from uncork.command.selection import Filters
from uncork.decide.many import fingerprint


def told(filters: Filters, instances: Sequence[Instance]) -> list[str]:
    """Returns a sentence for every override in the filters that changes nothing in some instances."""
    having: dict[str, list[Instance]] = {}
    for instance in instances if filters.overrides else ():
        for name, value in instance.overrides.items():
            having.setdefault(f"{name}={value}", []).append(instance)
    sentences = []
    for override, those in having.items():
        same = [each for each in those if _idle(each, override.partition("=")[0])]
        if same:
            where = (
                "here" if len(same) == len(those) else f"in {len(same)} of {len(those)} instances, as {same[0].name}"
            )
            sentences.append(f"{override} makes no difference {where}: it is the same machine without it")
    return sentences


def _idle(instance: Instance, name: str) -> bool:
    """Returns whether an instance is the same machine without one of its overrides."""
    without = replace(instance, overrides={other: v for other, v in instance.overrides.items() if other != name})
    try:
        return fingerprint(without) == fingerprint(instance)
    except ChoiceError:  # the remaining choices are incompatible
        return False
