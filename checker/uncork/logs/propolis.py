"""Reads logs of Propolis's queue code under a test driver, in JSON Lines: driver steps, accesses and probes.

Some of the driver's steps are calls into the device. Calls may nest: then steps of inner calls stand between the
accesses of outer ones. A line's `depth` is the number of calls around it, and its state is taken in the middle of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from uncork_nvme.catalogue import DEVICES
from uncork_nvme.choices import MAX_SIZE, Choice
from uncork_nvme.observe import LOOK

from uncork.core.sorts import Value
from uncork.logs import MOST, Header, Log, LogError, Seen, count, numbered
from uncork.logs.lines import entry

_ALWAYS = (
    *("submit", "check_sq", "ring_sq", "consume", "leave_loop", "publish", "check_cq", "ring_cq"),
    *("take_sq", "recheck_sq", "write_sq", "reserve_cq", "recheck_cq", "cqe", "credit", "write_cq"),
    *("notify_tail", "notify", "head_told", "kick"),
)
_BASES = {"head": ("propolis-2026", "leave if occupied<=1 else tail-1"), "prefix": ("propolis-2025", "tail")}
"""The code since PR #1026 and before: its device, and its policy as a formula."""

_LETTERS: dict[str, dict[str, Choice]] = {
    "a": {},
    "b": {"cork": "arm-recheck"},
    "b3": {"cork": "arm-recheck"},
    "c": {"kick_on_post": "yes", "kick_on_reserve": "yes"},
    "o": {"post_order": "arm-then-read"},
    "r": {"kick_on_remit": "yes"},
}
"""Changes in the code besides the policy, by letter. Letters add up; before PR #1026 they follow `tail_`."""

_AT_A_CORK = {"b": "if corking head else ", "b3": "if corked head else "}
_VARIANT = re.compile("head|prefix|(tail_)?((?:a|b3?|c|o|r)+)")


def read(lines: Iterator[str]) -> Log:
    """Returns the log of some lines. The guest is `linux` and submits one entry at a time. Raises `LogError`."""
    header: Header | None = None
    events, reading = list[Seen](), _Reading()
    for number, line in numbered(lines):
        told = entry(number, line)
        try:
            if told["lvl"] == "header":
                if header or events:
                    raise LogError(number, "a header has to be the first line")
                header = _header(number, told)
                reading.tags = _slots(number, told["cfg"])
            elif told["lvl"] != "probe":
                events += reading.seen(number, told)
        except LogError:
            raise
        except KeyError as error:
            raise LogError(number, f"not a line of a Propolis run: it has no {error}") from None
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            raise LogError(number, f"not a line of a Propolis run: {error}") from None
    if header is None:
        raise LogError(1, "a Propolis run starts with a line of the lvl header")
    return Log(replace(header, overrides=_as_seen(header.overrides, reading)), events)


def _as_seen(overrides: Mapping[str, Choice], reading: _Reading) -> Mapping[str, Choice]:
    """Returns the choices, completed by what the log shows of an SQ that rechecks before it corks, and finds room."""
    if reading.stays_corked is None or "cork" not in overrides:
        return overrides
    stays = reading.stays_corked or "kick_on_reserve" in overrides  # a kick removes the SQ's record and notifies the SQ
    return {**overrides, "cork": "arm-recheck-corked" if stays else "arm-recheck-uncorked"}


# -- the header --------------------------------------------------------------------------------------------------------
def _header(number: int, told: Mapping[str, Any]) -> Header:
    config, variant = told["cfg"], told["variant"]
    if not isinstance(variant, str):
        raise ValueError(f"variant has to be a string, not {variant!r}")
    most = {"nsq": MOST, "sq_size": MAX_SIZE, "cq_size": MAX_SIZE, "workers_per_sq": MOST}
    for name in most:
        if (name, config[name], config["worker_model"]) != (
            "workers_per_sq",
            0,
            "M1",
        ):  # the letter has no meaning there
            count(number, name, config[name], most[name])
    sizes = (config["nsq"], config["sq_size"], config["cq_size"])
    device, policy, changed = variant_of(variant) or (None, None, {})
    return Header(device, "linux", policy, *sizes, changed, _ALWAYS, variant=variant, setting=_setting(config))


def variant_of(name: str) -> tuple[str, str, dict[str, Choice]] | None:
    """Returns the device, policy and choices of a variant's name; None for an unknown name."""
    matched = _VARIANT.fullmatch(name)
    if matched is None:
        return None
    letters = re.findall("b3|.", matched[2] or "")
    kinds = [letter[0] for letter in letters]
    if len(set(kinds)) < len(kinds):
        return None
    device, policy = _BASES["prefix" if matched[1] or name == "prefix" else "head"]
    if "a" in letters:
        policy = "tail-1"
    for letter in letters:
        policy = _AT_A_CORK.get(letter, "") + policy
    if policy == _BASES["head"][1]:
        policy = DEVICES[device].policy
    return device, policy, {name: value for letter in letters for name, value in _LETTERS[letter].items()}


