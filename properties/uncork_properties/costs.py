"""The costs of a policy: doorbell rates and waits."""

from __future__ import annotations

from collections.abc import Iterator

from uncork.core.questions.cost import Rate, Wait
from uncork.core.system import System
from uncork_nvme.state.machine import Machine

_POST = ("post", "post_queued")


def rates(_: Machine, system: System) -> list[Rate]:
    """The doorbells per posted completion; a doorbell is a write that traps to the device."""
    return [
        Rate("CQ doorbells", "CQ doorbells per completion posted", _of(system, "ring_cq"), _of(system, *_POST)),
        Rate("SQ doorbells", "SQ doorbells per completion posted", _of(system, "ring_sq"), _of(system, *_POST)),
    ]


def waits(m: Machine, system: System) -> Iterator[Wait]:
    """The waits of each corked SQ while the CQ has room, in CQEs consumed and in completions posted.

    There is room if permits are available, or if the shadow head is past the head that the device knows. A wait ends
    when the SQ is no longer corked, or when other SQs have taken the room. A device that finds a permit for a corked SQ
    may serve the SQ and leave it corked, so *idle* waits count only while the SQ has published entries and its workers
    sleep.
    """
    consumes, posts = _of(system, "consume"), _of(system, *_POST)
    for q in m.sqs:
        room = q.corked & (m.cq.available + m.cq.freed > 0)
        idle = room & (q.pending > 0) & q.asleep
        yield Wait("CQEs", f"CQEs consumed while {q.label} is corked with room", room, consumes)
        yield Wait("posts", f"completions posted while {q.label} is corked with room", room, posts)
        yield Wait("idle CQEs", f"CQEs consumed while {q.label} has entries, sleeps, corked with room", idle, consumes)
        yield Wait(
            "idle posts", f"completions posted while {q.label} has entries, sleeps, corked with room", idle, posts
        )


def _of(system: System, *families: str) -> frozenset[str]:
    return frozenset(action.name for action in system.actions if action.family in families)
