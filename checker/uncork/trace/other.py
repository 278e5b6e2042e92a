"""What a word on the command line stands for beside an instance."""

from __future__ import annotations

import re
from dataclasses import replace

from uncork_nvme.choices import parse_all
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name

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
    try:
        return from_name(word)
    except InstanceError as error:
        *parts, last = word.split("/")
        changed = bool(_OVERRIDES.match(last))
        if len(parts) < (3 if changed else 2):
            raise InstanceError(
                f"{word!r} is no design: write an instance, device/guest/policy, a policy or choice=value"
            ) from None
        try:
            return from_name("/".join([*parts, str(of.shape), last] if changed else [word, str(of.shape)]))
        except InstanceError:
            raise error from None
