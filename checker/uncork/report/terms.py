"""The words of a run, each explained in a sentence: the page shows the sentence where the word stands.

docs/terms.md has the same sentences, each with a picture or a line of code.
"""

from __future__ import annotations

TERMS = {
    "shadow": "The word in memory that has the guest's index. The device may read it at any time.",
    "EventIdx": "The word beside the shadow that the device writes. The guest rings only if its move passes EventIdx.",
    "doorbell": "A device register that the guest writes when it moves an SQ tail or a CQ head: it rings.",
    "passed": "A move from old to new passes EventIdx if EventIdx lies in [old, new), round the ring.",
    "silent": "The guest has moved an index and rings no doorbell, because its move did not pass EventIdx.",
    "cursor": "How far the guest has really consumed its CQ. It publishes the shadow head later.",
    "permit": "A free CQ slot that is reserved for a command. A worker takes one before it looks for an entry.",
    "corked": "An SQ that has entries and found no permit. Its worker sleeps until the SQ is kicked.",
    "kick": "The device wakes corked SQs, because the CQ has room again.",
    "notify": "The device wakes a worker of an SQ, because a doorbell rang or the SQ was kicked.",
    "reserve": "A worker takes a permit, or finds none.",
    "remit": "A worker that finds its SQ empty returns the permit that it took.",
    "post": "The device writes a completion into the CQ.",
    "arm": "The device writes EventIdx: it says which move it wants to be rung for.",
    "worker": "The device's thread that takes commands from an SQ.",
    "backend": "Whoever completes a command and posts its CQE: the worker itself, or another thread.",
    "consumer": "The guest's consuming side: takes CQEs, publishes the head, looks at CQ EventIdx, rings or not.",
    "submitter": "The guest's submitting side: moves the shadow tail, looks at SQ EventIdx, rings or not.",
    "stuck": "The run ends where nothing that must happen can happen any more.",
    "loop": "The run goes round for ever, and takes every step that a fair run has to take.",
}
"""Each word with its meaning, in the order in which a reader needs them."""
