"""Proofs for all sizes refuse every choice of which the lemmas do not speak."""

from __future__ import annotations

import pytest
from uncork.core.sorts import SlipError
from uncork.prove import proof
from uncork_nvme.choices import ABOUT_EVENTS, MemoryChoices, describe
from uncork_nvme.instance import Design

SPOKEN_OF = {
    *("post_order", "backend", "workers", "doorbell_buffer", "early_free", "drain", "need_event", "submit_batch"),
    *("kick_on_doorbell", "kick_on_post", "kick_on_reserve", "kick_on_remit"),
    *(MemoryChoices.__annotations__.keys() - {"memory"}),
    *("on_doorbell", "event_outside", "sq_read", "sq_arm", "sq_reread", "on_full_doorbell", "on_request"),
}
"""The choices of which the lemmas speak, whatever their value; of the others they know the values named below."""
KNOWN = {
    *(("cq_full", "queue"), ("sq_event", "tail"), ("sq_event", "tail-1"), ("cork", "arm-recheck")),
    *(("notify", "spent"), ("kick_delivery", "deferred"), ("memory", "tso"), ("kick_size", "hand-over")),
    *(("threads", "one"), ("poll", "yes"), ("cork", "self-kick")),
}
KEPT = {"notify": "kept", "kick_delivery": "at-once"}
FITTING = {
    "held": {"notify": "kept"}, "first": KEPT, "every": KEPT,
    "dropped": {"kick_delivery": "at-once"}, "changed": {**KEPT, "workers": 1},
}  # fmt: skip
"""What a value is described together with."""
WITHIN = {"sq_compare", "sq_last_look", "cq_compare"}
"""Choices that go with a value of another choice, which is refused."""
REFUSED = [
    (name, value) for name, values, _ in describe() if name not in {*SPOKEN_OF, *ABOUT_EVENTS, *WITHIN, "pool"}
    for value in values[1:] if (name, value) not in KNOWN and " " not in value
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), REFUSED)
@pytest.mark.parametrize("several", [False, True])
def test_a_choice_that_no_lemma_speaks_of_is_refused(name: str, value: str, several: bool) -> None:
    chosen = {"backend": "detached", "workers": 2, **FITTING.get(value, {}), name: value}
    design = Design("arm-recheck", "linux", "arm-on-cork", chosen)
    with pytest.raises(SlipError, match=f"{name}={value}"):
        proof._part(design, several, 2, lambda _: None)


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"sq_read": "wake", "workers": 2}, "one worker an SQ"),
        ({"sq_arm": "idle", "workers": 2}, "one worker an SQ"),
        ({"sq_read": "wake", "kick_size": "hand-over", "cork": "park"}, "before each entry"),
        ({"sq_arm": "idle", "kick_size": "hand-over", "cork": "park"}, "armed after each"),
        ({"sq_event": "tail", "memory": "tso"}, "sq_event=tail, sq_reread=yes, cq_full=permits and memory=tso"),
        ({"sq_reread": "no", "memory": "tso"}, "sq_reread=no, cq_full=permits and memory=tso"),
        ({"cq_full": "queue", "backend": "detached", "memory": "tso"}, "cq_full=queue and memory=tso"),
        ({"cq_full": "queue", "backend": "detached", "workers": 2}, "cq_full=queue is proved with"),
        ({"cq_full": "queue", "backend": "detached", "doorbell_buffer": "off"}, "cq_full=queue is proved with"),
        ({"cq_full": "queue", "backend": "detached", "events": "delete+create"}, "cq_full=queue is proved with"),
    ],
)
def test_other_looks_and_queued_completions_are_refused_with_what_no_lemma_speaks_of(
    chosen: dict[str, str | int], says: str
) -> None:
    with pytest.raises(SlipError, match=says):
        proof._part(Design("arm-recheck", "linux", "arm-on-cork", chosen), True, 2, lambda _: None)


def test_a_pool_without_queued_completions_is_refused() -> None:
    with pytest.raises(SlipError, match="is not proved for all sizes"):
        proof._part(Design("qemu", "linux", "head", {"pool": 1}), False, 2, lambda _: None)