def _setting(config: Mapping[str, Any]) -> dict[str, Choice]:
    """Returns the choices that the driver makes: one entry per submission, worker model, number of workers."""
    models = {"M1": {"backend": "detached"}, "M2": {}}
    if config["worker_model"] not in models:
        raise ValueError(f"worker_model is M1 or M2, not {config['worker_model']!r}")
    several = {"workers": config["workers_per_sq"]} if config["workers_per_sq"] > 1 else {}
    return {"submit_batch": 1, **models[config["worker_model"]], **several}


def _slots(number: int, config: Mapping[str, Any]) -> int | None:
    """Returns the guest's command slots if consuming frees them; else None, for a guest that need not wait."""
    frees = config["guest_frees_tag"]
    if frees not in ("at_consume", "at_publish"):
        raise ValueError(f"guest_frees_tag is at_consume or at_publish, not {frees!r}")
    slots = count(number, "tags_per_sq", config.get("tags_per_sq", config["sq_size"] - 1))
    return slots if frees == "at_consume" else None


# -- the lines ---------------------------------------------------------------------------------------------------------
@dataclass
class _Call:
    """A call into the device, with its SQ if known. Earlier accesses decide the meaning of later ones."""

    of: str = ""
    sq: int | None = None
    posted: bool = False
    armed_sq: bool = False
    armed_cq: bool = False
    wrote: bool = False
    rechecks: bool = False
    corked: bool | None = None
    """Whether the SQ counts as corked after the recheck."""

    @property
    def posts(self) -> bool:
        return self.of == "complete" or self.posted


_CALLS = ("pop", "complete", "sq_ring", "cq_ring")


@dataclass
class _Reading:
    """The running calls, by depth."""

    calls: dict[int, _Call] = field(default_factory=dict)
    tags: int | None = None
    """Command slots of an SQ, if the log shows when each is freed."""
    late: list[Seen] = field(default_factory=list)
    """Notifications of SQs during a pop: they wait for the end of the pop."""
    stays_corked: bool | None = None
    """Whether an SQ that found room on recheck still counts as corked."""

    def seen(self, number: int, told: Mapping[str, Any]) -> Iterator[Seen]:
        """Yields the events of a line."""
        level, event, args = told["lvl"], told["ev"], told["args"]
        depth = told.get("depth", int(level == "mem"))
        if type(depth) is not int or depth < 0:
            raise ValueError(f"depth has to be a whole number, 0 or more, not {depth!r}")
        for call in self.calls.values():
            if call.rechecks and call.sq is not None:
                call.rechecks, call.corked = False, told["sq"][call.sq]["id"] in told["cq"]["corked"]
        if level == "mem":
            yield from self._access(number, event, args, self.calls.setdefault(depth - 1, _Call()))
            yield Seen(number, LOOK, saw=self._shared(told))
            return
        if level == "op_begin":
            if event not in _CALLS:
                raise ValueError(f"{event!r} is no call")
            self.calls[depth] = _Call(event, _sq(args) if "sq" in args else None)
        elif level != "op":
            raise ValueError(f"an unknown lvl {level!r}")
        else:
            yield from self._step(number, event, args, depth)
        inside = [call for at, call in self.calls.items() if at < depth]
        yield Seen(number, LOOK, saw=self._values(told, inside))
        if level == "op" and not depth:
            yield Seen(number, LOOK, saw={f"sq{k}.called": False for k in range(len(told["sq"]))})

    def _step(self, number: int, event: str, args: Mapping[str, Any], depth: int) -> Iterator[Seen]:
        if event not in _STEPS:
            raise ValueError(f"an unknown event {event!r}")
        if event in _CALLS:
            self.calls.pop(depth, None)
        for seen in _STEPS[event](number, args):
            looked_at = any(call.of == "pop" and call.sq == seen.sq for call in self.calls.values())
            if seen.event == "notify" and looked_at:
                self.late.append(seen)
            else:
                yield seen
        if event == "pop":
            sq = _sq(args)
            yield from (seen for seen in self.late if seen.sq == sq)
            self.late = [seen for seen in self.late if seen.sq != sq]

    def _access(self, number: int, event: str, args: Mapping[str, Any], call: _Call) -> Iterator[Seen]:
        if event in ("dev_read_sq_shadow", "dev_write_sq_eventidx"):
            sq = _sq(args, "q")
            if event == "dev_write_sq_eventidx":
                call.armed_sq = True
                yield Seen(number, "write_sq", sq, None, {f"sq{sq}.eventidx": args["val"]})
            else:
                self.stays_corked, call.corked = call.corked if self.stays_corked is None else self.stays_corked, None
                step, call.armed_sq = "recheck_sq" if call.armed_sq else "take_sq", False
                yield Seen(number, step, sq, None, {f"sq{sq}.shadow": args["val"]})
        elif event == "dev_write_cqe":
            if call.wrote:  # the CQE is written with the old phase tag, then with the new one: now the guest sees it
                call.posted = True
                yield Seen(number, "cqe", call.sq)
            call.wrote = not call.wrote
        elif event == "dev_read_cq_shadow":
            call.rechecks = call.armed_cq and not call.posts
            step = "credit" if call.posts else "recheck_cq" if call.armed_cq else "reserve_cq"
            yield Seen(number, step, call.sq, None, {"cq.shadow": args["val"]})
        elif event == "dev_write_cq_eventidx":
            call.armed_cq = True
            yield Seen(number, "write_cq" if call.posts else "cork_arm", call.sq, None, {"cq.eventidx": args["val"]})
        elif event != "dev_read_sqe":
            raise ValueError(f"an unknown access {event!r}")

    def _shared(self, told: Mapping[str, Any]) -> dict[str, Value]:
        """Returns the values of memory and of the guest, which are valid at every line."""
        cq, guest = told["cq"], told["guest"]
        values: dict[str, Value] = {"cq.eventidx": int(cq["eventidx"]), "cq.shadow": int(cq["shadow"])}
        values["cq.cursor"] = int(guest["cq_head"])
        for k, sq in enumerate(told["sq"]):
            values |= {f"sq{k}.eventidx": int(sq["eventidx"]), f"sq{k}.shadow": int(sq["shadow"])}
            if self.tags is not None:
                values[f"sq{k}.outstanding"] = self.tags - int(guest["free_tags"][k])
        return values

    def _values(self, told: Mapping[str, Any], inside: list[_Call]) -> dict[str, Value]:
        """Returns the values after a line, without the values that running calls have half changed."""
        cq, values = told["cq"], self._shared(told)
        values |= {"cq.head": int(cq["head"]), "cq.tail": int(cq["tail"]), "cq.permits": int(cq["avail"])}
        for k, sq in enumerate(told["sq"]):
            values |= {f"sq{k}.head": int(sq["head"]), f"sq{k}.tail": int(sq["tail"])}
            values[f"sq{k}.in_flight"] = int(told["inflight"][k])
            values[f"sq{k}.awake"] = int(told["pollers_active"][k])
        if not inside:  # an SQ is corked before the recheck, and kicked some time after a recheck that finds room
            values |= {f"sq{k}.corked": sq["id"] in cq["corked"] for k, sq in enumerate(told["sq"])}
        for call in inside:
            for name in _half_done(call):
                values.pop(name, None)
        return values


