"""Whether a cause is true of its run: each sentence is read again, and held to the names of steps and to raw values.

Nothing here is shared with what writes causes. A sentence that cannot be read counts as untrue.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from uncork.core.system import System
from uncork.core.trace import Trace

Groups = Mapping[str, str]
_ARMS = {"CQ": ("post_arm", "cork_arm"), "SQ": ("arm_sq",)}
_CORKS = ("cork", "cork_park", "line_up")
_TAKES = ("reserve", "refresh", "cork_saved", "use_grant")
_HEAD = (
    *("refresh", "line_up", "cork", "start_cork", "cork_saved", "cork_park", "find_room", "post_read", "post_credit"),
    *("notify_head", "reject_head"),
)
_BEGINS = {
    r"creates SQ\d+": "create_sq",
    r"deletes SQ\d+": "delete_sq",
    "creates the queues again": "recreate",
    "configures the doorbell buffer": "configure",
    "configures the doorbell buffer again": "configure_again",
    "resets the controller": "reset",
    "sets the controller up again": "restart",
}


def _begins(said: str) -> str:
    """The family of the step that does this with a queue or a buffer."""
    return next((family for words, family in _BEGINS.items() if re.fullmatch(words, said)), "none")


_HOWS = {
    "the device reads the CQ shadow head and finds (?P<freed>\\d+) freed": "post_credit",
    "(?P<by>SQ\\d+)'s worker reads the CQ shadow head, finds (?P<freed>\\d+) freed and takes one": "refresh",
    "(?P<by>SQ\\d+)'s worker reads the CQ shadow head again, finds (?P<freed>\\d+) freed and takes one": "cork_saved",
    "(?P<by>SQ\\d+)'s worker reads the CQ shadow head and finds (?P<freed>\\d+) freed": "line_up",
    "(?P<by>SQ\\d+)'s worker gives its permit back": "remit",
    "the device learns the CQ head from the doorbell, (?P<freed>\\d+) freed": "notify_head",
    "a command of (?P<by>SQ\\d+), which was deleted, gives its permit back": "release",
    "the CQ doorbell's kick comes": "kick",
}


class Untrue(AssertionError):
    """A sentence says something that the run does not have."""


class Reader:
    """A run, read by the names of its steps and variables."""

    def __init__(self, system: System, trace: Trace) -> None:
        self.system, self.trace, self.names = system, trace, list(trace.steps)
        self.sizes = {picture.title: picture.size for picture in system.pictures}
        self.sqs = [title for title in self.sizes if title != "CQ"]
        self.last = len(self.names)

    # -- the run -------------------------------------------------------------------------------------------------------
    def was(self, step: int, variable: str) -> Any:
        """The value before a step."""
        self.holds(1 <= step <= self.last, f"there is no step {step}")
        return self.trace.states[step - 1].get(variable)

    def becomes(self, step: int, variable: str) -> Any:
        """The value after a step."""
        self.holds(1 <= step <= self.last, f"there is no step {step}")
        return self.trace.after(step - 1).get(variable)

    def end(self, variable: str) -> Any:
        """The value where a run ends that does not loop, or where its loop starts."""
        return self.trace.states[-1 if self.trace.loop is None else self.trace.loop][variable]

    def name(self, step: int) -> str:
        """The name of a step."""
        self.holds(1 <= step <= self.last, f"there is no step {step}")
        return self.names[step - 1]

    def family(self, step: int) -> str:
        """The name of a step without what it is about."""
        return self.name(step).split("(")[0]

    def about(self, step: int, what: str) -> bool:
        """Whether the name of a step names an SQ, not counting the SQs that its kick wakes."""
        return bool(re.search(rf"\b{what}\b", re.sub(r"wakes [\w+]*", "", self.name(step))))

    def steps(self, families: Sequence[str], about: str = "", after: int = 0, before: int = 0) -> list[int]:
        """The numbers of the steps of some families, above `after` and below `before`."""
        numbers = range(after + 1, before or self.last + 1)
        return [n for n in numbers if self.family(n) in families and (not about or self.about(n, about))]

    def holds(self, condition: object, why: str) -> None:
        """Raises `Untrue` unless the condition holds."""
        if not condition:
            raise Untrue(why)

    def is_a(self, step: int, families: Sequence[str], about: str = "") -> None:
        """Raises `Untrue` unless the step is of one of the families, about that SQ."""
        self.holds(self.family(step) in families, f"step {step} is {self.name(step)}, not of {families}")
        self.holds(not about or self.about(step, about), f"step {step} is {self.name(step)}, not about {about}")

    def workers(self, q: str) -> list[str]:
        """The variables that say where an SQ's workers stand."""
        mine = re.compile(rf"(?:{q.lower()}\.)?worker\d*\.at")
        return [name for name in self.trace.states[0] if mine.fullmatch(name)]

    def asleep_since(self, q: str, step: int) -> None:
        """Raises `Untrue` unless all workers of an SQ sleep from a step on, and not before it."""
        places = self.workers(q)
        sleeps = [all(state[each] == "asleep" for each in places) for state in self.trace.states]
        self.holds(places and all(sleeps[step:]), f"not every worker of {q} sleeps from step {step} on")
        self.holds(step == 0 or not sleeps[step - 1], f"the workers of {q} sleep before step {step}")

    def reads_tail(self, step: int, name: str) -> bool:
        """Whether a step reads the shadow tail of an SQ, and the device then knows it."""
        action = self.system.action(self.name(step))
        return f"{name}.tail" in action.updates and not action.reads.isdisjoint({f"{name}.shadow", f"{name}.page"})

    def gap(self, ring: str, to: int, since: int) -> int:
        """How far one position of a ring is past another."""
        return (to - since) % self.sizes[ring]


