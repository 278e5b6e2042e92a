"""Logs of Propolis's own queue code under a test driver, in JSON Lines: what it did, each access, each probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from uncork_nvme.choices import MAX_SIZE, Choice
from uncork_nvme.observe import LOOK

from uncork.core.sorts import Value
from uncork.logs import MOST, Header, Log, LogError, Seen, count, numbered
from uncork.logs.lines import entry

_ALWAYS = (
    *("submit", "check_sq", "ring_sq", "consume", "leave_loop", "publish", "check_cq", "ring_cq"),
    *("take_sq", "recheck_sq", "write_sq", "reserve_cq", "cqe", "credit", "write_cq"),
    *("notify_tail", "notify", "head_told", "kick"),
)
_VARIANTS: dict[str, tuple[str, str, dict[str, Choice]]] = {
    "prefix": ("propolis-2025", "tail", {}),
    "head": ("propolis-2026", "tail-lag", {}),
    "acor": (
        "propolis-2026",
        "tail-1",
        {"post_order": "arm-then-read", "kick_on_post": "yes", "kick_on_reserve": "yes", "kick_on_remit": "yes"},
    ),
}
"""The code before PR #1026; that since; and one that arms first and kicks wherever room appears."""


def read(lines: Iterator[str]) -> Log:
    """The log of some lines; raises `LogError`. A guest of these logs is `linux`, one entry at a time."""
    header: Header | None = None
    events, reading = list[Seen](), _Reading()
    for number, line in numbered(lines):
        told = entry(number, line)
        try:
            if told["lvl"] == "header":
                if header or events:
                    raise LogError(number, "a header has to be the first line")
                header = _header(number, told)
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
    return Log(header, events)


def _header(number: int, told: Mapping[str, Any]) -> Header:
    config, variant = told["cfg"], told["variant"]
    if variant not in _VARIANTS:
        raise ValueError(f"the variant is one of {', '.join(_VARIANTS)}, not {variant!r}")
    for name in ("nsq", "sq_size", "cq_size", "workers_per_sq"):
        count(number, name, config[name], MAX_SIZE if name.endswith("size") else MOST)
    device, policy, overrides = _VARIANTS[variant]
    own: dict[str, Choice] = {"submit_batch": 1}
    if config["worker_model"] == "M1":
        own["backend"] = "detached"
    elif config["workers_per_sq"] > 1:
        own |= {"workers": config["workers_per_sq"], "notify_empty": "all"}
    if config["guest_frees_tag"] != "at_consume":
        own["early_free"] = "no"
    sizes = (config["nsq"], config["sq_size"], config["cq_size"])
    return Header(device, "linux", policy, *sizes, {**overrides, **own}, _ALWAYS)


class _Reading:
    """What a line means depends on the accesses before it in the same call."""

    def __init__(self) -> None:
        self._posting = self._armed = self._wrote = False

    def seen(self, number: int, told: Mapping[str, Any]) -> Iterator[Seen]:
        """The events of a line."""
        args = told["args"]
        if told["lvl"] == "mem":
            yield from self._access(number, told["ev"], args)
            return
        self._posting = self._armed = self._wrote = False
        if told["ev"] in _STEPS:
            yield from _STEPS[told["ev"]](number, args)
        elif told["ev"] not in ("init", "pop", "complete"):
            raise ValueError(f"an unknown event {told['ev']!r}")
        yield Seen(number, LOOK, saw=_values(told))

    def _access(self, number: int, event: str, args: Mapping[str, Any]) -> Iterator[Seen]:
        if event == "dev_read_sq_shadow":
            step, self._armed = "recheck_sq" if self._armed else "take_sq", False
            yield Seen(number, step, args["q"] - 1, None, {f"sq{args['q'] - 1}.shadow": args["val"]})
        elif event == "dev_write_sq_eventidx":
            self._armed = True
            yield Seen(number, "write_sq", args["q"] - 1, None, {f"sq{args['q'] - 1}.eventidx": args["val"]})
        elif event == "dev_write_cqe":
            if self._wrote:  # first with the old phase tag, then with the new: now the guest sees it
                self._posting, self._wrote = True, False
                yield Seen(number, "cqe")
            else:
                self._wrote = True
        elif event == "dev_read_cq_shadow":
            yield Seen(number, "credit" if self._posting else "reserve_cq", None, None, {"cq.shadow": args["val"]})
        elif event == "dev_write_cq_eventidx":
            yield Seen(number, "write_cq", None, None, {"cq.eventidx": args["val"]})
        elif event != "dev_read_sqe":
            raise ValueError(f"an unknown access {event!r}")


_Args = Mapping[str, Any]


def _sq(args: _Args) -> int:
    number = args["sq"]
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


_STEPS: dict[str, Callable[[int, _Args], list[Seen]]] = {
    "submit": lambda n, args: [Seen(n, "submit", _sq(args), None, {f"sq{_sq(args)}.shadow": args["new"]})],
    "sq_check": lambda n, args: [
        Seen(
            n,
            "need_sq" if args["need_event"] else "elide_sq",
            *(_sq(args), None),
            {f"sq{_sq(args)}.eventidx": args["eventidx"]},
        )
    ],
    "sq_ring": _rings_sq,
    "cq_consume": lambda n, args: [Seen(n, "consume", args["sqid"] - 1)],
    "cq_exit_loop": lambda n, args: [Seen(n, "leave_loop")],
    "cq_publish": lambda n, args: [Seen(n, "publish", None, None, {"cq.shadow": args["new"]})],
    "cq_check": lambda n, args: [
        Seen(n, "need_cq" if args["need_event"] else "elide_cq", None, None, {"cq.eventidx": args["eventidx"]})
    ],
    "cq_ring": _rings_cq,
}


def _values(told: Mapping[str, Any]) -> dict[str, Value]:
    """What a driver's line says of the state after it, in which no call of the device is under way."""
    cq = told["cq"]
    values: dict[str, Value] = {f"cq.{name}": int(cq[name]) for name in ("eventidx", "shadow", "head", "tail")}
    values |= {"cq.permits": int(cq["avail"]), "cq.corked": len(cq["corked"])}
    values["cq.cursor"] = int(told["guest"]["cq_head"])
    for k, sq in enumerate(told["sq"]):
        values |= {f"sq{k}.{name}": int(sq[name]) for name in ("eventidx", "shadow", "head", "tail")}
        values[f"sq{k}.corked"] = sq["id"] in cq["corked"]
        values[f"sq{k}.in_flight"] = int(told["inflight"][k])
    return values
