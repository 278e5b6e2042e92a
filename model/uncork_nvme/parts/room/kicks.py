"""Kicks: where room is noticed, which corked SQs that wakes, and when a kick arrives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from uncork.core.expr import Expr, all_of, boolean, ite
from uncork.core.sorts import Bool, Nat
from uncork.core.system import Action, Declared, Guarded, Updates, step, var, when

from uncork_nvme.choices import NO, YES, ChoiceError, KickChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.state.actors import Serving
from uncork_nvme.state.kicks import Kick, Site
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ


class Kicks(Part):
    """A kick wakes every corked SQ."""

    slot = "kicks"
    chooser = "kick_size"
    named = ("all",)
    chosen: KickChoices
    hands_over = False
    """Whether a kick gives each SQ that it wakes its permit."""

    def check(self) -> None:
        """Refuses a handler that holds the CQ lock, where that is not described."""
        if self.holds:
            self.only_with("kick_delivery=held", "kick_delivery=deferred", {"cq_full": "permits", "memory": "sc"})

    @property
    def holds(self) -> bool:
        """Whether the CQ's doorbell handler holds the CQ lock until it has notified every corked SQ."""
        return self.chosen.kick_delivery == "held"

    def arrives(self, m: Machine) -> Expr:
        """Whether the CQ's doorbell handler may notify SQs now: it can take the CQ lock; or no look is in its way."""
        return all_of(q.settled for q in m.sqs) if self.holds else m.cq.unlocked

    def kicks(self, site: Site) -> bool:
        """Whether room that is noticed there wakes corked SQs."""
        chosen = self.chosen
        sites = {"doorbell": chosen.kick_on_doorbell, "post": chosen.kick_on_post, "reserve": chosen.kick_on_reserve}
        sites |= {"remit": chosen.kick_on_remit, "release": chosen.kick_on_release}
        return sites[site] == YES

    @property
    def on_doorbell(self) -> bool:
        """Whether a CQ doorbell wakes SQs."""
        return self.kicks("doorbell")

    @property
    def follows_doorbell(self) -> bool:
        """Whether a kick is a step of its own after a CQ doorbell; where no SQ corks, `admission.told` does instead."""
        return self.on_doorbell and self.parts.admission.corks

    def at(self, site: Site, sqs: Sequence[SQ], capacity: int) -> Iterator[Kick]:
        """The kicks that may happen at a site; one empty kick if the site does not kick."""
        if self.kicks(site):
            for chosen in self.choose(sqs, capacity):
                yield Kick(tuple(sqs), chosen)
        else:
            yield Kick(tuple(sqs), (), site=False)

    def choose(self, sqs: Sequence[SQ], capacity: int) -> Iterator[tuple[SQ, ...] | None]:
        """The sets of SQs that one kick may wake; None is every corked SQ."""
        yield None

    def of_sq(self, size: int, cq_size: int, sqs: int) -> dict[str, Declared]:
        """With deferred kicks, whether a kick has not arrived yet."""
        called = {"called": var(Bool(), "a kick of the SQ has not reached its workers yet")}
        return called if self.chosen.kick_delivery == "deferred" else {}

    def lets(self, m: Machine, q: SQ, may: Expr) -> Expr:
        """The condition `may` that a worker may look, and what kicks add to it."""
        return may

    def corks(self, m: Machine, q: SQ) -> Updates:
        """An SQ is recorded as corked."""
        return q(corked=True)

    def grants(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """The steps of a worker that was handed a permit, or stands in line for one."""
        yield from ()

    def may_go(self, q: SQ) -> Expr:
        """Whether an SQ may be deleted, as far as kicks go."""
        return boolean(True)

    def goes(self, m: Machine, q: SQ) -> list[Updates]:
        """What changes, besides that it is corked no more, as an SQ is deleted."""
        return []


class AsManyAsRoom(Kicks):
    """A kick wakes any as many SQs as there are permits, perhaps none, and leaves the others corked."""

    named = ("room",)

    def choose(self, sqs: Sequence[SQ], capacity: int) -> Iterator[tuple[SQ, ...] | None]:
        """Every set."""
        for size in range(len(sqs) + 1):
            yield from combinations(sqs, size)


class HandOver(AsManyAsRoom):
    """A kick wakes as many SQs as there are permits, the longest corked first, and hands each its permit."""

    named = ("hand-over",)
    hands_over = True

    def check(self) -> None:
        """Refuses what a permit that is handed to an SQ is not described together with."""
        super().check()
        known = {"cork": "park", "poll": NO, "cq_full": "permits", "serve": "own", "threads": "many"}
        self.only_with("kick_size=hand-over", "kick_size=all", known)
        if other := set(self.parts.life.happening) - {"create", "delete"}:
            raise ChoiceError(
                f"kick_size=hand-over is described with SQs that are deleted and created, not with {', '.join(other)}: "
                "leave that out of events, or set kick_size=all"
            )

    def choose(self, sqs: Sequence[SQ], capacity: int) -> Iterator[tuple[SQ, ...] | None]:
        """Every set of as many SQs as the CQ can have permits."""
        for size in range(min(len(sqs), capacity) + 1):
            yield from combinations(sqs, size)

    def of_sq(self, size: int, cq_size: int, sqs: int) -> dict[str, Declared]:
        """The SQ's place in line, and its permit."""
        return {
            **super().of_sq(size, cq_size, sqs),
            "granted": var(Bool(), "a kick handed the SQ a permit, which it has not used yet"),
            "before": var(Nat(max(sqs - 1, 1)), "how many SQs were corked before this SQ and still are"),
        }

    def lets(self, m: Machine, q: SQ, may: Expr) -> Expr:
        """The SQ has no permit yet, and slots that a doorbell freed go to SQs in line first."""
        return may & ~q.granted & (m.cq.consumer != "kick")

    def corks(self, m: Machine, q: SQ) -> Updates:
        """The SQ joins the line at its end."""
        return q.lines_up(ite(q.corked, q.before, m.waiting))

    def may_go(self, q: SQ) -> Expr:
        """The SQ has no permit that it was handed: its worker uses that first, or gives it back."""
        return ~q.granted

    def goes(self, m: Machine, q: SQ) -> list[Updates]:
        """The SQ leaves the line, and those behind it move up."""
        behind = [(r, q.corked & r.corked & (r.before > q.before)) for r in m.sqs if r is not q]
        return [q.leaves_line(), *(r.moves_up(moves) for r, moves in behind)]

    def grants(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """A worker uses a permit, or joins the line as it hands out others."""
        yield use_grant(m, q, w)
        for each in m.kicks("reserve") if m.buffered else ():
            if each.gives:
                yield line_up(m, q, w, each)


@step("worker {}", of="reserve")
def use_grant(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Uses the permit that its SQ was handed as it was kicked."""
    here = m.parts.crew.may_look(m, q, w) & q.granted
    return when(here, q(granted=False, locked=True), q.popping_is(True), w(at="fetch")).says(
        "uses the permit that it was handed"
    )


@step("worker {}", of="reserve")
def line_up(m: Machine, q: SQ, w: Serving, kick: Kick) -> Guarded:
    """Finds no permit, reads the CQ shadow head, hands the freed permits to the SQs in line, and joins the line."""
    cq, kick = m.cq, kick.of(m.cq.freed)
    in_line = q.corked | (cq.freed <= m.waiting)
    may = m.parts.crew.may_reserve(m, q, w)
    return when(
        may & (cq.available == 0) & (cq.freed > 0) & in_line & kick.possible(cq.freed),
        cq(head=cq.seen, available=kick.rest(cq.freed)),
        w.leaves(),
        *kick.updates(joins=q),
    ).says(
        "no permit; reads shadow head[ {}]: {} freed, for those in line; " + f"{q.label} is CORKED", cq.seen, cq.freed
    )


@step("doorbell handler")
def kick(m: Machine, kick: Kick) -> Guarded:
    """Empties the corked set and notifies every SQ in it (or as many as there is room for)."""
    cq, kick = m.cq, kick.of(m.cq.available)
    given = [cq(available=kick.rest(cq.available))] if kick.hands_over else []
    lets_go = [cq(locked=False)] if m.parts.kicks.holds else []
    return when(
        (cq.consumer == "kick") & m.parts.kicks.arrives(m) & kick.possible(cq.available),
        *m.polls(),
        *lets_go,
        *given,
        *kick.updates(),
    ).says("kicks the corked SQs")
