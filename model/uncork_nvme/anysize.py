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

Several workers of an SQ may be any number (W): they are counted by where they stand (`Crowd`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from math import inf
from typing import cast

from uncork.core.expr import Expr, all_of, boolean, conjuncts, count, gap, ite, minimum, number, text, total, variables
from uncork.core.frozen import frozen
from uncork.core.size import symbol
from uncork.core.sorts import Bool, Enum, Nat, Range, SlipError, Value
from uncork.core.system import Action, Declared, Fairness, Record, Updates, Variable, var

from uncork_nvme.assembly import PARTS, Parts
from uncork_nvme.choices import ABOUT_EVENTS, Choice, Choices, LifeChoices, MemoryChoices
from uncork_nvme.policies import CQView, Policy
from uncork_nvme.state.actors import IN_CORK, IN_POP, IN_POST, Dealt, Serving, Shared, Worker
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
    "cork": ("park", "arm-recheck", "self-kick"),
    "sq_read": ("each", "wake"),
    "sq_arm": ("each", "idle", "never"),
    "sq_event": ("head", "tail", "tail-1"),
    "sq_reread": (),
    "event_outside": (),
    "kick_size": ("all", "hand-over"),
    "events": ("none", "delete+create"),
    "threads": (),
    "poll": ("no", "yes"),
    "on_doorbell": (),  # where guest and device go by the same words, the guest has stored the value already
}
"""The choices that the lemmas cover, each with the covered values; () is all. Other choices must have their default."""
_OF_OTHER_EVENTS = ("on_create", "on_config", "kick_on_release", "on_reset", "on_resume", "after_reset", "cq_begins")
"""Choices that make no difference if SQs come and go and the guest clears their words, or that the lemmas cover."""


def any_workers(choices: Choices) -> bool:
    """Whether the proof for all sizes takes the number of workers of an SQ for an example of any number.

    A store buffer is a worker's own, so with store buffers workers differ in more than where they stand.
    """
    return choices.workers > 1 and choices.memory == "sc"


class AnyLife(Life):
    """The events that may still happen, each any finite number of times: the number is a symbol."""

    def __init__(self, choices: LifeChoices) -> None:
        super().__init__(choices, old_pages=False)
        for event in self.events:
            self._declared[event] = Variable(
                f"life.{event}", Nat(_ANY_NUMBER), symbol(f"{event}s", 0), "how often this may still happen"
            )


class Crowd(Record):
    """The workers of an SQ, of whatever number: how many stand at each position.

    Nothing else tells one worker from another, so this is exact. Steps are made with one worker, `one`, that stands for
    each of them. Where a fair run owes a step to each worker, it owes it to some worker that may take it: there are
    finitely many, so one of them may take it again and again.
    """

    def __init__(self, one: Worker, number: int) -> None:
        self._one, (at,) = one, one.variables
        counts = {place: number if place == at.initial else 0 for place in one.places}
        doc = "how many workers stand at {}"
        super().__init__(f"{one.name}s", **{p: var(Nat(number), doc.format(p), k) for p, k in counts.items()})

    @property
    def places(self) -> tuple[str, ...]:
        """All positions of a worker."""
        return self._one.places

    def at(self, *places: str) -> Expr:
        """The number of workers at one of these positions."""
        return total(getattr(self, place) for place in dict.fromkeys(places) if self.has(place))

    def step(self, action: Action) -> Action:
        """A step of the one worker, as a step of any worker that stands where this step begins.

        Raises `SlipError` for a step that asks for more of a worker than where it stands, or leads to several places.
        """
        at = self._one.at
        moves = f"{self._one.name}.at"
        if moves not in action.reads | action.updates.keys():
            return action
        begins, others = list[str](), list[Expr]()
        for part in conjuncts(action.guard):
            stands = part.op == "==" and part.args[0] is at and part.args[1].op == "const"
            begins += [str(part.args[1].value)] if stands else []
            others += [] if stands else [part]
        updates = {name: value for name, value in action.updates.items() if name != moves}
        leads = action.updates.get(moves, at)
        read = {str(each.value) for node in (*others, *updates.values()) for each in variables(node)}
        if len(begins) != 1 or moves in read or leads.op != "const" or action.fairness is Fairness.WEAK:
            raise SlipError(
                f"{action.name} does not lead a worker from one position to one, whatever else is so of it: a proof "
                "for any number of workers counts them by position"
            )
        (here,), there = begins, str(leads.value)
        if here != there:
            updates |= self(**{here: self.at(here) - 1, there: self.at(there) + 1})
        return replace(action, guard=all_of([self.at(here) > 0, *others]), updates=updates)