def _half_done(call: _Call) -> list[str]:
    """Returns the values that a running call changes at another moment than the model."""
    if call.of == "pop":  # the model counts the command as in flight from the end of the pop
        return [f"sq{call.sq}.awake", f"sq{call.sq}.in_flight"]
    if call.of == "complete":  # the code ends the flight and moves the tail before it writes the CQE
        return [f"sq{call.sq}.awake", *([] if call.posted else ["cq.tail", f"sq{call.sq}.in_flight"])]
    return []


_Args = Mapping[str, Any]


def _sq(args: _Args, name: str = "sq") -> int:
    number = args[name]
    if type(number) is not int or number < 1:
        raise ValueError(f"{number!r} is no SQ")
    return number - 1


def _rings_sq(number: int, args: _Args) -> list[Seen]:
    sq = _sq(args)
    return [
        Seen(number, "ring_sq", sq, None, {f"sq{sq}.shadow": args["val"]}),
        Seen(number, "notify_tail", sq),
        Seen(number, "notify", sq),
    ]


def _rings_cq(number: int, args: _Args) -> list[Seen]:
    rung = Seen(number, "ring_cq", None, None, {"cq.shadow": args["val"]})
    if args["result"] != "Ok":
        return [rung, Seen(number, "reject_head")]
    return [rung, Seen(number, "notify_head"), Seen(number, "kick")]


def _checks(number: int, ring: str, sq: int | None, args: _Args) -> Seen:
    name = ring if sq is None else f"{ring}{sq}"
    saw = {f"{name}.eventidx": args["eventidx"], f"{name}.shadow": args["new"]}
    return Seen(number, f"need_{ring}" if args["need_event"] else f"elide_{ring}", sq, None, saw)


_STEPS: dict[str, Callable[[int, _Args], list[Seen]]] = {
    **dict.fromkeys(("init", "pop", "complete"), lambda n, args: []),
    "submit": lambda n, args: [Seen(n, "submit", _sq(args), None, {f"sq{_sq(args)}.shadow": args["new"]})],
    "sq_check": lambda n, args: [_checks(n, "sq", _sq(args), args)],
    "sq_ring": _rings_sq,
    "cq_consume": lambda n, args: [Seen(n, "consume", args["sqid"] - 1)],
    "cq_exit_loop": lambda n, args: [Seen(n, "leave_loop")],
    "cq_publish": lambda n, args: [Seen(n, "publish", None, None, {"cq.shadow": args["new"]})],
    "cq_check": lambda n, args: [_checks(n, "cq", None, args)],
    "cq_ring": _rings_cq,
}
