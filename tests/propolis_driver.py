"""Runs of the model as a driver of Propolis's queue code logs them: calls, one inside another where it is `fine`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from uncork.core.evaluate import evaluate
from uncork.engines.python import Plain, predicate, successors
from uncork.logs.propolis import _setting, variant_of
from uncork.validating import parts
from uncork_nvme.instance import Instance
from uncork_nvme.observe import awake, shows

GUEST = ("submit", "need_sq", "elide_sq", "consume", "leave_loop", "publish", "need_cq", "elide_cq")
RINGS = {"ring_sq": ("notify_tail", "notify"), "ring_cq": ("notify_head", "kick")}
FINDS_NONE = ("cork", "cork_park", "remit")


@dataclass
class Call:
    """A call under way: which, of which SQ and worker; whether it has begun to step, and has written its CQE."""

    of: str
    sq: int
    worker: int | None
    begun: bool = False
    posted: bool = False
    fetched: bool = False
    corking: bool = False


def instance(variant: str, shape: tuple[int, int, int], workers: int) -> Instance:
    """What the log of a variant is of; no workers: completions come from elsewhere."""
    made = variant_of(variant)
    assert made is not None
    device, policy, choices = made
    model = "M2" if workers else "M1"
    return Instance(
        device, "linux", policy, *shape, {**choices, **_setting({"worker_model": model, "workers_per_sq": workers})}
    )


class Driver:
    """Draws a run, and tells it in lines; `state` is where it ended."""

    def __init__(
        self,
        variant: str,
        shape: tuple[int, int, int],
        workers: int,
        *,
        fine: bool,
        seed: int,
        tags: int = 0,
        cork: str = "arm-recheck-corked",
    ):
        self.instance, self.fine, self.drawn = instance(variant, shape, workers), fine, random.Random(seed)
        if "cork" in self.instance.overrides:
            self.instance = replace(self.instance, overrides={**self.instance.overrides, "cork": cork})
        self.in_worker = workers > 0
        self.tags = tags or shape[1] - 1
        self.system, self.machine = self.instance.system, self.instance.machine
        self._after = successors(self.system)
        self._names = [v.name for v in self.system.variables]
        self.state: Plain = tuple(self.system.initial.values())
        self._shows = {**shows(self.machine), **{f"{q.name}.awake": awake(q) for q in self.machine.sqs}}
        self._settled = [predicate(self.system, q.settled & q.unlocked) for q in self.machine.sqs]
        self._unlocked = predicate(self.system, self.machine.cq.unlocked)
        self._calls, self._seq = list[Call](), 0
        config = dict(zip(("nsq", "sq_size", "cq_size"), shape, strict=True))
        config |= {"tags_per_sq": self.tags, "worker_model": "M2" if workers else "M1", "workers_per_sq": workers}
        self.header = {
            "lvl": "header",
            "variant": variant,
            "cfg": config | {"guest_frees_tag": "at_consume", "fine": fine},
        }

    def lines(self, steps: int) -> Iterator[str]:
        """The lines of so many steps of the model; and of those that end the calls that are under way then."""
        yield json.dumps(self.header)
        yield self._line("op", "setup", "init", {})
        while steps > 0 or self._calls:
            moves = list(self._moves(steps <= 0))
            if not moves:
                return
            move = self.drawn.choice(moves)
            steps -= 1
            yield from self._begin(*move) if isinstance(move[0], Call) else self._step(*move)

    def _moves(self, ending: bool) -> Iterator[tuple[Any, Any]]:
        inner = self._calls[-1] if self._calls else None
        value, shown = self._value, self._shown()
        for action, target in self._after(self.state):
            if target is None:
                continue
            family, (sq, worker) = self.system.actions[action].family, parts(self.system.actions[action])
            if family in GUEST or family in RINGS:
                if (inner and not self.fine) or ending:
                    continue
                if family == "submit" and shown[f"sq{sq}.outstanding"] >= self.tags:
                    continue
                if family == "ring_sq" and not (self._settled[sq or 0](self.state) and self._free(sq)):
                    continue
                if family == "ring_cq" and not (self._unlocked(self.state) and self._free()):
                    continue
                yield family, target
            elif family == "wake":
                if not inner:
                    yield family, target
            elif inner and (inner.sq, inner.worker) == (sq, worker):
                if self._belongs(inner, family):
                    yield family, target
            elif family in ("reserve", "refresh", "cork", "start_cork", "post"):
                if ending or (inner and not self.fine) or any((c.sq, c.worker) == (sq, worker) for c in self._calls):
                    continue
                if not self._free(sq):
                    continue
                yield Call("complete" if family == "post" else "pop", sq or 0, worker), value("cq.available")

    def _belongs(self, call: Call, family: str) -> bool:
        return (family == "post" or family.startswith("post_")) == (call.of == "complete")

    def _free(self, sq: int | None = None) -> bool:
        """Whether no call that has begun and not stepped holds the CQ lock, or that of the SQ."""
        return all(call.begun for call in self._calls)

    def _begin(self, call: Call, _: object) -> Iterator[str]:
        actor = "worker" if call.of == "pop" else "backend"
        if self.fine:
            yield self._line("op_begin", actor, call.of, {"sq": call.sq + 1})
        self._calls.append(call)

    def _step(self, family: str, target: Plain) -> Iterator[str]:
        was, self_state = self._shown(), self.state
        call = self._calls[-1] if self._calls else None
        if family in GUEST:
            self.state = target
            yield self._line("op", "guest", *self._op(family, self_state, target, was))
            return
        if family in RINGS:
            name, sq = ("sq_ring", self._which(self_state, target)) if family == "ring_sq" else ("cq_ring", None)
            about = {} if sq is None else {"sq": sq + 1}
            if self.fine:
                yield self._line("op_begin", "vcpu", name, about)
            before = [k for k in range(len(self.machine.sqs)) if was[f"sq{k}.corked"]]
            self.state = target
            for next_ in RINGS[family]:
                self.state = next(t for f, t in self._possible() if f == next_ and self._of(f, t, sq))
            self._deliver()
            now = self._shown()
            val = now["cq.shadow"] if sq is None else now[f"sq{sq}.shadow"]
            told = {"val": val, "result": "Ok", "kicked": [k + 1 for k in before]}
            if sq is not None:
                occupied = (now[f"sq{sq}.tail"] - now[f"sq{sq}.head"]) % self.instance.sq_size
                told = {"val": val, "result": f"Ok({occupied})"}
            yield self._line("op", "vcpu", name, {**about, **told})
            return
        if family == "wake":
            self.state = target
            return
        assert call is not None
        call.begun = True
        for event, args in self._accesses(family, call, target, was):
            yield self._line("mem", "device", event, args, 1)
        self.state = target
        call.posted |= family == "post"
        call.fetched |= family == "fetch"
        call.corking |= family in ("start_cork",)
        call.corking &= family not in ("cork_saved",)
        if self._over(call, family):
            self._calls.pop()
            self._deliver()
            result = "None" if family in FINDS_NONE else "Some"
            args = {"sq": call.sq + 1, "worker": call.worker or 0, "cid": 0}
            if call.of == "pop":
                args |= {"result": result, "corked": family in FINDS_NONE[:2]}
            yield self._line("op", "worker" if call.of == "pop" else "backend", call.of, args)

    def _over(self, call: Call, family: str) -> bool:
        if call.of == "pop":
            return family in (*FINDS_NONE, "reread_sq")
        q = self.machine.sqs[call.sq]
        at = q.posters[call.worker or 0].at
        return evaluate(at, dict(zip(self._names, self.state, strict=True))) not in ("post read", "post arm")

    def _possible(self) -> Iterator[tuple[str, Plain]]:
        for action, target in self._after(self.state):
            if target is not None:
                yield self.system.actions[action].family, target

    def _of(self, family: str, target: Plain, sq: int | None) -> bool:
        return sq is None or self._which(self.state, target) == sq

    def _which(self, before: Plain, after: Plain) -> int:
        """The SQ whose submitter moves."""
        at = [self._names.index(f"sq{k}.submitter") for k in range(len(self.machine.sqs))]
        return next(k for k, place in enumerate(at) if before[place] != after[place])

    def _deliver(self) -> None:
        while target := next((t for f, t in self._possible() if f == "deliver"), None):
            self.state = target

    def _value(self, name: str) -> Any:
        return self.state[self._names.index(name)]

    def _shown(self) -> dict[str, Any]:
        state = dict(zip(self._names, self.state, strict=True))
        return {name: evaluate(expr, state) for name, expr in self._shows.items()}

    def _accesses(
        self, family: str, call: Call, target: Plain, was: dict[str, Any]
    ) -> list[tuple[str, dict[str, Any]]]:
        q, then = call.sq + 1, dict(zip(self._names, target, strict=True))
        read_sq = ("dev_read_sq_shadow", {"q": q, "val": then[f"sq{call.sq}.shadow"]})
        read_cq = ("dev_read_cq_shadow", {"q": 1, "val": then["cq.shadow"]})
        slot = {"slot": was["cq.tail"]}
        return {
            **dict.fromkeys(("find_empty", "reread_sq"), [read_sq]),
            "fetch": [read_sq, ("dev_read_sqe", {"sq": q, "slot": was[f"sq{call.sq}.head"]})],
            **dict.fromkeys(
                ("refresh", "cork", "start_cork", "cork_saved", "cork_park", "post_read", "post_credit"), [read_cq]
            ),
            "arm_sq": [("dev_write_sq_eventidx", {"q": q, "val": then[f"sq{call.sq}.event"]})],
            **dict.fromkeys(("post_arm", "cork_arm"), [("dev_write_cq_eventidx", {"q": 1, "val": then["cq.event"]})]),
            "post": [("dev_write_cqe", {**slot, "phase": 0}), ("dev_write_cqe", {**slot, "phase": 1})],
        }.get(family, [])

    def _op(self, family: str, before: Plain, after: Plain, was: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        now = self._shown()
        if family in ("submit", "need_sq", "elide_sq"):
            sq = self._which(before, after)
            if family == "submit":
                return "submit", {"sq": sq + 1, "old": was[f"sq{sq}.shadow"], "new": now[f"sq{sq}.shadow"]}
            need = {"eventidx": was[f"sq{sq}.eventidx"], "need_event": family == "need_sq"}
            return "sq_check", {"sq": sq + 1, **need}
        if family == "consume":
            taken = next(
                k for k in range(len(self.machine.sqs)) if was[f"sq{k}.outstanding"] > now[f"sq{k}.outstanding"]
            )
            return "cq_consume", {"sqid": taken + 1}
        if family == "leave_loop":
            return "cq_exit_loop", {}
        if family == "publish":
            return "cq_publish", {"old": was["cq.shadow"], "new": now["cq.shadow"]}
        return "cq_check", {"eventidx": was["cq.eventidx"], "need_event": family == "need_cq"}

    def _line(self, lvl: str, actor: str, ev: str, args: dict[str, Any], deeper: int = 0) -> str:
        shown, numbers = self._shown(), range(len(self.machine.sqs))
        corking = {call.sq for call in self._calls if call.corking}
        posting = [call.sq for call in self._calls if call.of == "complete" and not call.posted]
        popping = [call.sq for call in self._calls if call.of == "pop" and call.fetched]
        completing = [call.sq for call in self._calls if call.of == "complete" and self.in_worker]
        cq = {name: shown[f"cq.{name}"] for name in ("eventidx", "shadow", "head", "tail")}
        cq["tail"] = (cq["tail"] + len(posting)) % self.instance.cq_size
        cq |= {"avail": shown["cq.permits"], "phase": 1}
        cq["corked"] = [k + 1 for k in numbers if shown[f"sq{k}.corked"] or k in corking]
        sqs = [
            {"id": k + 1, **{name: shown[f"sq{k}.{name}"] for name in ("eventidx", "shadow", "head", "tail")}}
            for k in numbers
        ]
        half = posting + popping
        self._seq += 1
        told = {
            "seq": self._seq - 1,
            "lvl": lvl,
            "depth": len(self._calls) - 1 + deeper if deeper else len(self._calls),
        }
        return json.dumps(
            {
                **told,
                **{"actor": actor, "ev": ev, "args": args, "cq": cq, "sq": sqs},
                "guest": {
                    "cq_head": shown["cq.cursor"],
                    "free_tags": [self.tags - shown[f"sq{k}.outstanding"] for k in numbers],
                },
                "inflight": [shown[f"sq{k}.in_flight"] - half.count(k) for k in numbers],
                "pollers_active": [shown[f"sq{k}.awake"] + completing.count(k) for k in numbers],
            }
        )