class AnySQ(SQ):
    """An SQ that also counts its CQEs that the guest has not taken, and draws a ticket where SQs stand in line."""

    def __init__(
        self, number: int, size: int, cq_size: int, parts: Parts, life: Life, of: int, rest: Rest | None
    ) -> None:
        super().__init__(number, size, cq_size, parts, life, of=of)
        if self.has("orphans"):  # an SQ may be deleted again and again
            self._may_be("orphans", _ANY_NUMBER)
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

    def _may_be(self, field: str, most: int) -> None:
        """Gives a number another range."""
        self._declared[field] = replace(self._declared[field], sort=Nat(most))
        self._vars[field] = self.__dict__[field] = Expr("var", (), Nat(most), f"{self.name}.{field}")

    @property
    def awake(self) -> Expr:
        """The number of workers that do not sleep."""
        return count(~worker.asleep for worker in self.workers)

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


class CrowdedSQ(AnySQ):
    """An SQ with any number of workers, which are counted."""

    crowd: Crowd

    def __init__(
        self, number: int, size: int, cq_size: int, parts: Parts, life: Life, of: int, rest: Rest | None
    ) -> None:
        super().__init__(number, size, cq_size, parts, life, of, rest)
        self._may_be("wakeups", self.number_of_workers)

    def _workers(self, crew: Sequence[Shared | Dealt]) -> Sequence[Serving]:
        one = Worker(self.name, 0, 1, self.parts.places)
        self.crowd = Crowd(one, self.number_of_workers)
        return [one]

    @property
    def number_of_workers(self) -> int:
        """The number of workers of this SQ: a symbol."""
        return symbol("W", 1)

    @property
    def asleep(self) -> Expr:
        """Whether every worker of this SQ sleeps."""
        return self.crowd.at("asleep") == self.number_of_workers

    @property
    def sleepers(self) -> Expr:
        """The number of workers that sleep."""
        return self.crowd.at("asleep")

    @property
    def awake(self) -> Expr:
        """The number of workers that do not sleep."""
        return self.crowd.at(*(place for place in self.crowd.places if place != "asleep"))

    @property
    def settled(self) -> Expr:
        """Whether no worker is in a pop of this SQ."""
        return self.crowd.at(*IN_POP, *self.parts.places) == 0

    def working(self, *places: str) -> Expr:
        """The number of this SQ's workers at one of these positions."""
        return self.crowd.at(*places)

    @property
    def records(self) -> list[Record]:
        """The records of this SQ and its actors; in place of its one worker stands the crowd."""
        return [self.crowd if record in self.workers else record for record in super().records]


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

    def __init__(self, sqs: int, parts: Parts, *, come_and_go: bool) -> None:
        live = {"live": var(Nat(sqs - 2), "how many other SQs exist", cast(Value, sqs - 2))}
        queued = {"queued": var(Nat(_ANY_NUMBER), "completions of the other SQs that are queued")}
        line = {
            "waiting": var(Nat(sqs - 2), "how many other SQs are corked"),
            "next": var(Nat(_ANY_NUMBER), "the ticket that is let out of the line next", 1),
        }
        in_turn = (place for place in IN_POP if place not in IN_CORK)
        held = {"held": var(Nat(_ANY_NUMBER), "permits held by commands and workers of the other SQs")}
        look = {
            "in_flight": var(Nat(_ANY_NUMBER), "commands in flight of the other SQs"),
            "look": var(Enum(("elsewhere", *in_turn)), "the position of the other SQs' worker that is in a look"),
        }
        super().__init__(
            "rest",
            **(held if parts.crew.several else look),
            unread=var(Nat(_ANY_NUMBER), "CQEs of the other SQs that the guest has not taken"),
            **(line if parts.kicks.hands_over else {"corked": var(Bool(), "whether another SQ is corked")}),
            at=var(
                Enum(("elsewhere", *IN_CORK, *IN_POST)), "the position of the other SQs' actor that holds the CQ lock"
            ),
            looks=var(Nat(_ANY_NUMBER), "how many workers of the other SQs are about to look at their SQ"),
            way=var(Nat(_ANY_NUMBER), "how far the workers of the other SQs are from sleep or from a pop"),
            **(live if come_and_go else {}),
            **(queued if parts.admission.queues else {}),
        )
        self.permit_at = parts.permit_at

    @property
    def permits(self) -> Expr:
        """The permits held by commands and workers of the other SQs."""
        if not self.has("look"):
            return self.held
        return self.in_flight + count([self.look.among("fetch", *self.permit_at, "remit")])

    @property
    def places(self) -> list[Expr]:
        """The positions of the actor that holds the CQ lock, and of the worker in a look, if that is known."""
        return [self.at, self.look] if self.has("look") else [self.at]


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
    "kicks": ("at", "choose", "hands_over"),
    "crew": ("shared", "workers"),
    "admission": ("poster", "posters", "queue_steps"),
    "guest": ("batch",),
    "life": ("record", "first", "alive", "pages", "steps"),
    "memory": ("join", "pending", "watched"),
}
"""By slot, what a part says of every machine and the machine of all sizes has in its own way."""


