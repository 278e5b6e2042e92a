"""The machine for queues of every size and any number of SQs: the same steps, on symbols.

Sizes are symbols (C of the CQ, S of SQ0, T of SQ1). The model follows SQ0, and SQ1, which is an arbitrary other SQ. A
few numbers (`Rest`) sum up what all further SQs do to shared state; only those SQs' own steps change the numbers. Every
step of every SQ is then a step of SQ0 or of SQ1. That is enough for statements about one SQ, about shared state, and
about sums over all SQs. With one SQ there is only SQ0.

CQ entries are counted, not stored: the guest may find an entry of an SQ at its cursor if that SQ has unread entries.
That allows more orders than the ring does, so a property of all these orders holds in the real order. All entries are
between the cursor and the tail, so an entry is visible exactly if the two differ.

Where kicks hand permits over, the corked SQs stand in line, and a kick lets out as many as it hands permits to. Each SQ
that joins the line draws a ticket, so that which SQs a kick lets out can be said of one SQ: those whose ticket is less
than the number of the next SQ to be let out. The numbers on the tickets exist for the proof only.

With `events=delete+create` SQs are deleted and created again, each any finite number of times: a symbol, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from math import inf
from typing import cast

from uncork.core.expr import Expr, boolean, count, gap, ite, minimum, number, text
from uncork.core.frozen import frozen
from uncork.core.size import symbol
from uncork.core.sorts import Bool, Enum, Nat, Range, SlipError, Value
from uncork.core.system import Declared, Record, Updates, Variable, var

from uncork_nvme.assembly import PARTS, Parts
from uncork_nvme.choices import ABOUT_EVENTS, Choice, Choices, LifeChoices, MemoryChoices
from uncork_nvme.policies import CQView, Policy
from uncork_nvme.state.actors import IN_CORK, IN_POST
from uncork_nvme.state.kicks import Kick, Site, notified, waiting
from uncork_nvme.state.life import Life
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import CQ, SQ

_ANY_NUMBER = cast(int, inf)
_SIZES = ("S", "T", "U")
"""The symbols for the sizes of the SQs that are followed."""
_SPOKEN_OF: dict[str, tuple[Choice, ...]] = {
    "post_order": ("read-then-arm", "arm-then-read"),
    **dict.fromkeys(("backend", "workers", "doorbell_buffer"), ()),
    **dict.fromkeys(("kick_on_doorbell", "kick_on_post", "kick_on_reserve", "kick_on_remit"), ()),
    **dict.fromkeys(("early_free", "drain", "need_event", "submit_batch"), ()),
    "notify": ("kept", "spent"),
    "kick_delivery": ("at-once", "deferred"),
    **dict.fromkeys(MemoryChoices.__annotations__.keys() - {"memory"}, ()),  # not read under sc
    "cq_full": ("permits", "queue"),
    **dict.fromkeys(("on_full_doorbell", "on_request"), ()),  # requests never run out
    "cork": ("park", "arm-recheck"),
    "sq_read": ("each", "wake"),
    "sq_arm": ("each", "idle", "never"),
    "sq_event": ("head", "tail", "tail-1"),
    "sq_reread": (),
    "kick_size": ("all", "hand-over"),
    "events": ("none", "delete+create"),
    "on_doorbell": (),  # where guest and device go by the same words, the guest has stored the value already
}
"""The choices that the lemmas cover, each with the covered values; () is all. Other choices must have their default."""
_OF_OTHER_EVENTS = ("on_create", "on_config", "kick_on_release", "on_reset", "on_resume", "after_reset", "cq_begins")
"""Choices that make no difference if SQs come and go and the guest clears their words, or that the lemmas cover."""


class AnyLife(Life):
    """The events that may still happen, each any finite number of times: the number is a symbol."""

    def __init__(self, choices: LifeChoices) -> None:
        super().__init__(choices, old_pages=False)
        for event in self.events:
            self._declared[event] = Variable(
                f"life.{event}", Nat(_ANY_NUMBER), symbol(f"{event}s", 0), "how often this may still happen"
            )


class AnySQ(SQ):
    """An SQ that also counts its CQEs that the guest has not taken, and draws a ticket where SQs stand in line."""

    def __init__(
        self, number: int, size: int, cq_size: int, parts: Parts, life: Life, of: int, rest: Rest | None
    ) -> None:
        super().__init__(number, size, cq_size, parts, life, of=of)
        if self.has("orphans"):  # an SQ may be deleted again and again
            most = Nat(_ANY_NUMBER)
            self._declared["orphans"] = replace(self._declared["orphans"], sort=most)
            self._vars["orphans"] = self.__dict__["orphans"] = Expr("var", (), most, f"{self.name}.orphans")
        self.rest = rest if parts.kicks.hands_over else None
        ticket = {"ticket": var(Nat(_ANY_NUMBER), "the ticket that the SQ drew as it joined the line")}
        self.ledger = Record(
            f"{self.name}.ledger",
            unread=var(Nat(cq_size - 1), "CQEs that the guest has not taken"),
            **(ticket if self.rest else {}),
        )

    def takes(self, tail: Expr) -> Updates:
        """The update of an SQ of which the entry at the head is taken.

        EventIdx does not move on the ring. Its number grows by a lap when needed, so that it is never a lap behind.
        """
        taken = super().takes(tail)
        if self.parts.reader.follows_head:
            return taken
        behind = gap(self.head, self.event) >= self.capacity
        return _joined(taken, self(event=ite(behind, self.event + self.size, self.event)))

    def placed(self, event: Expr) -> Expr:
        """A position that the device writes, as a value of SQ EventIdx: the head, or less than a lap behind it."""
        return event if self.parts.reader.follows_head else ite(gap(event, self.head) > 0, event - self.size, event)

    def lines_up(self, place: Expr) -> Updates:
        """The update of an SQ that is corked behind so many others: it draws the next ticket, unless it has one."""
        return _joined(super().lines_up(place), self.draws(place))

    def moves_up(self, condition: Expr) -> Updates:
        """The update of an SQ before which another has left the line: its ticket goes down with its place."""
        moved = super().moves_up(condition)
        if self.rest is None:
            return moved
        return _joined(moved, self.ledger(ticket=ite(condition, self.ledger.ticket - 1, self.ledger.ticket)))

    def leaves_line(self) -> Updates:
        """The update of an SQ that leaves the line, besides that it is corked no more."""
        left = super().leaves_line()
        return left if self.rest is None else _joined(left, self.ledger(ticket=0))

    def draws(self, place: Expr) -> Updates:
        """The update of its ticket as the SQ stands behind so many others."""
        if self.rest is None:
            return Updates()
        return self.ledger(ticket=ite(self.corked, self.ledger.ticket, place + self.rest.next))

    @property
    def records(self) -> list[Record]:
        """The records of this SQ and its actors."""
        return [*super().records, self.ledger]


class AnyCQ(CQ):
    """The CQ with its entries counted."""

    def _entries(self, sqs: Sequence[SQ]) -> dict[str, Declared]:
        return {}

    def unread(self, q: SQ) -> Expr:
        """The number of this SQ's CQEs that the guest has not taken."""
        return cast(AnySQ, q).ledger.unread

    def shows(self, q: SQ) -> Expr:
        """Whether the guest may see a new entry of this SQ at its cursor."""
        return self.unread(q) > 0

    @property
    def visible(self) -> Expr:
        """Whether the guest sees a new entry at its cursor."""
        return self.tail - self.cursor > 0

    def take(self, q: SQ) -> Updates:
        """The guest takes the entry at its cursor, a completion of this SQ."""
        ledger = cast(AnySQ, q).ledger
        return _joined(self(cursor=self.cursor + 1), ledger(unread=ledger.unread - 1))

    def put(self, q: SQ) -> Updates:
        """The device writes an entry of this SQ at the tail.

        EventIdx does not move on the ring. Its number grows by a lap when needed, so that it is never a lap behind.
        """
        ledger = cast(AnySQ, q).ledger
        event = ite(gap(self.tail, self.event) >= self.capacity, self.event + self.size, self.event)
        return _joined(self(tail=self.tail + 1, event=event), ledger(unread=ledger.unread + 1))

    def hides(self, q: SQ) -> Updates:
        """What the guest sees while the last entry, one of this SQ, is not in memory yet."""
        ledger = cast(AnySQ, q).ledger
        return _joined(self(tail=self.tail - 1), ledger(unread=ledger.unread - 1))

    @property
    def overwrites(self) -> Expr:
        """Whether the next entry would overwrite an entry that the guest has not taken."""
        return gap(self.tail, self.cursor) >= self.size