# -- EventIdx ----------------------------------------------------------------------------------------------------------
def _elided(r: Reader, g: Groups) -> None:
    ring = g["ring"]
    sq = ring if ring != "CQ" else ""
    name, move, check = ring.lower(), int(g["move"]), int(g["check"])
    r.holds(g["index"] == ("head" if not sq else f"tail of {sq}"), "head or tail of another queue")
    r.is_a(move, ("submit",) if sq else ("publish",), sq)
    r.is_a(check, ("elide_sq",) if sq else ("elide_cq",), sq)
    r.holds(not r.steps(("submit",) if sq else ("publish",), sq, move, check), "the index moves again before the check")
    old, new, event = int(g["old"]), int(g["new"]), g["event"]
    by = r.was(check, f"{name}.moved")
    r.holds((g["from"] or g["old"], g["to"] or g["is"]) == (g["old"], g["new"]), "two moves")
    r.holds(r.gap(ring, new, old) == by, f"it moved by {by}")
    r.holds(bool(by) == (g["moves"] == "moves"), "it moves, or stands already")
    stale = r.was(move, f"{name}.stale")
    word = "cq.shadow" if not sq else f"{name}.shadow"
    if g["late"]:
        arrives = int(g["late"])
        r.holds(arrives > check and r.name(arrives).startswith(f"flush({sq or 'CQ'}"), "no flush")
        r.holds(r.becomes(arrives, word) == new != r.was(arrives, word), "another store arrives")
    elif not g["buffered"]:
        r.holds(r.was(check, word) == new, f"the index is {r.was(check, word)}")
        if stale is not None or r.becomes(move, word) != r.was(move, word):
            was = (r.was(move, word) + (stale or 0)) % r.sizes[ring]
            r.holds(was == old, f"the index was {was}")
    if event == "0xFFFFFFFF":
        value = r.sizes[ring] - 1
        r.holds(not any(r.was(n, f"{name}.event") != value for n in range(1, r.last + 1)), "EventIdx is written")
    else:
        value = int(event)
    r.holds(r.was(check, f"{name}.event") == value, f"EventIdx is {r.was(check, f'{name}.event')}")
    past = r.gap(ring, value, old)
    verbs = {"does not pass": past >= by, "does not reach": past > by, "passes": past < by, "reaches": past <= by}
    r.holds(verbs[g["verb"]], f"{g['verb']} is wrong")
    _origin(r, ring, value, check, g["origin"])


def _elided_early(r: Reader, g: Groups) -> None:
    ring, look, move = g["ring"], int(g["look"]), int(g["move"])
    sq, name = ring if ring != "CQ" else "", ring.lower()
    old, new = int(g["old"]), int(g["new"])
    r.is_a(look, ("submit",) if sq else ("look_cq",), sq)
    r.is_a(move, ("publish_sq",) if sq else ("publish",), sq)
    r.holds((g["from"], g["to"]) == (g["old"], g["new"]), "two moves")
    r.holds(g["index"] == ("head" if not sq else f"tail of {sq}"), "head or tail of another queue")
    r.holds((r.was(move, f"{name}.shadow"), r.becomes(move, f"{name}.shadow")) == (old, new), "another move")
    r.holds(not r.steps(("submit",) if sq else ("look_cq",), sq, look, move), "it looks again before it moves")
    r.holds(r.becomes(move, f"{name}.{'submitter' if sq else 'consumer'}") in ("idle", "poll"), "it rings")
    value = r.was(look, f"{name}.event")
    r.holds(g["event"] in ("0xFFFFFFFF", str(value)), "another EventIdx")
    past, by = r.gap(ring, value, old), r.gap(ring, new, old)
    r.holds(past >= by if g["verb"] == "pass" else past > by, f"it does {g['verb']}")
    _origin(r, ring, value, look, g["origin"])


def _wrote(r: Reader, ring: str, step: int) -> bool:
    """Whether a step writes EventIdx in memory: it changes it, or is a step that writes, and does."""
    name = ring.lower()
    if r.was(step, f"{name}.event") != r.becomes(step, f"{name}.event"):
        return True
    if r.family(step) not in _ARMS[ring[:2]] or (ring != "CQ" and not r.about(step, ring)):
        return False
    if r.was(step, "life.buffered") is False or any(each.family == "flush" for each in r.system.actions):
        return False
    value = r.system.action(r.name(step)).updates.get(f"{name}.event")
    if value is None or (value.op == "var" and value.value == f"{name}.event"):  # it stays as it is, whatever the state
        return False
    armed = f"{name}.armed"
    return r.was(step, armed) is None or bool(r.was(step, armed) != r.becomes(step, armed))


def _origin(r: Reader, ring: str, value: int, check: int, origin: str) -> None:
    name = ring.lower()
    event = f"{name}.event"
    parts = origin.split("; ")
    first, *rest = parts
    wrote = 0
    writes = [n for n in range(1, check) if _wrote(r, ring, n)]
    if first == "as at first":
        r.holds(not writes, f"EventIdx is written at {writes}")
    elif found := re.fullmatch(r"set at step (\d+), which (.*)", first):
        wrote = int(found[1])
        r.is_a(wrote, (_begins(found[2]),))
        r.holds(writes[-1:] == [wrote], f"EventIdx is written at {writes}")
    else:
        found = re.fullmatch(r"written at step (\d+)(?:, in memory since step (\d+))?(?:: (.*))?", first)
        assert found, f"cannot be read: {first}"
        wrote, arrived = int(found[1]), int(found[2] or found[1])
        r.is_a(wrote, _ARMS[ring[:2]], ring if ring != "CQ" else "")
        r.holds(writes[-1:] == [arrived], f"EventIdx is written at {writes}")
        if found[2]:
            _arrives(r, ring, wrote, arrived)
        if found[3]:
            places = {"the tail": ("tail", 0), "the head": ("head", 0)}
            places |= {"one behind the tail": ("tail", 1), "one behind the head": ("head", 1)}
            index, behind = places[found[3]]
            stood = (r.was(wrote, f"{name}.{index}") - behind) % r.sizes[ring]
            r.holds(stood == value, f"{found[3]} is {stood} at step {wrote}")
    for each in rest:
        _since(r, ring, value, wrote, check, each)
    r.holds(r.becomes(writes[-1], event) == value if writes else r.was(1, event) == value, "another value")


