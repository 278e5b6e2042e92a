"""The machine for queues of every size and any number of SQs: the same steps, on symbols.

Sizes are symbols (C of the CQ, S of an SQ, T of another). Of the SQs one is followed, SQ0, and one more, SQ1, is any of
the others; what the rest of them do to what is shared is summed up in a few numbers, which only their own steps change.
Every step of every SQ is then a step of SQ0 or of SQ1, seen by SQ0, by itself, or by a third: that is enough for
statements about one SQ, what is shared, and sums over all SQs. With one SQ there is only SQ0.

CQ entries are counted, not stored: the guest finds one of an SQ at its cursor only if that SQ has unread ones. That
allows more orders than the ring does, and whatever holds in all of them holds in the right one. Entries stand between
the cursor and the tail and nowhere else, so one is visible exactly if the two differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from math import inf
from typing import cast

from uncork.core.expr import Expr, any_of, gap, ite, minimum, total
from uncork.core.frozen import frozen
from uncork.core.size import symbol
from uncork.core.sorts import Bool, Enum, Nat, Range, SlipError
from uncork.core.system import Declared, Record, Updates, var

from uncork_nvme.choices import ABOUT_EVENTS, YES, Choice, Choices
from uncork_nvme.policies import CQView, Policy
from uncork_nvme.state.actors import IN_POST, Completer, Serving
from uncork_nvme.state.kicks import Kick
from uncork_nvme.state.life import Life
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import CQ, SQ

IN_CORK = ("cork arm", "cork recheck")
"""Where a worker stands while it corks its SQ and holds the CQ lock."""
_ANY_NUMBER = cast(int, inf)
_SPOKEN_OF: dict[str, tuple[Choice, ...]] = {
    **dict.fromkeys(("post_order", "backend", "workers", "doorbell_buffer"), ()),
    **dict.fromkeys(("kick_on_doorbell", "kick_on_post", "kick_on_reserve", "kick_on_remit"), ()),
    **dict.fromkeys(("early_free", "drain", "need_event", "submit_batch"), ()),
    "notify": ("kept", "spent"),
    "kick_delivery": (),
    **dict.fromkeys(("guest_fence", "device_fence_sq", "device_fence_cq"), ()),  # with memory=sc they change nothing
    "cork": ("park", "arm-recheck"),
}
"""The choices that the lemmas speak of, with the values that they speak of; () is all. Of any other, its default."""


class AnySQ(SQ):
    """An SQ that also knows how many of its CQEs the guest has not taken."""

    def __init__(self, number: int, size: int, cq_size: int, life: Life) -> None:
        super().__init__(number, size, cq_size, life)
        self.ledger = Record(f"{self.name}.ledger", unread=var(Nat(cq_size - 1), "CQEs that the guest has not taken"))

    @property
    def records(self) -> list[Record]:
        """This SQ's variables and its actors'."""
        return [*super().records, self.ledger]

    @property
    def actors(self) -> Sequence[Serving | Completer]:
        """Its workers, and its backend where that is another."""
        return [*self.workers, *(p for p in self.posters if isinstance(p, Completer))]

    def at(self, *places: str) -> Expr:
        """How many of its actors stand at one of these places."""
        return total(ite(any_of(actor.at == place for place in places if _knows(actor, place)), 1, 0)
                     for actor in self.actors)  # fmt: skip


def _knows(actor: Serving | Completer, place: str) -> bool:
    sort = actor.at.sort
    return isinstance(sort, Enum) and place in sort.names


class AnyCQ(CQ):
    """The CQ with its entries counted."""

    def _entries(self, sqs: Sequence[SQ]) -> dict[str, Declared]:
        return {}

    def shows(self, q: SQ) -> Expr:
        """Whether the guest may see a new entry of this SQ at its cursor."""
        return cast(AnySQ, q).ledger.unread > 0

    @property
    def visible(self) -> Expr:
        """Whether the guest sees a new entry at its cursor."""
        return self.tail - self.cursor > 0

    def take(self, q: SQ) -> Updates:
        """The guest takes the entry at its cursor, which is one of this SQ's."""
        ledger = cast(AnySQ, q).ledger
        return _joined(self(cursor=self.cursor + 1), ledger(unread=ledger.unread - 1))

    def put(self, q: SQ) -> Updates:
        """The device writes an entry of this SQ at the tail.

        EventIdx stays where it is on the ring; so that it never is a lap behind, its position is then said a lap later.
        """
        ledger = cast(AnySQ, q).ledger
        event = ite(gap(self.tail, self.event) >= self.capacity, self.event + self.size, self.event)
        return _joined(self(tail=self.tail + 1, event=event), ledger(unread=ledger.unread + 1))

    @property
    def overwrites(self) -> Expr:
        """Whether the next entry would be written over one that the guest has not taken."""
        return gap(self.tail, self.cursor) >= self.size


def _joined(*parts: Updates) -> Updates:
    joined = Updates()
    for part in parts:
        joined |= part
    return joined


