"""Devices and guests of the user's own: `path/to/file.py:name`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import TypeVar

from uncork.core import before_own_code
from uncork.core.sorts import did_you_mean

from uncork_nvme.choices import InstanceError
from uncork_nvme.device import Composed, Device
from uncork_nvme.own.file import File, told
from uncork_nvme.own.lemma import OwnLemma

_Kind = TypeVar("_Kind", bound=Composed)
_files: dict[str, File] = {}
_found: dict[str, Composed] = {}


def load(name: str, kind: type[_Kind]) -> _Kind:
    """The device or guest of `path/to/file.py:name`; raises `InstanceError`."""
    if name not in _found:
        _found[name] = _load(name, kind)
    found = _found[name]
    if not isinstance(found, kind):
        raise InstanceError(_other(name, found, kind))
    return found


def forget() -> None:
    """Makes the next look-up read the files again."""
    _files.clear()
    _found.clear()


@contextmanager
def within(names: Sequence[str], *, lines: bool = True, choices: bool = False) -> Iterator[None]:
    """Runs parts of devices and guests that were loaded. What goes wrong says in which line of their files.

    Without `lines`, what is in no line is about no line: not about that in which a device is declared. See `file.told`.
    """
    of = [(_files[os.path.realpath(name.rpartition(":")[0])], _found[name].place[1] if lines else 0) for name in names]
    with ExitStack() as stack:
        for file, _ in of:
            stack.enter_context(file.running())
        with told(*of, choices=choices):
            yield


def lemmas(name: str) -> list[OwnLemma]:
    """The lemmas in the file of a device or guest that was loaded."""
    file = _files[os.path.realpath(name.rpartition(":")[0])]
    return [each for each in vars(file.modules[0]).values() if isinstance(each, OwnLemma)]


def _load(name: str, kind: type[Composed]) -> Composed:
    path, _, said = name.rpartition(":")
    what = kind.__name__.lower()
    real = os.path.realpath(path)
    if real not in _files:
        if not os.path.isfile(path):
            raise InstanceError(f"{what} {name}: there is no file {path}")
        for each in list(before_own_code):
            each(path)
        file = File(path)
        with told((file, 0)):
            file.load()
        _files[real] = file
    known = vars(_files[real].modules[0])
    if said not in known:
        made = [each for each, value in known.items() if isinstance(value, kind)]
        hint = did_you_mean(said, made) if made else f": write {said} = {kind.__name__}(...) in it"
        raise InstanceError(f"{what} {name}: {path} has no {said!r}{hint}")
    found: object = known[said]
    if not isinstance(found, Composed):
        raise InstanceError(_other(name, found, kind))
    if isinstance(found, Device) and found.policy.startswith(":"):  # of the same file
        found = copy(found)
        found.__dict__["policy"] = path + found.policy
    return found


def _other(name: str, found: object, kind: type[Composed]) -> str:
    what = kind.__name__.lower()
    if isinstance(found, Composed):
        is_, place = ("device", "first") if isinstance(found, Device) else ("guest", "second")
        return f"{what} {name}: it is a {is_}: name it with --{is_}, or {place} in the name of an instance"
    if callable(found):
        return (
            f"{what} {name}: it is a {'class' if isinstance(found, type) else 'function'}, and no {kind.__name__}(...)"
        )
    return f"{what} {name}: it is {type(found).__name__} {found!r:.40}, and no {kind.__name__}(...)"