def _since(r: Reader, ring: str, value: int, wrote: int, check: int, said: str) -> None:
    name = ring.lower()
    if found := re.fullmatch(r"step (\d+), which (.*), leaves it so", said):
        step = int(found[1])
        r.is_a(step, (_begins(found[2]),), ring if _begins(found[2]).endswith("_sq") else "")
        r.holds(wrote < step < check, "not between")
        r.holds(r.was(step, f"{name}.event") == r.becomes(step, f"{name}.event"), f"step {step} changes EventIdx")
    elif found := re.fullmatch(r"at step (\d+) the device remembers it as (\d+), and writes nothing", said):
        step = int(found[1])
        r.is_a(step, _ARMS[ring[:2]])
        r.holds(wrote < step < check, "not between")
        r.holds(r.was(step, f"{name}.armed") == r.becomes(step, f"{name}.armed") == int(found[2]) != value, "it writes")
        r.holds(r.was(step, f"{name}.event") == r.becomes(step, f"{name}.event"), "it writes")
    elif found := re.fullmatch(r"the (\d+) written at step (\d+) is in memory from step (\d+) on", said):
        step, arrives = int(found[2]), int(found[3])
        r.is_a(step, _ARMS[ring[:2]])
        r.holds(step < check < arrives, "not around the check")
        r.holds(r.becomes(arrives, f"{name}.event") == int(found[1]), "another value arrives")
        _arrives(r, ring, step, arrives)
    elif found := re.fullmatch(r"the device uses no doorbell buffer(?: since step (\d+))?", said):
        looks = [n for n in r.steps(_ARMS[ring[:2]], before=check) if _wrote(r, ring, n)]
        if found[1]:
            r.holds(r.steps(("reset",), before=check)[-1:] == [int(found[1])], "reset at another step")
            r.holds(not [n for n in looks if n > int(found[1])], "the device writes EventIdx")
        r.holds(found[1] or not looks, "the device writes EventIdx")
    else:
        raise Untrue(f"cannot be read: {said}")


def _line(r: Reader, step: int) -> tuple[str, int]:
    """The store buffer in one line from which the oldest store leaves at a step, and how many were in it."""
    for line in {v.removesuffix(".what0") for v in r.trace.states[0] if v.endswith(".what0")}:
        before, after = (_waiting(line, state) for state in (r.trace.states[step - 1], r.trace.after(step - 1)))
        if after < before:
            return line, before
    raise Untrue(f"nothing leaves a store buffer at step {step}")


def _waiting(line: str, state: Mapping[str, Any]) -> int:
    return sum(re.fullmatch(rf"{line}\.what\d+", v) is not None and state[v] != "nothing" for v in state)


def _arrives(r: Reader, ring: str, store: int, arrives: int) -> None:
    """Raises `Untrue` unless what a step stores to an EventIdx leaves its store buffer at another."""
    r.holds(re.match(rf"flush\((?:{ring}|{ring[:2]}) EventIdx", r.name(arrives)), f"step {arrives} is no such flush")
    if any(v.endswith(".what0") for v in r.trace.states[0]):
        line, _ = _line(r, arrives)
        before, after = (_waiting(line, state) for state in (r.trace.states[store - 1], r.trace.after(store - 1)))
        left = [
            n
            for n in range(store + 1, arrives)
            if _waiting(line, r.trace.states[n]) < _waiting(line, r.trace.states[n - 1])
        ]
        r.holds(after > before == len(left), f"the store of step {store} does not wait until step {arrives}")
        return
    event = "cq_event" if ring == "CQ" else "sq_event"
    places = [v for v in r.trace.states[0] if v.endswith(f"{event}.wait0") and r.was(arrives, v)]
    left = [v for v in places if not r.becomes(arrives, v)]
    r.holds(
        any(not r.was(store, v) and all(r.becomes(n, v) for n in range(store, arrives)) for v in left),
        f"the store of step {store} does not wait until step {arrives}",
    )


# -- the wait ----------------------------------------------------------------------------------------------------------
def _corked(r: Reader, g: Groups) -> None:
    q, step = g["q"], int(g["step"])
    r.is_a(step, _CORKS, q)
    r.holds(r.steps(_CORKS, q)[-1] == step, f"{q} is corked at {r.steps(_CORKS, q)}")
    corked = f"{q.lower()}.corked"
    r.holds(all(r.becomes(n, corked) for n in range(step, r.last + 1)), f"{q} does not stay corked")
    r.holds(all(state[each] == "asleep" for each in r.workers(q) for state in _lasting(r)), f"{q} does not sleep")
    if g["read"]:
        _learned(r, int(g["read"]), int(g["head"]))


def _lasting(r: Reader) -> Sequence[Mapping[str, Any]]:
    assert r.trace.loop is not None
    return r.trace.states[r.trace.loop :]


def _learned(r: Reader, step: int, head: int) -> None:
    r.is_a(step, _HEAD)
    r.holds(r.steps(_HEAD)[-1] == step, f"the CQ head is learned at {r.steps(_HEAD)}")
    r.holds(r.becomes(step, "cq.head") == head, f"the CQ head is {r.becomes(step, 'cq.head')}")


def _asleep(r: Reader, g: Groups) -> None:
    q = g["q"]
    name = q.lower()
    r.asleep_since(q, int(g["since"] or 0))
    left = r.gap(q, r.end(f"{name}.shadow"), r.end(f"{name}.head"))
    r.holds(left == int(g["left"]), f"{left} entries are left")
    r.holds((g["verb"] == "have") == (len(r.workers(q)) > 1), "one worker, or several")
    if g["look"]:
        step = int(g["look"])
        looks = ("fetch", "find_empty", "find_no_request", "reread_sq", "find_more", "wake")
        looks = (*looks, "read_tail", "let_go", "find_late", "last_look")
        reads = [n for n in r.steps(looks, q) if r.reads_tail(n, name)]
        r.holds(reads[-1:] == [step], f"a worker reads the tail at {reads}")
        r.holds(r.becomes(step, f"{name}.tail") == int(g["tail"]), f"the tail is {r.becomes(step, f'{name}.tail')}")


def _no_request(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, ("find_no_request",), g["q"])
    r.asleep_since(g["q"], step)


def _queued(r: Reader, g: Groups) -> None:
    name, since = g["q"].lower(), int(g["since"])
    waits = [
        bool(state[f"{name}.queued"]) and state["poster.at"] == "idle" and not state["poster.scheduled"]
        for state in r.trace.states
    ]
    r.holds(all(waits[since:]) and not waits[since - 1], f"it does not wait from step {since} on")
    r.holds(r.end(f"{name}.queued") == int(g["left"]), f"{r.end(f'{name}.queued')} are queued")
    if g["read"]:
        _learned(r, int(g["read"]), int(g["head"]))
    r.holds(g["read"] or not r.steps(_HEAD), "it learned a CQ head")