def _joined(*parts: Updates) -> Updates:
    joined = Updates()
    for part in parts:
        joined |= part
    return joined


class Rest(Record):
    """The sums over all SQs except SQ0 and SQ1. Steps of SQ0 and SQ1 change them only by a kick."""

    def __init__(self, sqs: int, *, hands_over: bool, queues: bool, come_and_go: bool = False) -> None:
        live = {"live": var(Nat(sqs - 2), "how many other SQs exist", cast(Value, sqs - 2))}
        queued = {"queued": var(Nat(_ANY_NUMBER), "completions of the other SQs that are queued")}
        line = {
            "waiting": var(Nat(sqs - 2), "how many other SQs are corked"),
            "next": var(Nat(_ANY_NUMBER), "the ticket that is let out of the line next", 1),
        }
        super().__init__(
            "rest",
            held=var(Nat(_ANY_NUMBER), "permits held by commands and workers of the other SQs"),
            unread=var(Nat(_ANY_NUMBER), "CQEs of the other SQs that the guest has not taken"),
            **(line if hands_over else {"corked": var(Bool(), "whether another SQ is corked")}),
            at=var(
                Enum(("elsewhere", *IN_CORK, *IN_POST)), "the position of the other SQs' actor that holds the CQ lock"
            ),
            looks=var(Nat(_ANY_NUMBER), "how many workers of the other SQs are about to look at their SQ"),
            way=var(Nat(_ANY_NUMBER), "how far the workers of the other SQs are from sleep or from a pop"),
            **(live if come_and_go else {}),
            **(queued if queues else {}),
        )


