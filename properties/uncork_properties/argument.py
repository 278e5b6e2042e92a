"""The proof for all sizes: lemmas, claims and termination arguments. An engine decides whether the proof holds."""

from __future__ import annotations

from uncork.core.property import Always, NotForever
from uncork.core.questions.argument import Argument, Claim
from uncork.core.system import System
from uncork_nvme.anysize import AnySize

from uncork_properties.catalogue import properties
from uncork_properties.lemmas import lemmas
from uncork_properties.ranks import descents, frames
from uncork_properties.responses import responses

COUNTED = ("the CQ never overflows", "no CQE is overwritten unread")
"""The claims on which the counting of CQEs rests: without them the counted CQEs are not the CQEs of the ring."""


def argument(m: AnySize, system: System) -> Argument:
    """The proof for a machine with one SQ, or with any number."""
    stated = properties(m, system)
    livenesses = [p for p in stated if isinstance(p, NotForever) and p.name.endswith(m.sqs[0].label)]
    return Argument(
        system,
        inputs=frozenset(variable.name for variable in m.anything.variables),
        lemmas=[*lemmas(m)],
        safety=[Claim(p.name, p.doc, p.condition, p.name in COUNTED) for p in stated if isinstance(p, Always)],
        descents=[*descents(m, system, livenesses)],
        responses=[*responses(m, system, livenesses)],
        frames=[*frames(m, system)] if m.rest else [],
    )
