"""What a word on the command line stands for beside an instance."""

from __future__ import annotations

import re
from dataclasses import replace

from uncork_nvme.choices import parse_all
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name
from uncork_nvme.shape import Shape

_OVERRIDES = re.compile(r"\w+=[^=]")


def other_of(of: Instance, word: str) -> Instance:
    """Returns the instance that a word stands for beside another one.

    It is an instance; or device/guest/policy, a policy, or choices (`name=value,...`), with the rest as in `of`. Raises
    `InstanceError`, or `ChoiceError` for a choice that does not exist.
    """
    if _OVERRIDES.match(word):
        found = replace(of, overrides={**of.overrides, **parse_all(word.split(","))})
    elif "/" not in word:
        found = replace(of, policy=find_policy(word).name)
    else:
        found = _named(of, word)
    _ = found.choices  # raises for choices that do not go together
    return found


def _named(of: Instance, word: str) -> Instance:
    parts = word.split("/")
    changed = parts.pop() if _OVERRIDES.match(parts[-1]) else ""
    if Shape.parse(parts[-1]):
        return from_name(word)
    if len(parts) < 3:
        raise InstanceError(f"{word!r} is no design: write an instance, device/guest/policy, a policy or choice=value")
    return from_name("/".join([*parts, str(of.shape), *([changed] if changed else [])]))