@frozen
class _AnyKick(Kick):
    """A kick of every corked SQ."""

    others: Updates = field(default_factory=Updates)
    """The updates of the SQs that are not followed."""

    def updates(self, also: SQ | None = None, joins: SQ | None = None) -> list[Updates]:
        """The updates of each SQ and of the rest."""
        changed = super().updates(also, joins)
        return [*changed, self.others] if self.site and self.others else changed


@frozen
class _AnyHandOver(Kick):
    """A kick that hands permits over to the first SQs in line: as many as it finds, or as SQs wait."""

    others: Rest | None = None
    """The sums over the SQs that are not followed."""
    way: Expr = field(default_factory=lambda: number(0))
    """How far the workers of those SQs are from sleep or from a pop after the kick."""
    handed: Expr = field(default_factory=lambda: number(0))
    """The number of permits that it hands over."""

    @property
    def line(self) -> Expr:
        """The number of corked SQs."""
        return waiting(self.sqs) + self.others.waiting if self.others else waiting(self.sqs)

    @property
    def gives(self) -> bool:
        """Whether the kick may give a permit to some SQ."""
        return True

    def of(self, room: Expr) -> Kick:
        """This kick where it finds `room` permits."""
        return _AnyHandOver(self.sqs, None, others=self.others, way=self.way, handed=minimum(room, self.line))

    def possible(self, room: Expr) -> Expr:
        """Always: how many SQs it lets out follows from the room."""
        return boolean(True)

    def rest(self, room: Expr) -> Expr:
        """The permits available after the kick, of `room` before it."""
        return room - self.handed

    def leaves(self, q: SQ, freed: Expr) -> Expr:
        """Whether one of the permits that were just freed is left for the SQ that found them."""
        return ~q.corked & (freed > self.line)

    def updates(self, also: SQ | None = None, joins: SQ | None = None) -> list[Updates]:
        """The updates of each SQ and of the rest."""
        changed: list[Updates] = []
        let_out = {q.label: q.corked & (q.before < self.handed) for q in self.sqs}
        for q in self.sqs:
            out, stands, place = let_out[q.label], q.corked, q.before
            if q is joins:
                stands, place = boolean(True), ite(q.corked, q.before, self.line)
                changed.append(cast(AnySQ, q).draws(self.line))
            left = ite(out, 0, ite(stands, place - self.handed, place))
            changed.append(q(granted=q.granted | out, corked=stands & ~out, before=left))
            changed.append(notified(q, boolean(True) if q is also else out))
        if self.others:
            others = self.handed - count(let_out.values())
            changed.append(
                self.others(
                    waiting=self.others.waiting - others,
                    held=self.others.held + others,
                    next=self.others.next + self.handed,
                    way=self.way,
                )
            )
        return changed


