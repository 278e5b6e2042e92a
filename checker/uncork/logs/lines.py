"""Reads uncork's own log format: JSON Lines, one event per line. docs/validate.md describes the format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from uncork_nvme.catalogue import find_device, find_guest
from uncork_nvme.choices import MAX_SIZE, ChoiceError, parse
from uncork_nvme.instance import InstanceError, find_policy, from_name
from uncork_nvme.observe import LOOK

from uncork.core import jsontext
from uncork.core.sorts import Value, did_you_mean
from uncork.logs import MOST, Header, Log, LogError, Seen, count, numbered

VERSION = "uncork 1"
"""The value of `log` in the header: the version of the format."""

HEADER = {
    **dict.fromkeys(("log", "instance", "device", "guest", "policy"), str),
    **dict.fromkeys(("sqs", "sq_size", "cq_size"), int),
    **{"set": dict, "always": list, "note": str},
}
"""The fields of a header and their types. `log` is required."""

_EVENT = {"event": str, "sq": int, "worker": int, "actor": str, "note": str, "step": int, "before": dict}
_END = {"end": str, "from": int, "step": int, "note": str}
ENDS = ("stuck", "stops", "repeats")
"""The values of `end` in a schedule: how its run ends."""


def read(lines: Iterator[str]) -> Log:
    """Returns the log of some lines. Raises `LogError`."""
    header, events, ended = Header(), list[Seen](), False
    for place, (number, line) in enumerate(numbered(lines)):
        told = entry(number, line)
        if ended:
            raise LogError(number, "a line after the end")
        if "log" in told:
            if place:
                raise LogError(number, "a header has to be the first line")
            header = _header(number, told)
        elif "end" in told:
            ended = _end(number, told)
        else:
            events += _seen(number, told)
    return Log(header, events)


def entry(number: int, line: str) -> dict[str, Any]:
    """Returns a line as an object. Raises `LogError`."""
    try:
        told = jsontext.loads(line)
    except ValueError as error:
        raise LogError(number, f"not JSON: {error}") from None
    if not isinstance(told, dict):
        raise LogError(number, 'not an object, such as {"event": "submit", "sq": 0}')
    return told


def _typed(number: int, told: Mapping[str, Any], known: Mapping[str, type]) -> None:
    for name, value in told.items():
        if name in known and type(value) is not known[name]:
            raise LogError(number, f"{name!r} has to be {_TYPES[known[name]]}, not {json.dumps(value)[:60]}")


_TYPES = {str: "a string", int: "a whole number", dict: "an object", list: "a list of strings"}


def _header(number: int, told: Mapping[str, Any]) -> Header:
    for name in told:
        if name not in HEADER:
            raise LogError(number, f"a header has no {name!r}{did_you_mean(name, HEADER)}")
    _typed(number, told, HEADER)
    if told["log"] != VERSION:
        raise LogError(number, f"a log of the form {told['log']!r:.60} is not known, one of {VERSION!r} is")
    for name in {"sqs", "sq_size", "cq_size"} & told.keys():
        count(number, name, told[name], MOST if name == "sqs" else MAX_SIZE)
    always = told.get("always", [])
    if not all(isinstance(event, str) for event in always):
        raise LogError(number, "'always' has to be a list of strings")
    try:
        if "device" in told:
            find_device(told["device"])
        if "guest" in told:
            find_guest(told["guest"])
        if "policy" in told:
            find_policy(told["policy"])
        overrides = dict(parse(f"{name}={value}") for name, value in told.get("set", {}).items())
        named = Header()
        if "instance" in told:
            of = from_name(told["instance"])
            named = Header(of.device, of.guest, of.policy, of.sqs, of.sq_size, of.cq_size, of.overrides)
    except (ChoiceError, InstanceError) as error:
        raise LogError(number, str(error)) from None
    of_instance = {name: told[name] for name in told if name in _OF_INSTANCE}
    given = named.under(Header(**of_instance, overrides=overrides))
    return replace(given, always=tuple(always))


_OF_INSTANCE = ("device", "guest", "policy", "sqs", "sq_size", "cq_size")


def _end(number: int, told: Mapping[str, Any]) -> bool:
    """Returns whether a line is the end of a schedule. Raises `LogError` for a malformed end."""
    _typed(number, told, _END)
    if told["end"] not in ENDS:
        raise LogError(number, f"a run ends in one of {', '.join(ENDS)}, not in {told['end']!r:.60}")
    for name, value in told.items():
        if name not in _END:
            _value(number, name, value)
    return True


def _seen(number: int, told: Mapping[str, Any]) -> Iterator[Seen]:
    if "event" not in told:
        raise LogError(number, "no 'event'")
    _typed(number, told, _EVENT)
    saw = {name: _value(number, name, value) for name, value in told.items() if name not in _EVENT}
    if before := told.get("before"):
        yield Seen(number, LOOK, saw={name: _value(number, name, value) for name, value in before.items()})
    yield Seen(number, told["event"], told.get("sq"), told.get("worker"), saw)


def _value(number: int, name: str, value: Any) -> Value:
    if "." not in name:
        raise LogError(number, f"an event has no {name!r}: values have names such as cq.shadow or sq0.head")
    if not isinstance(value, bool | int):
        raise LogError(number, f"{name!r} has to be a whole number, true or false, not {json.dumps(value)[:60]}")
    return value
