"""Runs of the model as a driver of Propolis's queue code logs them: calls, one inside another where it is `fine`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from uncork.core.evaluate import evaluate
from uncork.engines.python import Plain, predicate, successors
from uncork.logs import parts
from uncork.logs.propolis import _setting, variant_of
from uncork_nvme.instance import Instance
from uncork_nvme.observe import shows

GUEST = ("submit", "need_sq", "elide_sq", "consume", "leave_loop", "publish", "need_cq", "elide_cq")
RINGS = {"ring_sq": ("notify_tail", "notify"), "ring_cq": ("notify_head", "kick")}
FIRST = ("reserve", "refresh", "cork", "start_cork", "post")
FINDS_NONE = ("cork", "cork_park", "remit")


@dataclass(eq=False)
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
        self._exprs = shows(self.machine)
        self._settled = [predicate(self.system, q.settled & q.unlocked) for q in self.machine.sqs]
        self._unlocked = predicate(self.system, self.machine.cq.unlocked)
        self._calls, self._late, self._seq = list[Call](), list[Call](), 0
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
        inner, shown = self._calls[-1] if self._calls else None, self._shown()
        for action, target in self._after(self.state):
            family, (sq, worker) = self.system.actions[action].family, parts(self.system.actions[action])
            if target is None or family in ("notify", "deliver"):  # at the end of a call
                continue
            of = "complete" if family.startswith("post") else "pop"
            if family in GUEST or family in RINGS:
                slots = family != "submit" or shown[f"sq{sq}.outstanding"] < self.tags
                may = (self.fine or not inner) and not ending and slots and self._may_ring(family, sq, inner)
            elif family == "wake":
                may = not inner
            elif inner and (inner.of, inner.sq, inner.worker) == (of, sq, worker):
                may = True
            else:
                may = family in FIRST and not ending and (self.fine or not inner) and self._free()
                if may and all((call.of, call.sq, call.worker) != (of, sq, worker) for call in self._calls):
                    yield Call(of, sq or 0, worker), None
                continue
            if may:
                yield family, target

    def _may_ring(self, family: str, sq: int | None, inner: Call | None) -> bool:
        """Whether the doorbell handler gets the locks that it needs; so if it is no doorbell."""
        if family == "ring_cq":
            return self._free() and self._unlocked(self.state)
        if family == "ring_sq":
            free = self._free() and self._settled[sq or 0](self.state)
            return free or (inner is not None and self._waits_for(inner, sq))
        return True

    def _free(self) -> bool:
        """Whether no call stands before its first step, which holds locks that the model takes with that step."""
        return all(call.begun for call in self._calls)

    def _waits_for(self, call: Call, sq: int | None) -> bool:
        """Whether an SQ's doorbell may come, and its notification waits for a pop, which has not locked the SQ."""
        late = call.of == "pop" and call.sq == sq and not call.begun and self.instance.device == "propolis-2025"
        return late and all(other.begun for other in self._calls[:-1]) and self._settled[call.sq](self.state)

    def _begin(self, call: Call, _: object) -> Iterator[str]:
        actor = "worker" if call.of == "pop" else "backend"
        if self.fine:
            yield self._line("op_begin", actor, call.of, {"sq": call.sq + 1})
        self._calls.append(call)

    def _step(self, family: str, target: Plain) -> Iterator[str]:
        call = self._calls[-1] if self._calls else None
        before, was, self.state = self.state, self._shown(), target
        if family in GUEST:
            yield self._line("op", "guest", *self._op(family, before, was))
        elif family == "ring_sq":
            yield from self._ring_sq(self._which(before, target), before, call)
        elif family == "ring_cq":
            yield from self._ring_cq(before)
        elif family != "wake":
            assert call is not None
            yield from self._access(call, family, was)

    def _ring_sq(self, sq: int, before: Plain, call: Call | None) -> Iterator[str]:
        about = {"sq": sq + 1}
        if self.fine:
            yield self._line("op_begin", "vcpu", "sq_ring", about, of=before)
        waits = call is not None and self._waits_for(call, sq)
        self._take("notify_tail", sq)
        if waits and call:
            self._late.append(call)
        else:
            self._take("notify", sq)
        now = self._shown()
        occupied = (now[f"sq{sq}.tail"] - now[f"sq{sq}.head"]) % self.instance.sq_size
        told = {**about, "val": now[f"sq{sq}.shadow"], "result": f"Ok({occupied})"}
        yield self._line("op", "vcpu", "sq_ring", told)

    def _ring_cq(self, before: Plain) -> Iterator[str]:
        if self.fine:
            yield self._line("op_begin", "vcpu", "cq_ring", {}, of=before)
        was = self._shown()
        self._take("notify_head")
        self._take("kick")
        self._deliver()
        kicked = [k + 1 for k in range(len(self.machine.sqs)) if was[f"sq{k}.corked"]]
        yield self._line("op", "vcpu", "cq_ring", {"val": was["cq.shadow"], "result": "Ok", "kicked": kicked})

    def _access(self, call: Call, family: str, was: dict[str, Any]) -> Iterator[str]:
        call.begun = True
        for event, args in self._accesses(family, call, was):
            yield self._line("mem", "device", event, args)
        call.posted |= family == "post"
        call.fetched |= family == "fetch"
        call.corking = family == "start_cork" or (call.corking and family != "cork_saved")
        if not self._over(call, family):
            return
        self._calls.pop()
        if call in self._late:
            self._late.remove(call)
            self._take("notify", call.sq)
        self._deliver()
        args = {"sq": call.sq + 1, "worker": call.worker or 0, "cid": 0}
        if call.of == "pop":
            args |= {"result": "None" if family in FINDS_NONE else "Some"}
        yield self._line("op", "worker" if call.of == "pop" else "backend", call.of, args)

    def _over(self, call: Call, family: str) -> bool:
        if call.of == "pop":
            return family in (*FINDS_NONE, "reread_sq")
        q = self.machine.sqs[call.sq]
        at = q.posters[call.worker or 0].at
        return evaluate(at, dict(zip(self._names, self.state, strict=True))) not in ("post read", "post arm")

    def _take(self, family: str, sq: int | None = None) -> None:
        of = [a.name for a in self.system.actions if a.family == family and parts(a)[0] in (sq, None)]
        self.state = next(t for a, t in self._after(self.state) if t and self.system.actions[a].name in of)

    def _deliver(self) -> None:
        due = [t for a, t in self._after(self.state) if t and self.system.actions[a].family == "deliver"]
        if due:
            self.state = due[0]
            self._deliver()

    def _which(self, before: Plain, after: Plain) -> int:
        """The SQ whose submitter moves."""
        at = [self._names.index(f"sq{k}.submitter") for k in range(len(self.machine.sqs))]
        return next(k for k, place in enumerate(at) if before[place] != after[place])

    def _shown(self, of: Plain | None = None) -> dict[str, Any]:
        state = dict(zip(self._names, of or self.state, strict=True))
        return {name: evaluate(expr, state) for name, expr in self._exprs.items()}

    def _accesses(self, family: str, call: Call, was: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        sq, now = f"sq{call.sq}", self._shown()
        q, slot = {"q": call.sq + 1}, {"slot": was["cq.tail"]}
        if family in ("find_empty", "reread_sq", "fetch"):
            read = ("dev_read_sq_shadow", {**q, "val": now[f"{sq}.shadow"]})
            return [read, ("dev_read_sqe", {})] if family == "fetch" else [read]
        if family == "arm_sq":
            return [("dev_write_sq_eventidx", {**q, "val": now[f"{sq}.eventidx"]})]
        if family in ("post_arm", "cork_arm"):
            return [("dev_write_cq_eventidx", {"q": 1, "val": now["cq.eventidx"]})]
        if family == "post":
            return [("dev_write_cqe", {**slot, "phase": phase}) for phase in (0, 1)]
        return (
            []
            if family in ("reserve", "remit", "post_leave")
            else [("dev_read_cq_shadow", {"q": 1, "val": now["cq.shadow"]})]
        )

    def _op(self, family: str, before: Plain, was: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        now = self._shown()
        if family in ("submit", "need_sq", "elide_sq"):
            sq = self._which(before, self.state)
            if family == "submit":
                return "submit", {"sq": sq + 1, "old": was[f"sq{sq}.shadow"], "new": now[f"sq{sq}.shadow"]}
            need = {
                "eventidx": was[f"sq{sq}.eventidx"],
                "need_event": family == "need_sq",
                "new": was[f"sq{sq}.shadow"],
            }
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
        need = {"eventidx": was["cq.eventidx"], "need_event": family == "need_cq", "new": was["cq.shadow"]}
        return "cq_check", need

    def _line(self, lvl: str, actor: str, ev: str, args: dict[str, Any], *, of: Plain | None = None) -> str:
        """A line with the state, as the driver has it, of which the calls under way have done a part."""
        shown, numbers = self._shown(of), range(len(self.machine.sqs))
        corking = {call.sq for call in self._calls if call.corking}
        posting = [call.sq for call in self._calls if call.of == "complete" and not call.posted]
        popping = [call.sq for call in self._calls if call.of == "pop" and call.fetched]
        completing = [call.sq for call in self._calls if call.of == "complete" and self.in_worker]
        words = ("eventidx", "shadow", "head", "tail")
        cq = {name: shown[f"cq.{name}"] for name in words}
        cq["tail"] = (cq["tail"] + len(posting)) % self.instance.cq_size
        cq |= {
            "avail": shown["cq.permits"],
            "corked": [k + 1 for k in numbers if shown[f"sq{k}.corked"] or k in corking],
        }
        told: dict[str, Any] = {"lvl": lvl, "depth": len(self._calls)}
        told |= {"actor": actor, "ev": ev, "args": args, "cq": cq}
        told["sq"] = [{"id": k + 1, **{name: shown[f"sq{k}.{name}"] for name in words}} for k in numbers]
        slots = [self.tags - shown[f"sq{k}.outstanding"] for k in numbers]
        told["guest"] = {"cq_head": shown["cq.cursor"], "free_tags": slots}
        told["inflight"] = [shown[f"sq{k}.in_flight"] - (posting + popping).count(k) for k in numbers]
        told["pollers_active"] = [shown[f"sq{k}.awake"] + completing.count(k) for k in numbers]
        return json.dumps(told)