def anywhere(cq: CQView) -> Expr:
    """A policy that writes an arbitrary position from the head up to, but not including, the tail.

    A proof for this policy is a proof for every policy that writes such positions. The policy exists for proofs only.
    """
    behind = Expr("var", (), Range(1, cq.capacity), "anything.behind")
    return cq.tail - minimum(behind, cq.occupied)


_REPLACED = {
    "kicks": ("at", "choose"),
    "crew": ("shared", "workers"),
    "admission": ("poster", "posters", "queue_steps"),
    "guest": ("batch",),
    "life": ("record", "first", "alive", "pages", "steps"),
    "memory": ("join", "pending", "watched"),
}
"""By slot, what a part says of every machine and the machine of all sizes has in its own way."""


def _refuse_replaced(parts: Parts) -> None:
    """Raises `SlipError` for a part of one's own that changes what the machine of all sizes has in its own way."""
    for part in parts.all:
        stock = next(kind for kind in type(part).__mro__ if kind in PARTS)
        for name in _REPLACED.get(part.slot, ()):
            if getattr(type(part), name) is not getattr(stock, name):
                raise SlipError(
                    f"{type(part).__name__} changes {name}, of which the proof for all sizes has its own form: use "
                    "uncork check, which decides it at the sizes you name"
                )


