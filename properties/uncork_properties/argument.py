"""The proof for all sizes: lemmas, claims and termination arguments. An engine decides whether the proof holds."""

from __future__ import annotations

from collections.abc import Sequence

from uncork.core.property import Always, NotForever
from uncork.core.questions.argument import Argument, Claim, Lemma
from uncork.core.sorts import SlipError
from uncork.core.system import System
from uncork_nvme.anysize import AnySize

from uncork_properties.catalogue import properties
from uncork_properties.lemmas import lemmas
from uncork_properties.ranks import descents, frames
from uncork_properties.responses import responses

COUNTED = ("the CQ never overflows", "no CQE is overwritten unread")
"""The claims on which the counting of CQEs rests: without them the counted CQEs are not the CQEs of the ring."""


def argument(m: AnySize, system: System, own: Sequence[Lemma] = ()) -> Argument:
    """The proof for a machine with a number of SQs, or with any number.

    With any number it is about SQ0, which stands for each of them; otherwise about each SQ. `own` are the user's
    lemmas. Raises `SlipError` if one has the name of another lemma.
    """
    known = [*lemmas(m)]
    for each in own:
        if each.name in {lemma.name for lemma in known}:
            raise SlipError(f"there is a lemma {each.name!r} already: give yours another name")
        known.append(each)
    stated = properties(m, system)
    of = tuple(q.label for q in (m.sqs[:1] if m.rest else m.sqs))
    livenesses = [p for p in stated if isinstance(p, NotForever) and p.name.endswith(of)]
    return Argument(
        system,
        inputs=frozenset(variable.name for variable in m.anything.variables),
        lemmas=known,
        safety=[Claim(p.name, p.doc, p.condition, p.name in COUNTED) for p in stated if isinstance(p, Always)],
        descents=[*descents(m, system, livenesses)],
        responses=[*responses(m, system, livenesses)],
        frames=[*frames(m, system)] if m.rest else [],
    )