# -- other wake-ups that are missed ------------------------------------------------------------------------------------
def _no_kick(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    how = next((f for pattern, f in _HOWS.items() if re.fullmatch(pattern, g["how"])), "")
    said = next(found for pattern in _HOWS if (found := re.fullmatch(pattern, g["how"]))).groupdict()
    r.is_a(step, (how,), said.get("by") or "")
    if said.get("freed"):
        r.holds(r.gap("CQ", r.was(step, "cq.shadow"), r.was(step, "cq.head")) == int(said["freed"]), "another number")
    corked = {q for q in r.sqs if r.was(step, f"{q.lower()}.corked")}
    woken = {q for q in corked if not r.becomes(step, f"{q.lower()}.corked")} - {said.get("by")}
    r.holds(woken == set(re.findall(r"SQ\d+", g["woken"] or "")), f"it wakes {sorted(woken)}")
    r.holds(not g["other"] or g["other"] in corked - woken, "it wakes that SQ, too")


def _lost(r: Reader, g: Groups) -> None:
    q, step = g["q"], int(g["step"])
    r.is_a(step, ("release",), q)
    r.is_a(int(g["deleted"]), ("delete_sq",), q)
    r.holds(r.steps(("delete_sq",), q, before=step)[-1] == int(g["deleted"]), "deleted at another step")
    r.holds(r.was(step, f"{q.lower()}.orphans") == r.becomes(step, f"{q.lower()}.orphans") + 1, "no command completes")
    r.holds(r.was(step, "cq.available") == r.becomes(step, "cq.available"), "the permit is not lost")
    left = r.becomes(step, "cq.available") + r.gap("CQ", r.becomes(step, "cq.tail"), r.becomes(step, "cq.head"))
    for each in r.sqs:
        left += r.becomes(step, f"{each.lower()}.in_flight") + (r.becomes(step, f"{each.lower()}.orphans") or 0)
        left += sum(r.becomes(step, place) in ("fetch", "remit") for place in r.workers(each))
    r.holds(left == int(g["left"]), f"{left} are left")
    r.holds(r.sizes["CQ"] - 1 == int(g["all"]), "another CQ")


def _request_back(r: Reader, g: Groups) -> None:
    step, name = int(g["step"]), g["q"].lower()
    r.is_a(step, ("post_queued",), g["q"])
    r.holds(g["again"] == g["q"], "two SQs")
    r.holds(r.becomes(step, f"{name}.in_flight") == r.was(step, f"{name}.in_flight") - 1, "no request comes back")
    r.holds(r.becomes(step, f"{name}.wakeups") == 0, "the SQ is looked at")


def _forgotten(r: Reader, g: Groups) -> None:
    step, name = int(g["step"]), g["q"].lower()
    r.is_a(step, ("resume",))
    if g["notified"]:
        notified = int(g["notified"])
        r.holds(r.was(step, f"{name}.wakeups") > 0 == r.becomes(step, f"{name}.wakeups"), "nothing is forgotten")
        r.holds(r.becomes(notified, f"{name}.wakeups") > r.was(notified, f"{name}.wakeups"), "nothing is notified")
    elif g["corked"]:
        r.is_a(int(g["corked"]), _CORKS, g["q"])
        r.holds(r.was(step, f"{name}.corked") and not r.becomes(step, f"{name}.corked"), "nothing is forgotten")
    else:
        places = r.workers(g["q"])
        r.holds(any(r.was(step, each) != "asleep" for each in places), "no look was due")
        r.holds(all(r.becomes(step, each) == "asleep" for each in places), "a worker looks")


def _spent(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, ("notify",) if g["what"].startswith("the doorbell") else ("deliver",), g["q"])
    r.holds(all(r.was(step, each) != "asleep" for each in r.workers(g["q"])), "a worker sleeps")


def _without_bit(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, ("notify", "deliver"), g["q"])
    places = [each.removesuffix(".at") for each in r.workers(g["q"])]
    r.holds(any(r.was(step, f"{each}.at") == "asleep" for each in places), "no worker sleeps")
    r.holds(not any(r.was(step, f"{each}.idle") for each in places), "a bit is set")


def _turned_away(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, ("turn_away",), g["q"])
    places = [each.removesuffix(".at") for each in r.workers(g["q"])]
    r.holds(any(r.was(step, f"{each}.idle") for each in places), "no bit is set")


def _old_pages(r: Reader, g: Groups) -> None:
    step, name = int(g["step"]), g["q"].lower()
    r.is_a(step, ("wake", "find_empty", "reread_sq"), g["q"])
    r.holds(r.steps(("reset",), before=step)[-1:] == ([int(g["reset"])] if g["reset"] else []), "another reset")
    r.holds(r.was(step, f"{name}.page") == int(g["page"]), "another tail in the pages")
    r.holds(r.was(step, f"{name}.shadow") == int(g["tail"]) != int(g["page"]), "another tail")


def _refused(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, ("reject_head",))
    head, tail = r.was(step, "cq.head"), r.was(step, "cq.tail")
    r.holds(r.was(step, "cq.shadow") == int(g["head"]), "another head")
    r.holds(r.gap("CQ", r.was(step, "cq.shadow"), head) == int(g["freed"]) > int(g["of"]), "it fits")
    r.holds(r.gap("CQ", tail, head) == int(g["of"]), "another number")


def _posts_none(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, ("notify_head",))
    r.holds(r.gap("CQ", r.was(step, "cq.shadow"), r.was(step, "cq.head")) == int(g["freed"]), "another number")
    r.holds(r.was(step, "cq.available") == 0 and not r.becomes(step, "poster.scheduled"), "something is posted")


def _untold(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, ("consume",))
    r.holds(r.was(step, "cq.cursor") == int(g["slot"]), "another slot")
    r.holds(not any(action.family == "publish" for action in r.system.actions), "the guest tells it")


def _lost_request(r: Reader, g: Groups) -> None:
    step, name = int(g["step"]), g["q"].lower()
    r.is_a(step, ("post_queued",), g["q"])
    r.holds(r.was(step, f"{name}.waited") > 0, "it did not wait")
    r.holds(r.becomes(step, f"{name}.lost") == r.was(step, f"{name}.lost") + 1, "no request is lost")
    r.holds(r.becomes(step, f"{name}.lost") + int(g["left"]) == int(g["all"]) == _pool(r, name), "another number")


def _pool(r: Reader, name: str) -> int:
    """The requests of an SQ: as many as may be lost."""
    return int(next(v for v in r.system.variables if v.name == f"{name}.lost").sort.high)  # type: ignore[union-attr]


def _notified(r: Reader, g: Groups) -> int:
    step = int(g["step"])
    r.is_a(step, ("notify",) if g["what"].startswith("the doorbell") else ("deliver",), g["q"])
    return step


def _unserved(r: Reader, g: Groups) -> None:
    r.holds(r.was(_notified(r, g), f"{g['q'].lower()}.active") is False, "it is served")


def _elsewhere(r: Reader, g: Groups) -> None:
    step = _notified(r, g)
    bits = [v for v in r.trace.states[0] if re.fullmatch(rf"worker\d+\.idle{g['q'][2:]}", v)]
    taken = [v.split(".")[0] for v in bits if r.was(step, v) and not r.becomes(step, v)]
    r.holds(
        g["taken"] == " and ".join(each.replace("worker", "worker ") for each in taken), f"it takes that of {taken}"
    )
    r.holds(all(r.was(step, f"{each}.given") != g["q"] for each in taken), f"one is given to {g['q']}")


def _others(r: Reader, g: Groups) -> None:
    step = _notified(r, g)
    woken = {q for q in r.sqs if r.becomes(step, f"{q.lower()}.wakeups") > r.was(step, f"{q.lower()}.wakeups")}
    r.holds(woken == set(re.findall(r"SQ\d+", g["woken"])) - {g["q"]}, f"it wakes {woken}")


def _apart(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, (_begins(g["begins"]),))
    r.holds(r.becomes(step, "cq.tail") == int(g["tail"]) != int(g["cursor"]), "the device is elsewhere")
    r.holds(r.becomes(step, "cq.cursor") == int(g["cursor"]), "the guest is elsewhere")


def _unseen(r: Reader, g: Groups) -> None:
    put, slot, cursor, since = (int(g[each]) for each in ("put", "slot", "cursor", "since"))
    r.is_a(put, ("post", "post_late", "post_queued"), g["q"])
    r.holds(r.was(put, "cq.tail") == slot and r.end("cq.slots")[slot] == g["q"], "it does not stand there")
    looks = [s["cq.cursor"] == cursor and s["cq.slots"][cursor] == "none" for s in r.trace.states]
    stands = [s["cq.slots"][slot] == g["q"] for s in r.trace.states]
    both = [look and stand for look, stand in zip(looks, stands, strict=True)]
    r.holds(all(both[since:]), f"not from step {since} on")
    r.holds(since == 0 or not both[since - 1], "before, too")


def _lock(r: Reader, g: Groups) -> None:
    since, waits = int(g["since"]), int(g["waits"])
    handler = [s["cq.consumer"] == "kick" and s["cq.locked"] for s in r.trace.states]
    r.holds(all(handler[since:]) and not handler[since - 1], f"the handler does not wait from step {since} on")
    places = [place for q in re.findall(r"SQ\d+", g["who"]) for place in r.workers(q)]
    r.holds(any(r.was(waits, each) != r.becomes(waits, each) != "asleep" for each in places), "it waits from elsewhere")
    still = range(waits + 1, r.last + 1)
    r.holds(all(r.was(n, each) == r.becomes(n, each) for n in still for each in places), "the worker goes on")


def _not_full(r: Reader, g: Groups) -> None:
    r.is_a(int(g["step"]), ("notify_head",))
    r.holds(r.was(int(g["step"]), "cq.available") > 0, "it was full")
    r.holds(not r.becomes(int(g["step"]), "poster.scheduled"), "something is posted")


def _trusted(r: Reader, g: Groups) -> None:
    step, wrote, name = int(g["step"]), int(g["wrote"]), g["q"].lower()
    r.is_a(step, ("reread_sq",), g["q"])
    r.holds(r.steps(("arm_sq",), g["q"], before=step)[-1:] == [wrote], "it writes EventIdx at another step")
    r.holds(r.was(step, f"{name}.shadow") == int(g["tail"]) == r.becomes(wrote, f"{name}.event"), "another tail")
    r.holds(r.was(step, f"{name}.head") == int(g["head"]) != int(g["tail"]), "another head, or nothing to take")
    r.holds(all(r.becomes(step, each) == "asleep" for each in r.workers(g["q"])), "a worker looks")


def _polls(r: Reader, g: Groups) -> None:
    name = g["q"].lower()
    r.holds(r.end(f"{name}.polled") == r.end(f"{name}.shadow") == int(g["tail"]), "the poller sees another tail")
    r.holds(r.steps(("poll_tail",), g["q"])[-1:] == ([int(g["saw"])] if g["saw"] else []), "it saw it at another step")


def _trusted_head(r: Reader, g: Groups) -> None:
    step, wrote = int(g["step"]), int(g["wrote"])
    r.is_a(step, ("post_read",))
    r.holds(r.steps(("post_arm",), before=step)[-1:] == [wrote], "it writes EventIdx at another step")
    r.holds(r.was(step, "cq.shadow") == int(g["head"]) == r.becomes(wrote, "cq.event"), "another head")
    r.holds(r.becomes(step, "cq.head") == int(g["known"]) != int(g["head"]), "it goes by another head")
    r.holds(r.becomes(step, "cq.available") == 0, "there is room")


# -- loops -------------------------------------------------------------------------------------------------------------
def _numbers(said: str) -> tuple[int, int, int, list[int]]:
    """How many steps a text names, the first, the last, and all of them if it has all."""
    if found := re.fullmatch(r"(\d+) times, from step (\d+) to step (\d+)", said):
        return int(found[1]), int(found[2]), int(found[3]), []
    numbers = [int(each) for each in re.findall(r"\d+", said)]
    return len(numbers), numbers[0], numbers[-1], numbers


def _named(r: Reader, said: str, are: Sequence[int]) -> None:
    how_many, first, last, every = _numbers(said)
    r.holds((how_many, first, last) == (len(are), are[0] if are else 0, are[-1] if are else 0), f"they are {are}")
    r.holds(not every or every == list(are), f"they are {are}")


def _loop(r: Reader, families: Sequence[str], q: str) -> list[int]:
    return r.steps(families, q, r.trace.loop or 0)


def _passed_over(r: Reader, g: Groups) -> None:
    q = g["q"]
    takes = _TAKES if g["what"] == "permit" else ("post",)
    said = dict(re.findall(r"(SQ\d+) ((?:\d+ times, from step \d+ to step \d+)|(?:at steps? [\d, and]*\d))", g["by"]))
    takers = {each: _loop(r, takes, each) for each in r.sqs if _loop(r, takes, each)}
    r.holds(said.keys() == takers.keys() and q not in takers, f"taken by {takers}")
    for each, steps in takers.items():
        _named(r, said[each], steps)
    _named(r, g["finds"], _loop(r, _CORKS, q))


def _again(r: Reader, g: Groups) -> None:
    families = _CORKS if g["what"] else ("find_empty",)
    _named(r, g["finds"], _loop(r, families, g["q"]))
    if g["what"]:
        takes = _TAKES if g["what"] == "permit" else ("post",)
        r.holds(not [each for each in r.sqs if _loop(r, takes, each)], "something comes back")


# -- safety ------------------------------------------------------------------------------------------------------------
def _taken(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, ("fetch",), g["q"])
    r.holds(sum(r.was(step, f"{q.lower()}.in_flight") for q in r.sqs) == int(g["under_way"]), "another number")
    r.holds(r.was(step, "cq.available") == int(g["free"]) <= int(g["under_way"]), "another number")


def _completes(r: Reader, g: Groups) -> None:
    r.holds(int(g["step"]) == r.last, "not the last step")
    r.holds(r.end(f"{g['q'].lower()}.in_flight") > 0, "nothing completes")
    heads = {"that the guest published": "cq.shadow", "in the pages from before the reset": "cq.page"}
    heads["in a word that the guest never writes"] = "cq.page"
    full = r.gap("CQ", r.end("cq.tail"), r.end(heads.get(g["by"], "cq.head")))
    r.holds(full == int(g["all"]) == r.sizes["CQ"] - 1, f"{full} are occupied")


def _strays(r: Reader, g: Groups) -> None:
    r.holds(int(g["step"]) == r.last, "not the last step")
    said = dict(re.findall(r"([\w.]+) becomes (-?\d+)", g["strays"]))
    r.holds(said.keys() == set(r.system.strays(r.trace.states[-1])), "others are out of range")
    r.holds(all(str(r.end(name)) == value for name, value in said.items()), "other values")


def _bad_head(r: Reader, g: Groups) -> None:
    r.holds(int(g["step"]) == r.last, "not the last step")
    head, tail = r.end("cq.head"), r.end("cq.tail")
    r.holds(r.end("cq.shadow") == int(g["head"]) and r.end("cq.consumer") == "notify head", "another head")
    r.holds(r.gap("CQ", int(g["head"]), head) == int(g["freed"]) > int(g["of"]) == r.gap("CQ", tail, head), "it fits")


def _unlooked(r: Reader, g: Groups) -> None:
    families = {action.family for action in r.system.actions}
    r.holds(not families & ({*_HEAD} - {"notify_head"}), "it looks at the CQ head")


def _waits(r: Reader, pattern: str) -> None:
    names = [name for name in r.trace.states[-1] if re.fullmatch(rf"(?:{pattern})\.wait\d+", name)]
    r.holds(any(r.end(name) for name in names), "all is seen")


def _torn_cqe(r: Reader, g: Groups) -> None:
    slot = int(g["slot"])
    r.holds(int(g["step"]) == r.last, "not the last step")
    r.is_a(int(g["posted"]), ("post", "post_late", "post_queued"))
    r.holds(r.was(int(g["posted"]), "cq.tail") == slot == r.end("cq.cursor"), "another slot")
    r.holds(r.end("cq.slots")[slot] != "none", "its phase is not in memory")
    _waits(r, r"cq\.cqe_view|[\w.]+\.rest")


def _torn_sqe(r: Reader, g: Groups) -> None:
    q = g["q"].lower()
    r.holds(int(g["step"]) == r.last, "not the last step")
    r.is_a(int(g["submitted"]), ("submit",))
    r.holds(r.end(f"{q}.head") == int(g["slot"]), "another slot")
    _waits(r, rf"{q}\.(sqes|sqe_view|shadow_tail)")


def _written_over(r: Reader, g: Groups) -> None:
    step, slot = int(g["step"]), int(g["slot"])
    r.is_a(step, ("post", "post_late"))
    r.holds(r.was(step, "cq.tail") == slot and r.was(step, "cq.slots")[slot] == g["q"], "no unread CQE stands there")
    r.holds(g["again"] == g["q"] and r.end(f"{g['q'].lower()}.outstanding") == int(g["left"]), "another number")


def _overwritten(r: Reader, g: Groups) -> None:
    r.holds(int(g["step"]) == r.last, "not the last step")
    r.holds(r.end(f"{g['q'].lower()}.in_flight") > 0, "nothing completes")
    r.holds(r.end("cq.tail") == int(g["slot"]) and r.end("cq.slots")[int(g["slot"])] != "none", "nothing stands there")


def _pages(r: Reader, g: Groups) -> None:
    r.holds(int(g["step"]) == r.last, "not the last step")
    r.holds(r.steps(("reset",))[-1:] == [int(g["reset"])], "another reset")
    r.holds(r.end("life.buffered") is False, "there is a buffer")
    writes = ("notify_tail", "notify_head") if "doorbell" in g["what"] else ("arm_sq", "post_arm", "cork_arm")
    next_ = {action.family for action in r.system.enabled(r.trace.states[-1])}
    r.holds(next_ & set(writes), f"next is {next_}")


def _bits(r: Reader, g: Groups) -> None:
    step = int(g["step"])
    r.is_a(step, ("notify", "deliver"), g["q"])
    places = [each.removesuffix(".at") for each in r.workers(g["q"])]
    r.holds(sum(r.was(step, f"{each}.idle") for each in places) == int(g["taken"]), "other bits")
    r.holds(sum(r.becomes(step, f"{each}.woken") for each in places) == int(g["woken"]), "others are woken")


def _unpublished(r: Reader, g: Groups) -> None:
    step, name, learned = int(g["step"]), g["q"].lower(), int(g["learned"])
    r.is_a(step, ("fetch",), g["q"])
    r.holds(r.was(step, f"{name}.head") == int(g["slot"]), "another slot")
    r.holds(r.becomes(step, f"{name}.tail") == int(g["tail"]) != r.was(learned, f"{name}.tail"), "another tail")
    r.holds(all(r.becomes(n, f"{name}.tail") == int(g["tail"]) for n in range(learned, step + 1)), "learned later")
    r.holds(r.becomes(step, f"{name}.shadow") == int(g["shadow"]), "another tail of the guest")
    if g["begun"]:
        begun = int(g["begun"])
        r.is_a(begun, tuple(_BEGINS.values()))
        r.holds((begun < learned) == (g["order"] == "after"), "in the other order")


_STEPS = r"(?:\d+ times, from step \d+ to step \d+|at steps? [\d, and]*\d)"
SENTENCES: dict[str, Callable[[Reader, Groups], None]] = {
    r"At step (?P<move>\d+) the guest's (?P<index>head|tail of SQ\d+) "
    r"(?:(?P<moves>moves) (?P<from>\d+) -> (?P<to>\d+)|becomes (?P<is>\d+), as the word stood before)"
    r"(?:, in memory from step (?P<late>\d+) on|(?P<buffered>, in its store buffer))?\. "
    r"(?P<ring>CQ|SQ\d+)(?:'s)? EventIdx is (?P<event>\w+) \((?P<origin>[^)]*)\), which "
    r"(?P<old>\d+) -> (?P<new>\d+) (?P<verb>does not pass|does not reach|passes|reaches)(?::|, and yet there is) no "
    r"doorbell at step (?P<check>\d+)\.": _elided,
    r"At step (?P<look>\d+) the guest reads (?P<ring>CQ|SQ\d+)(?:'s)? EventIdx, (?P<event>\w+) \((?P<origin>[^)]*)\), "
    r"which (?P<old>\d+) -> (?P<new>\d+) does not (?P<verb>pass|reach)\. At step (?P<move>\d+) it moves its "
    r"(?P<index>head|tail of SQ\d+) (?P<from>\d+) -> (?P<to>\d+): no doorbell\.": _elided_early,
    r"(?P<q>SQ\d+), corked at step (?P<step>\d+), sleeps on"
    r"(?:; the device last learned the CQ head at step (?P<read>\d+) \((?P<head>\d+)\))?\.": _corked,
    r"(?P<q>SQ\d+)'s workers?(?: last read the tail at step (?P<look>\d+) \((?P<tail>\d+)\), and)? "
    r"(?P<verb>has|have) "
    r"slept (?:since step (?P<since>\d+)|from the first state on), with (?P<left>\d+) published entr\w+ to take\."
    "": _asleep,
    r"(?P<q>SQ\d+)'s workers? found no request for an entry at step (?P<step>\d+), and ha\w+ slept since\."
    "": _no_request,
    r"(?P<left>\d+) completions? of (?P<q>SQ\d+) ha\w+ stayed queued since step (?P<since>\d+); the device "
    r"(?:last learned the CQ head at step (?P<read>\d+) \((?P<head>\d+)\)|never learned a CQ head)\.": _queued,
    r"At step (?P<step>\d+) (?P<how>[^.;]*)(?:, and no SQ is kicked there|; it wakes "
    r"(?:(?P<woken>SQ\d+[^.]*?), and not (?P<other>SQ\d+)|no SQ))\.": _no_kick,
    r"At step (?P<step>\d+) a command of (?P<q>SQ\d+), which was deleted at step (?P<deleted>\d+), completes, and its "
    r"permit is lost: (?P<left>\d+) of (?P<all>\d+) remain\.": _lost,
    r"At step (?P<step>\d+) a request of (?P<q>SQ\d+) comes back, and the device does not look at (?P<again>SQ\d+)\."
    "": _request_back,
    r"At step (?P<step>\d+) the device is resumed, and forgets (?:the notification of (?P<q>SQ\d+) from step "
    r"(?P<notified>\d+)(?P<corked>)|the look at (?P<looked>SQ\d+) that was due|that (?P<was>SQ\d+) was corked at step "
    r"(?P<when>\d+))\.": lambda r, g: _forgotten(
        r, {**g, "q": g["q"] or g["looked"] or g["was"], "corked": g["when"] or ""}
    ),
    r"At step (?P<step>\d+) (?P<what>the doorbell's notification|a kick) finds (?P<q>SQ\d+)'s workers? running, and is "
    r"spent\.": _spent,
    r"At step (?P<step>\d+) a notification finds no bit of a worker of (?P<q>SQ\d+) that sleeps, and wakes none\."
    "": _without_bit,
    r"At step (?P<step>\d+) a worker of (?P<q>SQ\d+) finds the bit of another set, does not look, and sleeps\."
    "": _turned_away,
    r"At step (?P<step>\d+) the device reads the tail of (?P<q>SQ\d+) in (?:the pages from before the reset of "
    r"step (?P<reset>\d+)|a word that the guest never writes): (?P<page>\d+), and the guest's is (?P<tail>\d+)\."
    "": _old_pages,
    r"At step (?P<step>\d+) the doorbell handler refuses CQ head (?P<head>\d+): (?P<freed>\d+) freed of (?P<of>\d+)\. "
    r"It kicks no SQ\.": _refused,
    r"At step (?P<step>\d+) the CQ doorbell frees (?P<freed>\d+), and nothing is posted\.": _posts_none,
    r"At step (?P<step>\d+) the guest takes the CQE in slot (?P<slot>\d+), and never tells it\.": _untold,
    r"At step (?P<step>\d+) a completion of (?P<q>SQ\d+) that had to wait is posted, and its request is lost: "
    r"(?P<left>\d+) of (?P<all>\d+) remain\.": _lost_request,
    r"At step (?P<step>\d+) (?P<what>the doorbell's notification|a kick) finds (?P<q>SQ\d+) not served yet, and is "
    r"lost\.": _unserved,
    r"At step (?P<step>\d+) (?P<what>the doorbell's notification|a kick) of (?P<q>SQ\d+) takes the bit of "
    r"(?P<taken>[^.]*), which (?:is|are) given to another SQ\.": _elsewhere,
    r"At step (?P<step>\d+) (?P<what>the doorbell's notification|a kick) of (?P<q>SQ\d+) wakes only the worker of "
    r"(?P<woken>[^.]*)\.": _others,
    r"Step (?P<step>\d+), which (?P<begins>[^,]*), leaves the device at CQ slot (?P<tail>\d+) and the guest at slot "
    r"(?P<cursor>\d+)\.": _apart,
    r"The CQE of (?P<q>SQ\d+) from step (?P<put>\d+) stands in CQ slot (?P<slot>\d+), and the guest looks at slot "
    r"(?P<cursor>\d+), from step (?P<since>\d+) on\.": _unseen,
    r"Since step (?P<since>\d+) the doorbell handler holds the CQ lock and waits for the look of (?P<who>[^.]*) to "
    r"end\. Since step (?P<waits>\d+) [^.]* in turn waits? for the CQ lock\.": _lock,
    r"After step (?P<step>\d+) the CQ doorbell carries head (?P<head>\d+): (?P<freed>\d+) freed of (?P<of>\d+)\."
    "": _bad_head,
    r"At step (?P<step>\d+) a CQE is written over the unread CQE of (?P<q>SQ\d+) in CQ slot (?P<slot>\d+)\. Slots of "
    r"(?P<again>SQ\d+) in use at the end: (?P<left>\d+)\.": _written_over,
    r"The device posts without a look at the CQ head\.": _unlooked,
    r"After step (?P<step>\d+) a command of (?P<q>SQ\d+) completes into CQ slot (?P<slot>\d+), where an unread CQE "
    r"stands\.": _overwritten,
    r"After step (?P<step>\d+) the device writes (?P<what>[^.]*) to pages that are no doorbell buffer since the reset "
    r"of step (?P<reset>\d+)\.": _pages,
    r"At step (?P<step>\d+) the CQ doorbell finds a CQ that was not full as last known, and has nothing posted\."
    "": _not_full,
    r"(?P<q>SQ\d+) is passed over: in the loop every (?P<what>permit|CQ slot) is taken, by (?P<by>[^.]*)\. "
    rf"SQ\d+'s workers? finds? none (?P<finds>{_STEPS})\.": _passed_over,
    rf"(?P<q>SQ\d+)'s workers? looks? again and again, (?P<finds>{_STEPS})"
    r"(?:, and no (?P<what>permit|CQ slot) comes back in the loop)?\.": _again,
    r"At step (?P<step>\d+) a command of (?P<q>SQ\d+) is taken: (?P<under_way>\d+) (?:is|are) in flight already, and "
    r"(?P<free>\d+) CQ slots? (?:is|are) free as last known\.": _taken,
    r"After step (?P<step>\d+) a command of (?P<q>SQ\d+) completes into a CQ whose (?P<all>\d+) entries are all "
    r"occupied, by the head (?P<by>that[^.]*|in [^.]*)\.": _completes,
    r"At step (?P<step>\d+) the [^.]* does what breaks it: [^.]*\. (?P<strays>[\w., -]*), which is out of "
    r"range\.": _strays,
    r"The CQE in CQ slot (?P<slot>\d+) is posted at step (?P<posted>\d+)\. After step (?P<step>\d+) the guest consumes "
    r"it, and sees its phase, and the rest as it was before\.": _torn_cqe,
    r"The tail of (?P<q>SQ\d+) moves past slot (?P<slot>\d+) by step (?P<submitted>\d+)\. After step (?P<step>\d+) the "
    r"device takes the SQE there, and sees it as it was before\.": _torn_sqe,
    r"At step (?P<step>\d+) a notification takes the bits of (?P<taken>\d+) workers of (?P<q>SQ\d+) and wakes "
    r"(?P<woken>\d+): no notification will find the others?\.": _bits,
    r"At step (?P<step>\d+) the worker of (?P<q>SQ\d+) reads tail (?P<tail>\d+), which it wrote to EventIdx at step "
    r"(?P<wrote>\d+), and sleeps with its head at (?P<head>\d+)\.": _trusted,
    r"The poller of (?P<q>SQ\d+) goes on finding tail (?P<tail>\d+), which it (?:saw at step (?P<saw>\d+)|began with)\."
    "": _polls,
    r"At step (?P<step>\d+) the device reads CQ head (?P<head>\d+), which it wrote to EventIdx at step (?P<wrote>\d+), "
    r"and posts nothing: it goes by head (?P<known>\d+)\.": _trusted_head,
    r"At step (?P<step>\d+) a worker takes the entry in slot (?P<slot>\d+) of (?P<q>SQ\d+) by the tail (?P<tail>\d+), "
    r"which it has from step (?P<learned>\d+)(?:, (?P<order>before|after) step (?P<begun>\d+) began SQ\d+ anew)?; the "
    r"guest's tail is (?P<shadow>\d+)\.": _unpublished,
}
"""Every sentence that a cause may have, and what it claims."""


def sentences(text: str) -> Iterator[tuple[re.Match[str], Callable[[Reader, Groups], None]]]:
    """The sentences of a cause, as they are read. Raises `Untrue` for one that cannot be."""
    while text:
        found = next(((m, claim) for p, claim in SENTENCES.items() if (m := re.match(p, text))), None)
        if found is None:
            raise Untrue(f"cannot be read: {text}")
        yield found
        text = text[found[0].end() :].lstrip()


def hold(system: System, trace: Trace, text: str) -> None:
    """Raises `Untrue` unless a cause is true of a run."""
    if not text:
        raise Untrue("it says nothing")
    reader = Reader(system, trace)
    for found, claim in sentences(text):
        claim(reader, found.groupdict())
