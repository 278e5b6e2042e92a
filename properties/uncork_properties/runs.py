"""Runs that refute designs at sizes that are too large for a search. `replay` has to accept each of them.

Each run is written by hand, as the steps before a loop and the steps of the loop, which repeats until the state does.
"""

from __future__ import annotations

from collections.abc import Sequence

from uncork.core.frozen import frozen


@frozen
class Run:
    """A run that violates a property of an instance with these sizes (SQs, entries of an SQ, entries of the CQ)."""

    says: str
    shape: tuple[int, int, int]
    prop: str
    before: tuple[str, ...]
    loop: tuple[str, ...]

    @property
    def row(self) -> str:
        """The property without its SQ."""
        return self.prop.partition(" ")[0]

    @property
    def steps(self) -> tuple[str, ...]:
        """All steps, the loop once."""
        return self.before + self.loop


def _steps(actor: str, *families: str) -> list[str]:
    return [f"{family}({actor})" for family in families]


def _submits(sq: str) -> list[str]:
    """The guest submits an entry and rings; a worker that runs is not woken by that."""
    return [f"submit({sq}, 1)", *_steps(sq, "need_sq", "ring_sq", "notify_tail", "notify")]


def _takes(worker: str) -> list[str]:
    """A worker takes a permit and an entry."""
    return _steps(worker, "reserve", "fetch", "arm_sq", "reread_sq")


def _publishes(sq: str, *then: str) -> list[str]:
    """The guest consumes a CQE of an SQ and publishes its head."""
    return [f"consume({sq})", "leave_loop", "publish", *then]


def _missed(*corks: str) -> Run:
    """Two busy SQs keep a third corked: one arms just after a publish, the other credits the room and wakes no SQ."""
    busy, other, corked = "SQ0", "SQ1", "SQ2"
    doorbell = ("need_cq", "ring_cq")
    before = [
        *_submits(busy), *_steps(busy, "wake"), *_takes(busy), *_submits(other), *_steps(other, "wake"), *_takes(other),
        *_steps(busy, "post", "post_read"), *_publishes(busy, *doorbell), *_steps(busy, "post_arm"), *_submits(busy),
        *_steps(other, "post", "post_credit", "post_leave"), "notify_head", "kick", *_publishes(other, "elide_cq"),
        *_submits(other), *_takes(busy), *_steps(other, "refresh", "fetch", "arm_sq", "reread_sq"),
        *_submits(corked), *_steps(corked, "wake", *corks),
    ]  # fmt: skip
    loop = [
        *_steps(busy, "post", "post_read"), *_publishes(busy, "elide_cq"), *_steps(busy, "post_arm"), *_submits(busy),
        *_steps(other, "post"), *_publishes(other, "elide_cq"), *_steps(other, "post_credit", "post_leave"),
        *_submits(other), *_takes(busy), *_takes(other),
    ]  # fmt: skip
    return Run(
        "EventIdx is armed at the head after the guest has passed it, and the next read wakes no SQ",
        (3, 2, 3), f"uncorked {corked}", tuple(before), tuple(loop),
    )  # fmt: skip


def _passed_on(cork: Sequence[str], post: Sequence[str]) -> Run:
    """Two empty SQs with two workers each pass a permit on for ever, and a third SQ looks only while it is held.

    `cork` and `post` are the steps of a worker that corks its SQ, and that posts.
    """
    workers = {sq: [f"{sq}, worker {number}" for number in range(2)] for sq in ("SQ0", "SQ1", "SQ2")}
    (a0, a1), (b0, b1), (c0, c1) = workers.values()

    def corks(worker: str) -> list[str]:
        return _steps(worker, *cork)

    def served(sq: str, worker: str) -> list[str]:
        doorbell = ("need_cq", "ring_cq", "notify_head", "kick")
        return [*_steps(worker, *post), *corks(worker), *_publishes(sq, *doorbell)]

    def looks(worker: str) -> list[str]:
        return [*_steps("SQ2", "deliver"), *_steps(worker, "wake"), *corks(worker)]

    def half(first: str, second: str, sq: str, third: str, fourth: str, waits: str) -> list[str]:
        """One SQ gives the permit back, the other takes it; the other worker of each finds none and corks, or waits."""
        return [
            *_steps(first, "find_empty", "remit"), *_steps(sq, "deliver"), *_steps(third, "wake", "reserve"),
            *corks(second), *_steps(fourth, "wake"), *looks(waits),
        ]  # fmt: skip

    before = [
        *_submits("SQ0"), *_steps(a0, "wake"), *_takes(a0), *_submits("SQ1"), *_steps(b0, "wake"), *corks(b0),
        *_submits("SQ2"), *_steps(c0, "wake"), *corks(c0), *served("SQ0", a0),
        *_steps("SQ1", "deliver"), *_steps(b0, "wake"), *_takes(b0), *_steps("SQ0", "deliver"),
        *_steps(a0, "wake"), *corks(a0), *_steps(a1, "wake"), *corks(a1), *looks(c0), *served("SQ1", b0),
        *_steps("SQ0", "deliver"), *_steps(a0, "wake", "reserve"), *_steps(a1, "wake"), *_steps("SQ1", "deliver"),
        *_steps(b0, "wake"), *corks(b0), *_steps(b1, "wake"), *corks(b1), *looks(c0),
    ]  # fmt: skip
    loop = [*half(a0, a1, "SQ1", b0, b1, c0), *half(b0, b1, "SQ0", a0, a1, c1)]
    return Run(
        "two empty SQs pass a permit on for ever, and a third SQ looks only while it is held",
        (3, 2, 2), "drains SQ2", tuple(before), tuple(loop),
    )  # fmt: skip


_ARM_FIRST, _READ_FIRST = ("post", "post_arm", "post_read"), ("post", "post_read", "post_arm")

KNOWN: Sequence[Run] = (
    _missed("cork"),
    _missed("start_cork", "cork_park"),
    _passed_on(("start_cork", "cork_arm", "cork_park"), _ARM_FIRST),
    _passed_on(("cork",), _ARM_FIRST),
    _passed_on(("cork",), _READ_FIRST),
)
"""All recorded runs."""