def _refuse_replaced(parts: Parts) -> None:
    """Raises `SlipError` for a part of one's own that changes what the machine of all sizes has in its own way.

    That way depends on the choices, so a part has to be made of the part of this package that they ask for.
    """
    for part in parts.all:
        stock = next(kind for kind in type(part).__mro__ if kind in PARTS)
        asked = [kind for kind in PARTS if kind.slot == part.slot and kind.stands_for(parts.values)][-1]
        if type(part) is not stock and stock is not asked:
            raise SlipError(
                f"{type(part).__name__} is made of {stock.__name__}, and the choices ask for {asked.__name__}: make it "
                f"of {asked.__name__}, or use uncork check, which decides it at the sizes you name"
            )
        for name in _REPLACED.get(part.slot, ()):
            if getattr(type(part), name) is not getattr(stock, name):
                raise SlipError(
                    f"{type(part).__name__} changes {name}, of which the proof for all sizes has its own form: use "
                    "uncork check, which decides it at the sizes you name"
                )


def _comes_and_goes(choices: Choices) -> bool:
    """Whether SQs are deleted and created, and nothing else happens."""
    return set(choices.happening) == {"create", "delete"}


def _refuse_uncovered(parts: Parts, *, several: bool, counted: bool) -> None:
    """Raises `SlipError` for choices of which the lemmas do not speak, alone or together."""
    choices = parts.choices
    if choices.kick_size == "room":
        raise SlipError(
            "kick_size=room picks SQs by chance, and a proof for any number follows but one: use all or hand-over"
        )
    if choices.kick_size == "hand-over" and choices.doorbell_buffer != "on":
        raise SlipError(
            "kick_size=hand-over is proved with a doorbell buffer: set doorbell_buffer=on, or use uncork check, "
            "which decides it at the sizes you name"
        )
    if choices.workers > 1 and not counted and (choices.kick_size == "hand-over" or choices.events != "none"):
        raise SlipError(
            "kick_size=hand-over, and events, are proved with several workers an SQ only without store buffers and "
            "without parts and lemmas of your own: set memory=sc, or workers=1"
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
    comes_and_goes = _comes_and_goes(choices)
    if comes_and_goes and (parts.crew.polls or parts.full.insists):
        raise SlipError(
            "events=delete+create is not proved of workers that poll, or that kick themselves: set poll=no and "
            "cork=park, or leave events out"
        )
    apart = choices.workers, choices.doorbell_buffer, choices.events
    if choices.cq_full == "queue" and apart != (1, "on", "none"):
        raise SlipError(
            "cq_full=queue is proved with a doorbell buffer, one worker an SQ, and SQs that stay: set "
            "doorbell_buffer=on, workers=1 and events=none, or use uncork check, which decides the sizes you name"
        )
    if choices.cq_full == "queue" and choices.poll != "no":
        raise SlipError(
            "cq_full=queue is proved of devices that do not poll: set poll=no, or use uncork check, which decides "
            "it at the sizes you name"
        )
    if comes_and_goes and not several:
        raise SlipError("events=delete+create is proved with several SQs: use --sqs any")
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


class AnySize(Machine):
    """One CQ and its SQs of any sizes, under given choices and a policy: `several`, any number from two up, or `sqs`.

    A number of SQs are all followed, so there is no `rest`. `least` is the least size of the CQ. With `counted` the
    workers of each SQ are any number. Raises `SlipError` for choices that the lemmas do not cover.
    """

    def __init__(
        self, parts: Parts, policy: Policy, *, several: bool, sqs: int = 1, least: int = 2, counted: bool = False
    ) -> None:
        choices = parts.choices
        _refuse_replaced(parts)
        if sqs not in range(1, len(_SIZES) + 1):
            raise SlipError(f"{sqs} SQs: a proof for all sizes is about one, two or three SQs, or any number")
        _refuse_uncovered(parts, several=several, counted=counted)
        comes_and_goes = _comes_and_goes(choices)
        self.parts, self.choices = parts, choices
        self.life = AnyLife(choices) if comes_and_goes else parts.life.record()
        self._policy, self._looked, self._steps = policy, 0, {}
        cq_size = symbol("C", least)
        sizes = [symbol(name, 2) for name in _SIZES[: 2 if several else sqs]]
        of = symbol("n", 2) if several else sqs
        self.rest = Rest(of, parts, come_and_go=comes_and_goes) if several else None
        kind = CrowdedSQ if counted else AnySQ
        self.sqs: list[SQ] = [
            kind(number, size, cq_size, parts, self.life, of, self.rest) for number, size in enumerate(sizes)
        ]
        self.cq = AnyCQ(cq_size, self.sqs, parts, self.life, outside=parts.post.outside(policy, cq_size))
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

    def remembered(self, name: str, make: Callable[[], Action]) -> Action:
        """The step of a name; a step of a worker of a crowd is one of any of them."""
        return super().remembered(name, lambda: self._of_any_worker(make()))

    def _of_any_worker(self, action: Action) -> Action:
        for q in self.every:
            action = q.crowd.step(action) if isinstance(q, CrowdedSQ) else action
        return action

    def looking(self, q: SQ) -> Expr:
        """Whether a worker of this SQ is in a pop."""
        return ~q.settled

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
        return super().held + self.rest.permits if self.rest else super().held

    @property
    def in_flight(self) -> Expr:
        """The number of commands in flight; of SQs that are not followed, of permits if it is not known."""
        known = total([*(q.in_flight for q in self.sqs), *(q.orphans for q in self.sqs if q.has("orphans"))])
        if self.rest is None:
            return known
        return known + (self.rest.in_flight if self.rest.has("in_flight") else self.rest.held)

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
        """The number of actors of all SQs at one of these positions, which are under the CQ lock, or `reserve`.

        Where one thread serves all SQs, they may be any of a look.
        """
        own = super().at(*places)
        if self.rest is None:
            return own
        looks = self.rest.looks if "reserve" in places else number(0)
        return (
            own
            + looks
            + count(at.among(*(p for p in places if p in cast(Enum, at.sort).names)) for at in self.rest.places)
        )

    @property
    def in_look(self) -> Expr:
        """Whether a worker of any SQ is in a pop."""
        found = super().in_look
        return found if self.rest is None else found | (self.rest.look != "elsewhere") | self.rest.at.among(*IN_CORK)

    def kicks(self, site: Site) -> Iterator[Kick]:
        """The kick that happens where room is noticed; an empty kick if the site does not kick."""
        kicks = self.parts.kicks.kicks(site)
        if self.parts.kicks.hands_over and kicks:
            yield _AnyHandOver(tuple(self.sqs), None, others=self.rest, way=self.anything.way)
            return
        others = self.rest(corked=False, way=self.anything.way) if self.rest and kicks else Updates()
        yield _AnyKick(tuple(self.sqs), None if kicks else (), kicks, others)