class Rest(Record):
    """What all SQs but SQ0 and SQ1 amount to. Their own steps change it; of the others' only a kick does."""

    def __init__(self) -> None:
        super().__init__(
            "rest",
            held=var(Nat(_ANY_NUMBER), "permits held by the commands and workers of the others"),
            unread=var(Nat(_ANY_NUMBER), "their CQEs that the guest has not taken"),
            corked=var(Bool(), "whether one of them is corked"),
            at=var(Enum(("elsewhere", *IN_CORK, *IN_POST)), "where the one of them stands that holds the CQ lock"),
            way=var(Nat(_ANY_NUMBER), "how far their workers are from sleep or from a pop"),
        )


@frozen
class _AnyKick(Kick):
    """A kick of every corked SQ."""

    others: Updates = field(default_factory=Updates)
    """What changes for those that are not followed."""

    def updates(self, also: SQ | None = None, joins: SQ | None = None) -> list[Updates]:
        """What changes for each SQ and for the rest."""
        changed = super().updates(also, joins)
        return [*changed, self.others] if self.site and self.others else changed


def anywhere(cq: CQView) -> Expr:
    """Some position from the head up to, and not including, the tail: a policy that leaves open which.

    What is proved of it is proved of every policy that keeps to these, whatever it looks at. It has no other reading.
    """
    behind = Expr("var", (), Range(1, cq.capacity), "anything.behind")
    return cq.tail - minimum(behind, cq.occupied)


class AnySize(Machine):
    """One CQ and its SQs, under some choices and a policy, whatever their sizes: one SQ, or any number from two up.

    `least` is the least size of the CQ that is spoken of. Raises `SlipError` for choices that this cannot say.
    """

    def __init__(self, choices: Choices, policy: Policy, *, several: bool, least: int = 2) -> None:
        if choices.kick_size != "all":
            raise SlipError(
                f"kick_size={choices.kick_size} picks SQs, and a proof for any number follows but one: use all"
            )
        for name, value in choices.items().items():
            if choices.events == "none" and name in ABOUT_EVENTS:
                continue
            spoken = _SPOKEN_OF.get(name, (Choices().items()[name],))
            if spoken and value not in spoken:
                raise SlipError(
                    f"{name}={value} is not proved for all sizes: the lemmas speak of {name}="
                    f"{' or '.join(map(str, spoken))}. Use uncork check, which decides it at the sizes you name"
                )
        self.choices, self.life = choices, Life(choices)
        self._policy, self._looked, self._steps = policy, 0, {}
        cq_size = symbol("C", least)
        sizes = [symbol("S", 2), symbol("T", 2)][: 1 + several]
        self.sqs: list[SQ] = [AnySQ(number, size, cq_size, self.life) for number, size in enumerate(sizes)]
        self.cq = AnyCQ(cq_size, self.sqs, self.life)
        self.rest = Rest() if several else None
        self.poster = None
        self.crew = []
        self.anything = Record(
            "anything",
            way=var(Nat(_ANY_NUMBER), "any number, chosen anew in each step"),
            behind=var(
                Range(1, cq_size - 1), "how far behind the tail a policy that leaves that open writes EventIdx", 1
            ),
            **{
                f"entries{number}": var(Range(1, size - 1), "how many entries a submit publishes", 1)
                for number, size in enumerate(sizes)
            },
        )

    @property
    def every(self) -> list[AnySQ]:
        """The SQs that are followed."""
        return [cast(AnySQ, q) for q in self.sqs]

    @property
    def count(self) -> int:
        """The number of SQs."""
        return symbol("n", 2) if self.rest else 1

    def batches(self, q: SQ) -> Iterable[int | Expr]:
        """How many entries one move of the SQ shadow tail may publish: any number, or one."""
        if self.choices.submit_batch == 1:
            return [1]
        return [getattr(self.anything, f"entries{self.sqs.index(q)}")]

    @property
    def records(self) -> list[Record]:
        """All variables: the CQ's, each SQ's, the rest's, and what a step may choose."""
        return [*super().records, *([self.rest] if self.rest else []), self.anything]

    @property
    def corked(self) -> Expr:
        """Whether any SQ is corked."""
        return super().corked | self.rest.corked if self.rest else super().corked

    @property
    def held(self) -> Expr:
        """Permits held by commands in flight and by workers."""
        return super().held + self.rest.held if self.rest else super().held

    @property
    def unread(self) -> Expr:
        """CQEs that the guest has not taken."""
        own = total(q.ledger.unread for q in self.every)
        return own + self.rest.unread if self.rest else own

    def at(self, *places: str) -> Expr:
        """How many actors of all SQs stand at one of these places, all of them under the CQ lock."""
        own = total(q.at(*places) for q in self.every)
        return own + ite(self.rest.at.among(*places), 1, 0) if self.rest else own

    def kicks(self, site: str) -> Iterator[Kick]:
        """The kick that happens at a site (the name of a choice), or one that kicks nobody."""
        kicks = self.choices.items()[site] == YES
        others = self.rest(corked=False, way=self.anything.way) if self.rest else Updates()
        yield _AnyKick(tuple(self.sqs), None if kicks else (), kicks, others)
