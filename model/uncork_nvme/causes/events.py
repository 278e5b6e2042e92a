"""A doorbell that the guest left out, in words: the move, the EventIdx that it read, and who wrote that."""

from __future__ import annotations

from uncork.core.causes.run import Run, Step
from uncork.core.evaluate import holds, integer
from uncork.core.expr import Expr, text
from uncork.core.sorts import plain
from uncork.core.system import Record

from uncork_nvme.parts.post import event_idx
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.memory import Stores, Word
from uncork_nvme.state.queues import CQ, SQ

_ARMS = ("arm_sq", "post_arm", "cork_arm")
"""The steps that write EventIdx."""
BEGINS = {
    "create_sq": "creates {}",
    "delete_sq": "deletes {}",
    "recreate": "creates the queues again",
    "configure": "configures the doorbell buffer",
    "configure_again": "configures the doorbell buffer again",
    "reset": "resets the controller",
    "restart": "sets the controller up again",
}
"""The steps with which a queue or its buffer ends or begins: they set EventIdx, or leave it as it is."""


def concerns(step: Step, ring: SQ | CQ) -> bool:
    """Whether a step with which something ends or begins is about this queue."""
    return step.action.about(ring) or not any(isinstance(each, Record) for each in step.action.args)


def elided(m: Machine, ring: SQ | CQ, run: Run, step: Step) -> str:
    """The guest left a doorbell out: the move, what EventIdx was, and who wrote that."""
    cq = isinstance(ring, CQ)
    move = run.last(("publish",), before=step.number) if cq else run.last(("submit",), ring, before=step.number)
    if move is None:
        return ""
    new, by = integer(ring.index.own, step.before), integer(ring.moved, step.before)
    moved = f"{(new - by) % ring.size} -> {new}"
    which, index = ("CQ", "head") if isinstance(ring, CQ) else (f"{ring.label}'s", f"tail of {ring.label}")
    event = "0xFFFFFFFF" if ring.outside else plain(step.was(ring.event))
    strict = m.parts.guest.strict or ring.outside
    past = (integer(ring.event, step.before) - new + by) % ring.size
    how = f"does not {'pass' if strict else 'reach'}: no doorbell at step {step.number}"
    if past < by or (past == by and not strict):  # a guest that does not do as the specification says
        how = f"{'passes' if strict else 'reaches'}, and yet there is no doorbell at step {step.number}"
    late = _late(run, ring.index, move, step)
    moves = f"moves {moved}" if by else f"becomes {new}, as the word stood before"
    return (
        f"At step {move.number} the guest's {index} {moves}{late}. {which} EventIdx is {event} "
        f"({_origin(m, ring, run, step)}), which {moved} {how}."
    )


def elided_early(m: Machine, ring: SQ | CQ, run: Run, step: Step) -> str:
    """The guest looked at EventIdx before this move, and left the doorbell out."""
    cq = isinstance(ring, CQ)
    look = run.last(("look_cq",), before=step.number) if cq else run.last(("submit",), ring, before=step.number)
    if look is None or step.changes(ring.moved) is False:
        return ""
    which, index = ("CQ", "head") if isinstance(ring, CQ) else (f"{ring.label}'s", f"tail of {ring.label}")
    moved = f"{plain(step.was(ring.index.own))} -> {plain(step.becomes(ring.index.own))}"
    event = "0xFFFFFFFF" if ring.outside else plain(look.was(ring.event))
    verb = "pass" if m.parts.guest.strict or ring.outside else "reach"
    read = f"{which} EventIdx, {event} ({_origin(m, ring, run, look)})"
    return (
        f"At step {look.number} the guest reads {read}, which {moved} does not {verb}. "
        f"At step {step.number} it moves its {index} {moved}: no doorbell."
    )


def _late(run: Run, place: Stores, store: Step, read: Step) -> str:
    """When a store reaches memory, if that is after a read by its thread."""
    if place.at_once:
        return ""
    seen = arrives(run, place, store)
    if seen is None:
        return ", in its store buffer"
    return f", in memory from step {seen} on" if seen > read.number else ""