class AnySize(Machine):
    """One CQ and its SQs of any sizes, under given choices and a policy: `several`, any number from two up, or `sqs`.

    A number of SQs are all followed, so there is no `rest`. `least` is the least size of the CQ. Raises `SlipError` for
    choices that the lemmas do not cover.
    """

    def __init__(self, parts: Parts, policy: Policy, *, several: bool, sqs: int = 1, least: int = 2) -> None:
        choices = parts.choices
        _refuse_replaced(parts)
        if sqs not in range(1, len(_SIZES) + 1):
            raise SlipError(f"{sqs} SQs: a proof for all sizes is about one, two or three SQs, or any number")
        if choices.kick_size == "room":
            raise SlipError(
                "kick_size=room picks SQs by chance, and a proof for any number follows but one: use all or hand-over"
            )
        if choices.kick_size == "hand-over" and (choices.workers, choices.doorbell_buffer) != (1, "on"):
            raise SlipError(
                "kick_size=hand-over is proved with one worker an SQ and a doorbell buffer: set workers=1 and "
                "doorbell_buffer=on, or use uncork check, which decides it at the sizes you name"
            )
        if choices.kick_size == "hand-over" and (choices.sq_read, choices.sq_arm) != ("each", "each"):
            raise SlipError(
                "kick_size=hand-over is proved where an SQ is read before each entry and armed after each: set "
                "sq_read=each and sq_arm=each, or use uncork check, which decides it at the sizes you name"
            )
        if (choices.sq_read == "wake" or choices.sq_arm == "idle") and choices.workers != 1:
            raise SlipError(
                f"sq_read={choices.sq_read} and sq_arm={choices.sq_arm} are proved with one worker an SQ: set "
                "workers=1, or sq_read=each and sq_arm=each, or use uncork check, which decides the sizes you name"
            )
        comes_and_goes = set(choices.happening) == {"create", "delete"}
        apart = choices.workers, choices.doorbell_buffer, choices.events
        if choices.cq_full == "queue" and apart != (1, "on", "none"):
            raise SlipError(
                "cq_full=queue is proved with a doorbell buffer, one worker an SQ, and SQs that stay: set "
                "doorbell_buffer=on, workers=1 and events=none, or use uncork check, which decides the sizes you name"
            )
        if comes_and_goes and (choices.workers != 1 or not several):
            raise SlipError(
                "events=delete+create is proved with several SQs, of one worker each: set workers=1, and use --sqs any"
            )
        for name, value in {"events": choices.events, **choices.items()}.items():
            if name in ABOUT_EVENTS and (choices.events == "none" or (comes_and_goes and name in _OF_OTHER_EVENTS)):
                continue
            if name == "events" and comes_and_goes:
                continue
            spoken = _SPOKEN_OF.get(name, (Choices().items()[name],))
            if spoken and value not in spoken:
                raise SlipError(
                    f"{name}={value} is not proved for all sizes: the lemmas speak of {name}="
                    f"{' or '.join(map(str, spoken))}. Use uncork check, which decides it at the sizes you name"
                )
        self.parts, self.choices = parts, choices
        self.life = AnyLife(choices) if comes_and_goes else parts.life.record()
        self._policy, self._looked, self._steps = policy, 0, {}
        cq_size = symbol("C", least)
        sizes = [symbol(name, 2) for name in _SIZES[: 2 if several else sqs]]
        of = symbol("n", 2) if several else sqs
        kept = {"hands_over": parts.kicks.hands_over, "queues": parts.admission.queues}
        self.rest = Rest(of, **kept, come_and_go=comes_and_goes) if several else None
        self.sqs: list[SQ] = [
            AnySQ(number, size, cq_size, parts, self.life, of, self.rest) for number, size in enumerate(sizes)
        ]
        self.cq = AnyCQ(cq_size, self.sqs, parts, self.life)
        self.poster = self.cq.poster
        self.crew = []
        self.anything = Record(
            "anything",
            way=var(Nat(_ANY_NUMBER), "any number, chosen again in each step"),
            behind=var(Range(1, cq_size - 1), "how far behind the tail the policy `anywhere` writes EventIdx", 1),
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
    def count(self) -> int | Expr:
        """The number of existing SQs."""
        if self.rest and self.rest.has("live"):
            return count(q.live for q in self.sqs) + self.rest.live
        return symbol("n", 2) if self.rest else len(self.sqs)

    def batches(self, q: SQ) -> Iterable[int | Expr]:
        """The numbers of entries that one move of the SQ shadow tail may publish: a free variable, or one."""
        if self.parts.guest.batch == 1:
            return [1]
        return [getattr(self.anything, f"entries{self.sqs.index(q)}")]

    @property
    def records(self) -> list[Record]:
        """All records: the CQ's, each SQ's, the rest's, and the inputs that a step may choose."""
        return [*super().records, *([self.rest] if self.rest else []), self.anything]

    @property
    def corked(self) -> Expr:
        """Whether any SQ is corked."""
        if self.rest is None:
            return super().corked
        return super().corked | (self.rest.waiting > 0 if self.rest.has("waiting") else self.rest.corked)

    @property
    def waiting(self) -> Expr:
        """The number of corked SQs."""
        return super().waiting + self.rest.waiting if self.rest else super().waiting

    @property
    def held(self) -> Expr:
        """The number of permits held by commands in flight and by workers."""
        return super().held + self.rest.held if self.rest else super().held

    @property
    def queued(self) -> Expr:
        """The number of completions that wait for room in the CQ."""
        return super().queued + self.rest.queued if self.rest else super().queued

    def notified_unseen(self) -> list[Updates]:
        """How far the workers of the SQs that are not followed are from sleep, as all SQs may be notified."""
        return [self.rest(way=self.anything.way)] if self.rest else []

    @property
    def unread(self) -> Expr:
        """The number of CQEs that the guest has not taken."""
        return super().unread + self.rest.unread if self.rest else super().unread

    def placed(self, event: Expr) -> Expr:
        """A position that a policy gives, as a value of CQ EventIdx: less than a lap behind the tail.

        A position at a fixed distance from head or tail may be beyond it; then it is counted a lap less or more.
        Other positions are left as they are, and a policy whose positions are beyond is not proved.
        """
        if event.op == "ite":
            condition, then, otherwise = event.args
            return ite(condition, self.placed(then), self.placed(otherwise))
        moved = event.args[0].args if event.op == "wrap" else ()
        fixed = len(moved) == 2 and moved[1].op == "const"
        if not fixed or text(event) == text(self.cq.tail - 1):
            return event
        behind = gap(self.cq.tail, event)
        return ite(behind >= self.cq.size, event + self.cq.size, ite(behind < 0, event - self.cq.size, event))

    def at(self, *places: str) -> Expr:
        """The number of actors of all SQs at one of these positions, which are under the CQ lock, or `reserve`."""
        own = super().at(*places)
        if self.rest is None:
            return own
        looks = self.rest.looks if "reserve" in places else number(0)
        return own + looks + ite(self.rest.at.among(*(p for p in places if p != "reserve")), 1, 0)

    def kicks(self, site: Site) -> Iterator[Kick]:
        """The kick that happens where room is noticed; an empty kick if the site does not kick."""
        kicks = self.parts.kicks.kicks(site)
        if self.parts.kicks.hands_over and kicks:
            yield _AnyHandOver(tuple(self.sqs), None, others=self.rest, way=self.anything.way)
            return
        others = self.rest(corked=False, way=self.anything.way) if self.rest and kicks else Updates()
        yield _AnyKick(tuple(self.sqs), None if kicks else (), kicks, others)
