"""Controls that have to fail, so that agreement means something: changed models, and guests that break a rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from uncork_nvme.choices import YES, Choice

from uncork.conform.rig.driver import Slips

MOST, MOST_WRONG = 60, 600
"""Number of schedules within which a changed model has to disagree, or a wrong guest to get stuck."""


@dataclass(frozen=True)
class Control:
    """A model of QEMU with one rule changed. `unseen` says why no schedule can show the difference, if none can."""

    name: str
    doc: str
    policy: str = ""
    choices: dict[str, Choice] = field(default_factory=dict)
    unseen: str = ""


_AFTER_ALL = "what is written last is the same, and only that is seen when QEMU has come to rest"
_WITHIN = "it differs only for what the guest does while QEMU's handler runs, and then no move can be made"

_OTHER = "the other side of 9529aa6b"

CONTROLS = (
    Control("qemu-7.1", "CQ EventIdx is never written", policy="never"),
    Control("tail", "CQ EventIdx is the tail", policy="tail"),
    Control("tail-1", "CQ EventIdx is one behind the tail", policy="tail-1"),
    Control("head-1", "CQ EventIdx is one behind the head", policy="head-1"),
    Control("head-when-full", "CQ EventIdx is the head, and written only if the CQ is full", policy="head-when-full"),
    Control("reserve-permits", "CQ EventIdx is the tail while there is room", policy="reserve-permits"),
    Control(
        "read-then-arm",
        "CQ EventIdx is written after the head is read, and so does not lag",
        choices={"post_order": "read-then-arm"},
    ),
    Control("suppress_db", "SQ EventIdx is never written", choices={"sq_arm": "never"}),
    Control("sq tail-1", "SQ EventIdx is one behind the tail", choices={"sq_event": "tail-1"}),
    Control("permits", "a command is taken only if the CQ has a slot for it", choices={"cq_full": "permits"}),
    Control("repoll", "an SQ is looked at after each completion", choices={"backend": "detached-repoll"}),
    Control(_OTHER, "the doorbell of a full CQ has the SQs looked at, or not: as before that commit, or since"),
    Control("sq head", "SQ EventIdx is the head", choices={"sq_event": "head"}, unseen=_AFTER_ALL),
    Control("sq idle", "SQ EventIdx is written when the SQ is empty", choices={"sq_arm": "idle"}, unseen=_AFTER_ALL),
    Control("no re-read", "the SQ tail is not read again", choices={"sq_reread": "no"}, unseen=_WITHIN),
    Control("read each", "the SQ tail is read before each command", choices={"sq_read": "each"}, unseen=_WITHIN),
)
"""The changed models. Each differs from the model of the installed QEMU only in the rule that it names."""


def against(control: Control, base: Mapping[str, Choice]) -> dict[str, Choice]:
    """Returns a control's choices, over those of the installed QEMU."""
    if control.name == _OTHER:
        return {} if base else {"kick_on_doorbell": YES}
    return {**base, **control.choices}


@dataclass(frozen=True)
class Wrong:
    """A guest that breaks the doorbell rule and has to get stuck."""

    name: str
    doc: str
    slips: Slips


WRONG = (
    Wrong("no SQ doorbell", "never rings an SQ doorbell", Slips(rings_sq=False)),
    Wrong("no CQ doorbell", "never rings the CQ doorbell", Slips(rings_cq=False)),
    Wrong("one off", "takes EventIdx to be passed when it is in (old, new]", Slips(by_one=True)),
    Wrong("late store", "looks at EventIdx before its store of the index is seen", Slips(stores_late=True)),
    Wrong("late ring", "rings only as it next moves the index", Slips(ring_late=True)),
    Wrong(
        "old index",
        "rings with the index before its last move",
        Slips(rings_old=True),
    ),
)
"""The guests that break the doorbell rule."""

OVERLAYS = ("tail", "never", "reserve-permits", "head-when-full", "tail-1")
MOST_OVERLAID = 90
"""Number of schedules of every overlaid policy and setting."""