def _origin(m: Machine, ring: SQ | CQ, run: Run, read: Step) -> str:
    """Who wrote the EventIdx that a step reads, and what was written since and is not in memory, or not at all."""
    earlier = run.steps[: read.number - 1]
    wrote = next((step for step in reversed(earlier) if _writes(m, ring, step)), None)
    since = earlier[wrote.number :] if wrote else earlier
    said = [_written(m, ring, run, wrote) if wrote else "as at first"]
    kept = [s for s in since if s.action.family in BEGINS and s.action.family != "reset" and concerns(s, ring)]
    if kept:
        said.append(f"step {kept[-1].number}, which {begins(kept[-1])}, leaves it so")
    if holds(m.life.blind, read.before):
        reset = run.last(("reset",), before=read.number)
        said.append(f"the device uses no doorbell buffer{f' since step {reset.number}' if reset else ''}")
    if ring.has("armed"):
        idle = [s for s in since if s.action.family in _ARMS and f"{ring.name}.armed" in s.action.updates]
        idle = [s for s in idle if holds(m.life.in_use, s.before) and s.was(ring.armed) != s.was(ring.event)]
        if idle:
            remembered = plain(idle[-1].was(ring.armed))
            said.append(f"at step {idle[-1].number} the device remembers it as {remembered}, and writes nothing")
    for place in _places(m, ring):
        for arrives, store in _stores(run, place):
            if store.number < read.number and (arrives is None or arrives > read.number):
                when = f"is in memory from step {arrives} on" if arrives else "waits in a store buffer"
                said.append(f"the {integer(place.own, store.after)} written at step {store.number} {when}")
    return "; ".join(said)


def begins(step: Step) -> str:
    """What a step does with which something ends or begins."""
    return BEGINS[step.action.family].format(*(getattr(each, "label", "") for each in step.action.args))


def _writes(m: Machine, ring: SQ | CQ, step: Step) -> bool:
    """Whether a step writes EventIdx in memory, be it the same value again."""
    if step.changes(ring.event):
        return True
    writes = step.action.family in _ARMS and f"{ring.name}.event" in step.action.updates
    return writes and holds(m.life.in_use, step.before) and (not ring.has("armed") or step.changes(ring.armed))


def _written(m: Machine, ring: SQ | CQ, run: Run, step: Step) -> str:
    """How a step came to write EventIdx, and which position that is."""
    if step.action.family in BEGINS:
        return f"set at step {step.number}, which {begins(step)}"
    if step.action.family == "flush":
        place = next(each for each in step.action.args if isinstance(each, Word))
        store = next(store for arrives, store in _stores(run, place) if arrives == step.number)
        what = _position(m, ring, store, integer(place.own, store.after))
        return f"written at step {store.number}, in memory since step {step.number}{what}"
    return f"written at step {step.number}{_position(m, ring, step, integer(ring.event, step.after))}"


def _position(m: Machine, ring: SQ | CQ, step: Step, value: int) -> str:
    """The name of the position that was written, the policy's own if it names one."""
    names: list[tuple[Expr, str]] = [(ring.tail, "the tail"), (ring.head, "the head")]
    names += [(ring.tail - 1, "one behind the tail"), (ring.head - 1, "one behind the head")]
    corking = step.action.family == "cork_arm"
    said = event_idx(m, corking=corking).value if isinstance(ring, CQ) else m.parts.reader.event(ring)
    names.sort(key=lambda each: said is None or text(each[0]) != text(said))
    return next((f": {name}" for place, name in names if integer(place, step.before) == value), "")


# -- store buffers -----------------------------------------------------------------------------------------------------
def _places(m: Machine, ring: SQ | CQ) -> list[Word]:
    """Where stores to this EventIdx wait."""
    words = [place for buffer in m.buffers for place in buffer.places if isinstance(place, Word) and not place.at_once]
    return [word for word in words if text(word.shown) == text(ring.event)]


def _stores(run: Run, place: Stores) -> list[tuple[int | None, Step]]:
    """The stores to a place, in order, each with the step at which it reaches memory, if it does."""
    found: list[tuple[int | None, Step]] = []
    for step in run.steps:
        before, after = ([integer(wait, state) > 0 for wait in place.waits] for state in (step.before, step.after))
        if sum(after) > sum(before):
            found.append((None, step))
        for _ in range(sum(before) - sum(after)):
            oldest = next(number for number, (arrives, _) in enumerate(found) if arrives is None)
            found[oldest] = (step.number, found[oldest][1])
    return found


def arrives(run: Run, place: Stores, store: Step) -> int | None:
    """The step at which a store reaches memory: the step itself if it does not wait; None if it never does."""
    if place.at_once:
        return store.number
    return next((arrives for arrives, each in _stores(run, place) if each is store), None)


def seen(run: Run, ring: SQ | CQ, store: Step) -> int | None:
    """The step from which on the device cannot miss a store to a shadow index; None if it may miss it to the end."""
    memory = arrives(run, ring.index, store)
    if memory is None or ring.sight.at_once:
        return memory
    return next((gone for gone, each in _stores(run, ring.sight) if each.number == memory), None)
