"""The guest of a harness, and the model beside both: makes moves, and compares what the harness shows after each.

The guest is the model's own, unless a subclass has another. The device is the harness's: the model's device follows it
as the set of states that fit everything seen so far. A thread that the harness steps may have taken the events that it
tells and steps that no event tells; a thread that it cannot step has run until it has nothing left to do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from uncork_nvme.instance import Instance
from uncork_nvme.observe import shows
from uncork_nvme.state.machine import Machine

from uncork.conform.harness.following import Beside, Mismatch
from uncork.conform.harness.threads import SETTLE, STEP, Roles, roles, told_by
from uncork.conform.rig.harness import Answer, Cursor, Driven, HarnessError
from uncork.core.expr import Expr
from uncork.core.questions.observed import Event
from uncork.core.sorts import Value, did_you_mean
from uncork.core.system import Action, System
from uncork.engines.python import Plain, Successors, successors

CQES = "cqes"
START = "reset"
"""The name of the move that begins a run."""
_BEGINS = ("submit", "create", "delete")
"""The moves of a guest that begins something new."""

Edge = tuple[Plain, str]
"""A transition: the state of the model, and its action there."""


@dataclass
class Played:
    """A run: what was seen at first, its moves, and how it failed, if it did.

    - `seed` decides what the moves do not; `setup` says of it what one has to know.
    - `did` has the events of every move, `seen` the values after it.
    - `drawn` is the number of moves before the guest wound down.
    - `stuck` is the number of commands that are never seen completed, if none may be left.
    """

    seed: int = 0
    setup: str = ""
    first: Mapping[str, Value] = field(default_factory=dict)
    moves: list[str] = field(default_factory=list)
    did: list[str] = field(default_factory=list)
    seen: list[Mapping[str, Value]] = field(default_factory=list)
    drawn: int = 0
    stuck: int = 0
    mismatch: Mismatch | None = None
    broken: HarnessError | None = None

    @property
    def failed(self) -> str:
        """In which way it failed: `differs`, the word of a `HarnessError`, or `stuck`; empty if it did not."""
        return "differs" if self.mismatch else self.broken.word if self.broken else "stuck" if self.stuck else ""

    @property
    def repeats(self) -> list[str]:
        """The moves that repeat it; if it is stuck, the guest winds down after them."""
        return self.moves[: self.drawn] if self.stuck else self.moves


class Player:
    """Plays runs with a harness at one instance, one after another. Raises `HarnessError`, `TooManyStates`.

    Without `steps`, every thread runs by itself, whatever the harness can step.
    """

    longest = 60
    """Number of moves of a random run before the guest winds down."""
    overlay: str | None = None
    """The policy whose CQ EventIdx the guest is shown, in place of the device's."""

    def __init__(self, harness: Driven, instance: Instance, *, steps: bool = True) -> None:
        self.harness, self.instance = harness, instance
        self.followed = instance
        self.hello = harness.hello(instance.shape)
        self.run = Played()
        self.edge: Edge | None = None
        self._doing = dict[tuple[str, str], frozenset[str]]()
        self._steps, self._broken = steps, False
        self._settles = not steps and bool(self.hello.threads)  # it waits to be stepped, and is not

    # -- the model: what is followed ----------------------------------------------------------------------------------
    @cached_property
    def system(self) -> System:
        """The system that is followed."""
        return self.followed.system

    @cached_property
    def machine(self) -> Machine:
        """The machine that the system is of."""
        return self.followed.machine

    @cached_property
    def roles(self) -> Roles:
        """Whose actions are whose."""
        return roles(self.followed, self.hello, steps=self._steps)

    @cached_property
    def model(self) -> Beside:
        """The model beside the harness."""
        return Beside(self.system, self.roles.device, {**self._shows, CQES: self.machine.cq.slots})

    @cached_property
    def _shows(self) -> dict[str, Expr]:
        return shows(self.machine)

    @cached_property
    def _guest(self) -> Successors:
        return successors(self.system, [name for names in self.roles.guest.values() for name in names])

    @cached_property
    def _may(self) -> dict[str, Successors]:
        return {thread: successors(self.system, actions) for thread, actions in self.roles.threads.items()}

    @cached_property
    def _outside(self) -> dict[str, int]:
        """The last position of each EventIdx that the guest may see outside its ring."""
        sizes = [*((q, self.instance.sq_size) for q in self.machine.sqs), (self.machine.cq, self.instance.cq_size)]
        return {f"{ring.name}.eventidx": size - 1 for ring, size in sizes if ring.outside}

    # -- possible moves ------------------------------------------------------------------------------------------------
    @property
    def states(self) -> frozenset[Plain]:
        """The states that the model may be in."""
        return self.model.follower.states

    def guest_moves(self) -> list[str]:
        """The moves of the guest that are possible now."""
        move_of, actions = self.roles.moves, self.system.actions
        return sorted({move_of[actions[each].name] for state in self.states for each, _ in self._guest(state)})

    def steps(self) -> list[str]:
        """The steps of threads that may have something to do."""
        return [
            STEP + thread for thread in self.roles.stepped if any(self._may[thread](state) for state in self.states)
        ]

    def allows(self, move: str) -> bool:
        """Returns whether a move can be made now."""
        if move.startswith(STEP):
            return move.removeprefix(STEP) in self.roles.stepped
        return move == SETTLE or move in self.guest_moves()

    def drawn(self, chosen: random.Random) -> Iterator[str]:
        """Yields random moves."""
        busy, probes = chosen.choice((0.3, 1, 3)), chosen.choice((0, 0, 0.02))
        while True:
            weights = dict.fromkeys(self.guest_moves(), 1.0)
            weights |= {move: busy for move in weights if move.startswith(_BEGINS)}
            weights |= {STEP + thread: probes for thread in self.roles.stepped}
            weights |= dict.fromkeys(self.steps(), 2.0)
            weights[SETTLE] = 0.05
            yield chosen.choices(list(weights), list(weights.values()))[0]

    def winding(self, chosen: random.Random) -> Iterator[str]:
        """Yields the moves of a guest that winds down: it submits nothing more, and takes all that is left to it."""
        while True:
            yield SETTLE
            left = [move for move in self.guest_moves() if not move.startswith(_BEGINS)]
            if not left:
                return
            yield chosen.choice(left)

    @property
    def waiting(self) -> int:
        """The number of commands that may not be left when the guest has wound down: the model says what may."""
        return 0

    @property
    def waits(self) -> str:
        """Why the thread that was stepped last does not go on; empty if it does."""
        return self._answer.waits

    # -- making moves --------------------------------------------------------------------------------------------------
    def restart(self, seed: int = 0) -> bool:
        """Begins a run. Returns whether it goes on; `run` says why not."""
        self.run, self.edge = Played(seed), None
        try:
            if self._broken or self.harness.shape != self.instance.shape:
                self.harness.hello(self.instance.shape)
                self._broken = False
            self._resets()
            self.run.mismatch = self._starts()
        except HarnessError as error:
            self.run.broken, self._broken = error, True
        return not self.run.failed

    def _resets(self) -> None:
        """Resets the device and the guest."""
        self.cursor = Cursor(self.instance.cq_size)
        self._under_way: list[set[int]] = [set() for _ in self.machine.sqs]
        self._dropped: list[set[int]] = [set() for _ in self.machine.sqs]
        self._answer = self.harness.ask("reset")
        for sq in range(self.machine.parts.life.first(self.instance.sqs), self.instance.sqs):
            self._answer = self.harness.ask("delete", sq=sq)  # it is created later

    def _starts(self) -> Mismatch | None:
        """The model begins, too."""
        self.model.restart()
        self.run.first = self._seen()
        return self._compare(START, self.roles.alone, self.roles.alone)

    def make(self, move: str) -> bool:
        """Makes a possible move. Returns whether the run goes on; `run` says why not.

        `edge` is then the transition of the model that was taken, if what was seen leaves no other.
        """
        before, self.edge = self.states, None
        self._taken = list[str]()
        try:
            if move == SETTLE:
                self._answer = self.harness.ask("settle")
                self.run.mismatch = self._compare(move, self.roles.device, self.roles.device)
                self._looks_again()
            elif move.startswith(STEP):
                self.run.mismatch = self._step(move, move.removeprefix(STEP))
            else:
                self.run.mismatch = self._guest_move(move)
        except HarnessError as error:
            self.run.broken, self._broken = error, True
        self.run.moves.append(move)
        self.run.did.append(" ".join(self._answer.did) if move.startswith(STEP) and not self.run.broken else "")
        self.run.seen.append({} if self.run.broken else self._saw)
        if not self.run.failed and len(before) == len(self._taken) == 1:
            self.edge = next(iter(before)), self._taken[0]
        return not self.run.failed

    # -- the device ----------------------------------------------------------------------------------------------------
    def _step(self, move: str, thread: str) -> Mismatch | None:
        self._answer = answer = self.harness.ask("step", thread=thread)
        silent = self.roles.untold(thread) | self.roles.alone
        sure = not silent or len(self.model.follower.reachable(among=silent)) == 1
        for event in answer.did:
            actions = self._events(thread, event)
            if not actions or self.model.expect(Event(move, actions), silent):
                return self._impossible(move, thread, event, silent)
            self._taken += self.model.follower.latest if sure else ("", "")
        asleep = self.roles.threads[thread] if answer.waits == "sleep" else frozenset[str]()
        if asleep and self.model.expect(Event(move, quiet=asleep), silent):
            return self._impossible(move, thread, "nothing, it sleeps", silent)
        return self._compare(move, silent, self.roles.alone | asleep, did=" ".join(answer.did))

    def _events(self, thread: str, event: str) -> frozenset[str]:
        """Returns the actions of a thread that an event may be; none if the model has no such step."""
        if (thread, event) not in self._doing:
            of = told_by(event, self.system)
            own = {name: self.system.action(name).family for name in self.roles.threads[thread]}
            actions = frozenset(name for name, family in own.items() if family in of)
            if not actions and any(action.family in of for action in self.system.actions):
                known = sorted({*own.values()})
                raise HarnessError(
                    "lies", f"it says that {thread} did {event}, which is a step of another thread: {', '.join(known)}"
                )
            self._doing[thread, event] = actions
        return self._doing[thread, event]

    def _impossible(self, move: str, thread: str, event: str, silent: frozenset[str]) -> Mismatch:
        """Returns the mismatch of an event that the model does not allow now, beside those that it does."""
        saw = self._seen()
        outcomes = self.model.follower.outcomes(Event(move, self.roles.threads[thread]), among=silent)
        model = list[Mapping[str, Value]]()
        for name, state in outcomes:
            shown = self.model.follower.shown([state])[0]
            model.append({"did": self.system.action(name).family, **{each: shown[each] for each in saw}})
        if not model:
            shown = self.model.follower.shown(self.states)[0]
            model = [{"did": "nothing", **{each: shown[each] for each in saw}}]
        return Mismatch(move, {"did": event, **saw}, tuple(model))

    def _looks_again(self) -> None:
        """Raises `HarnessError` if what is seen at rest changes by itself."""
        rest, self._answer = self._answer, self.harness.ask("look")
        for name, value in self._shown(self._answer).items():
            if (before := self._shown(rest).get(name)) != value:
                raise HarnessError("lies", f"at rest {name} was {before}, and is {value} though nothing was done")

    # -- what is seen --------------------------------------------------------------------------------------------------
    def _compare(self, move: str, among: frozenset[str], quiet: frozenset[str], *, did: str = "") -> Mismatch | None:
        """Compares what is seen now with the states that unseen actions `among` lead to, with none of `quiet` left."""
        if self._settles and move != SETTLE:
            self._answer = self.harness.ask("settle")
        wrong = self.model.expect(Event(move, saw=self._seen(), quiet=quiet), among)
        if wrong and did:
            wrong = replace(
                wrong, saw={"did": did, **wrong.saw}, model=tuple({"did": did, **each} for each in wrong.model)
            )
        return wrong

    def _seen(self) -> dict[str, Value]:
        """Returns what is seen: the words, the SQs of new CQEs by slot, and the values that the harness tells."""
        self._saw = self._shown(self._answer)
        return self._saw

    def _shown(self, answer: Answer) -> dict[str, Value]:
        words = dict[str, Value]()
        if self.machine.buffered:
            for name, word in answer.words.items():
                words[name] = min(word, self._outside.get(name, word))
        words[CQES] = tuple(
            f"SQ{each.sq}" if self.cursor.new(slot, each) else "none" for slot, each in enumerate(answer.cqes)
        )
        for name, value in answer.values.items():
            if name not in self._shows or not isinstance(value, (bool, int, str)):
                raise HarnessError(
                    "rubbish", f"it tells a value {name!r:.40} {value!r:.40}{did_you_mean(name, self._shows)}"
                )
            words[name] = value
        return words

    # -- the guest -----------------------------------------------------------------------------------------------------
    def _guest_move(self, move: str) -> Mismatch | None:
        state, action, after = next(
            (state, self.system.actions[number], target)
            for state in self.states
            for number, target in self._guest(state)
            if target is not None and self.system.actions[number].name in self.roles.guest[move]
        )
        taken = self._does(move, action, self._named(state), self._named(after))
        if taken:
            return taken
        if self.model.expect(Event(move, frozenset({action.name})), self.roles.alone):
            raise AssertionError(f"{move} is no move of the model's guest")
        self._taken.append(action.name)
        return self._compare(move, self.roles.alone, self.roles.alone)

    def _named(self, state: Plain) -> dict[str, Any]:
        return dict(zip((variable.name for variable in self.system.variables), state, strict=True))

    def _does(self, move: str, action: Action, is_: Mapping[str, Any], will: Mapping[str, Any]) -> Mismatch | None:
        """Does with the harness what an action of the guest does. Returns a mismatch if a CQE is of no command."""
        family = action.family
        ring = action.args[0].name if action.args else "cq"
        sq = self.machine.sqs.index(action.args[0]) if action.args else 0
        if family == "submit":
            for entry in range(action.args[1]):
                cid = next(n for n in range(1 << 16) if n not in self._under_way[sq] | self._dropped[sq])
                self._under_way[sq].add(cid)
                slot = (is_[f"{ring}.shadow"] + entry) % self.machine.sqs[sq].size
                self._answer = self.harness.ask("entry", sq=sq, slot=slot, cid=cid)
        moves = family in ("submit", "publish_sq", "publish") and f"{ring}.shadow" in action.updates
        if moves and self.machine.buffered:
            self._store(f"{ring}.shadow", will[f"{ring}.shadow"])
        elif family in ("ring_sq", "ring_cq"):
            self._answer = self.harness.ask("ring", queue=ring, value=is_[f"{ring}.shadow"])
        elif family == "delete_sq":
            self._answer = self.harness.ask("delete", sq=sq)
            self._dropped[sq] |= self._under_way[sq]
            self._under_way[sq] = set()
            if self._clears:
                self._store(f"{ring}.shadow", 0)
        elif family == "create_sq":
            if self._clears:
                self._store(f"{ring}.eventidx", 0)
            self._answer = self.harness.ask("create", sq=sq)
        elif family == "consume":
            return self._takes(move)
        return None

    @property
    def _clears(self) -> bool:
        """Whether the guest clears the words of a queue before it is created again."""
        return self.machine.buffered and self.machine.parts.life.clears

    def _store(self, word: str, value: int) -> None:
        self._answer = self.harness.ask("store", word=word, value=value)
        if (found := self._answer.words[word]) != value:
            raise HarnessError("lies", f"it shows {word} {found} just after the guest stored {value}")

    def _takes(self, move: str) -> Mismatch | None:
        """The guest takes the CQE at its cursor, which has to be of a command under way."""
        found = self._answer.cqes[self.cursor.at]
        of = self._under_way[found.sq] if found.cid in self._under_way[found.sq] else self._dropped[found.sq]
        if found.cid not in of:
            known = " or ".join(map(str, sorted(self._under_way[found.sq] | self._dropped[found.sq]))) or "none"
            saw = {"cqe": f"SQ{found.sq}, command {found.cid}"}
            return Mismatch(move, saw, ({"cqe": f"SQ{found.sq}, command {known}"},))
        of.remove(found.cid)
        self.cursor.passes()
        return None
