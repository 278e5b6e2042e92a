"""QEMU beside its model, with a guest that knows nothing of the model, may break its rules, or sees another EventIdx.

After every move of the guest QEMU gets time to settle. What is seen then has to hold in a state of the model in which
the device is idle, except for late commands.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from uncork_nvme.instance import Instance

from uncork.conform.harness.following import Mismatch
from uncork.conform.harness.player import Player
from uncork.conform.rig.driver import RIGHT, Driver, Slips
from uncork.conform.rig.harness import Driven
from uncork.conform.rig.qemu_harness import LATE
from uncork.core.expr import Expr
from uncork.core.questions.observed import Event
from uncork.core.sorts import Ring
from uncork.core.system import Record, System, var
from uncork.engines.python import Plain

CQ_EVENT, LAID_OVER = "cq.eventidx", "cq.eventidx laid over"


class _Own(Record):
    """The CQ EventIdx that the device itself writes, if the guest reads another one."""


class Independent(Player):
    """Plays runs of QEMU, whose guest is a `Driver`.

    - `slips` are the mistakes of the guest.
    - With `overlay`, the device still writes CQ EventIdx by its own policy, but the guest reads what the policy
      `overlay` would have written at the same moments, as the model computes. `looks` counts these reads; `open` counts
      reads at which several values fitted what was seen.
    - `checks` counts the actions of the guest, by family.
    """

    longest = 40

    def __init__(
        self, harness: Driven, instance: Instance, *, slips: Slips = RIGHT, overlay: str | None = None
    ) -> None:
        super().__init__(harness, instance)
        self.slips, self.overlay = slips, overlay
        self.checks, self.looks, self.open = Counter[str](), 0, 0
        if overlay is not None:
            self.followed = replace(instance, policy=overlay)
            self._own = _Own("own", event=var(Ring(instance.cq_size), "CQ EventIdx as the device itself writes it"))

    # -- the model -----------------------------------------------------------------------------------------------------
    @cached_property
    def system(self) -> System:
        """The system that is followed; with an overlay it also has what the device itself writes, before every read."""
        system = self.followed.system
        if self.overlay is None:
            return system
        assert self.instance.policy == "head" and self.instance.choices.post_order == "arm-then-read", "QEMU's policy"
        writes = self._own(event=self.machine.cq.head)
        actions = tuple(
            replace(action, updates={**action.updates, **writes})
            if action.family in ("post_read", "post_credit")
            else action
            for action in system.actions
        )
        return replace(system, variables=(*system.variables, *self._own.variables), actions=actions)

    @cached_property
    def _shows(self) -> dict[str, Expr]:
        shown = super()._shows
        return shown if self.overlay is None else {**shown, CQ_EVENT: self._own.event, LAID_OVER: self.machine.cq.event}

    @cached_property
    def _but_ends(self) -> frozenset[str]:
        """All actions of the device but the end of a command."""
        return (
            frozenset(action.name for action in self.system.actions if action.family != "complete") & self.roles.alone
        )

    def _laid_over(self) -> int:
        """Returns a CQ EventIdx of the overlaid policy that fits what was seen. The model keeps to it."""
        follower = self.model.follower
        values = sorted({int(str(each[LAID_OVER])) for each in follower.shown(follower.states)})
        value = self._laid.choice(values)
        self.looks += 1
        self.open += len(values) > 1
        follower.take(Event(LAID_OVER, saw={LAID_OVER: value}))
        return value

    # -- the guest -----------------------------------------------------------------------------------------------------
    def _resets(self) -> None:
        seed = self.run.seed
        first = random.Random(seed).random() < 0.5
        self.run.setup = f"seed {seed}; the doorbell buffer is configured {'before' if first else 'after'} the queues"
        self.driver = Driver(self.harness, self.instance.shape, self.instance.choices, self.slips, config_first=first)
        self._answer, self.cursor = self.driver.answer, self.driver.cursor
        if self.overlay is not None:
            self._laid = random.Random(seed)
            self.driver.cq_event = self._laid_over

    def allows(self, move: str) -> bool:
        """Returns whether the guest can make a move now."""
        return self.driver.allows(move)

    def drawn(self, chosen: random.Random) -> Iterator[str]:
        """Yields random moves."""
        chosen.random()  # it has decided when the doorbell buffer is configured
        eager, eager_cq = chosen.choice((1, 3, 9)), chosen.choice((0.2, 1, 3))
        kinds = "rwfu" + LATE * chosen.choice((0, 0, 4))
        if self.overlay is not None:
            kinds = kinds.rstrip(LATE)  # an unseen completion would leave the overlaid policy's EventIdx unknown
        while offered := list(self.driver.moves()):
            weights = [_weight(each, eager, eager_cq) for each in offered]
            yield self.driver.draw(chosen.choices(offered, weights)[0], kinds, chosen)

    def winding(self, chosen: random.Random) -> Iterator[str]:
        """Yields the moves of a guest that winds down."""
        while move := next((each for each in self.driver.moves() if not each.startswith("submit")), None):
            yield move

    @property
    def waiting(self) -> int:
        """The number of commands that are not seen completed."""
        return self.driver.waiting

    def _guest_move(self, move: str) -> Mismatch | None:
        self._same_guest()
        action = self.driver.do(move)
        self.checks[action.partition("(")[0]] += 1
        self._answer = self.driver.answer
        alone = self.roles.alone
        if action and self.model.expect(Event(move, frozenset({action})), alone):
            may = self.model.follower.outcomes(Event(move, self.roles.guest[_shared(move)]), among=alone)
            self._seen()
            return Mismatch(move, {"did": action}, tuple({"did": name} for name, _ in may))
        wrong = self._compare(move, alone, self._but_ends if self.driver.late else alone)
        if self.overlay is not None and move == "check CQ":
            self._saw = {**self._saw, LAID_OVER: self.driver.looked_at}
        return wrong

    def _same_guest(self) -> None:
        """Raises `AssertionError` unless the driver allows exactly the moves of the model's guest: a bug of uncork."""
        ours = {_shared(move) for move in self.driver.moves() if move != "wait"}
        assert ours == {*self.guest_moves()}, f"the driver may {sorted(ours)}, the model's guest {self.guest_moves()}"


class Alone(Independent):
    """Plays runs of QEMU without a model: only runs that get stuck are found."""

    @property
    def states(self) -> frozenset[Plain]:
        """None: there is no model."""
        return frozenset()

    def _starts(self) -> None:
        return None

    def _guest_move(self, move: str) -> None:
        self._saw = {}
        self.driver.do(move)


def _weight(move: str, submits: float, consumes: float) -> float:
    if move.startswith("submit"):
        return submits
    return 3 if "SQ" in move else 0.3 if move == "wait" else consumes


def _shared(move: str) -> str:
    """Returns a move of the driver as the model's guest has it: how many entries are submitted, and not which."""
    verb, _, rest = move.partition(" ")
    queue, _, kinds = rest.partition(" ")
    return f"{verb} {queue} {len(kinds)}" if verb == "submit" else move
