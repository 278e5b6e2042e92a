"""What a harness goes through: a tour of every transition, the counterexamples of its model, and random runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import Instance, InstanceError
from uncork_nvme.shape import Shape

from uncork.conform.harness.graph import graph
from uncork.conform.harness.player import Played, Player
from uncork.conform.harness.runs import play, replay, shrink, until_one_fails
from uncork.conform.harness.storing import Stored
from uncork.conform.harness.threads import comparable
from uncork.conform.harness.tour import Toured, shortest, tour
from uncork.conform.rig.harness import Driven, HarnessError
from uncork.core.verdict import Refuted
from uncork.decide import many
from uncork.decide.exits import Exit
from uncork.engines import Tick, Watch


@dataclass(frozen=True)
class Plan:
    """What is asked of a harness.

    - `instances` are toured if they have at most `most` states; `beyond` are the sizes of random runs besides them.
    - `random` is the number of random runs at each size, `seed` that of the first.
    - Without `steps`, the harness steps no thread.
    """

    instances: Sequence[Instance]
    beyond: Sequence[Shape] | None
    random: int
    seed: int
    most: int
    steps: bool = True

    @property
    def further(self) -> Iterator[Instance]:
        """The instances of random runs at sizes beyond; if no sizes are given, one entry more, and one SQ more."""
        for one in self.instances:
            n, sq, cq = one.shape
            shapes = self.beyond if self.beyond is not None else (Shape(n, sq + 1, cq + 1), Shape(n + 1, sq, cq))
            for shape in shapes:
                yield Instance(one.device, one.guest, one.policy, *shape, one.overrides)


@dataclass(frozen=True)
class Line:
    """The result of one trial: its part, its subject in two texts, the runs and moves it took, and what came of it.

    `code` is the exit code that it asks for. `figures` has more of a tour: `transitions`, `taken`, `missed`. A trial
    that stands `aside` does not say that the model allows what is done.
    """

    part: str
    name: str
    about: str
    runs: int
    moves: int
    result: str
    code: Exit = Exit.AS_EXPECTED
    figures: dict[str, object] = field(default_factory=dict)
    aside: bool = False


@dataclass(frozen=True)
class Failure:
    """A run that failed, with few moves, and how many runs and moves it took to find one.

    `again` says whether it failed in the same way when it was run again. `overlay` is a policy laid over the device's.
    """

    instance: Instance
    run: Played
    runs: int
    moves: int
    again: bool = True
    overlay: str | None = None


@dataclass
class Examined:
    """The results of all trials, and the run that failed, if one did; then no more trials are made.

    `stepped` are the threads that the harness steps, `told` is the number of events that it tells. `skipped` moves of a
    stored run could not be made.
    """

    name: str = ""
    stepped: Sequence[str] = ()
    told: int = 0
    lines: list[Line] = field(default_factory=list)
    failed: Failure | None = None
    skipped: int = 0

    @property
    def runs(self) -> int:
        """The number of runs that were compared with the model."""
        return sum(line.runs for line in self.lines if not line.aside)

    @property
    def moves(self) -> int:
        """The number of moves of these runs."""
        return sum(line.moves for line in self.lines if not line.aside)

    def knows(self, player: Player) -> None:
        """Takes what the harness of a player says of itself."""
        self.name, self.stepped, self.told = player.hello.name, player.roles.stepped, len(player.hello.events)

    def fails(self, player: Player, run: Played) -> None:
        """Takes a failed run of a player, and runs it again."""
        again = replay(player, run.repeats, run.seed, winds_down=bool(run.stuck)).failed == run.failed
        self.failed = Failure(player.instance, run, self.runs, self.moves, again, player.overlay)


def again(player: Player, stored: Stored) -> Examined:
    """Plays a stored run."""
    made = replay(player, stored.moves, stored.seed, winds_down=stored.stuck)
    found = Examined(skipped=0 if made.failed and not made.stuck else len(stored.moves) - made.drawn)
    found.knows(player)
    found.lines.append(Line("stored", player.instance.name, str(player.instance.shape), 1, len(made.moves), ""))
    if made.failed:
        found.failed = Failure(player.instance, made, 1, len(made.moves), overlay=player.overlay)
    return found


def examine(harness: Driven, plan: Plan, watch: Watch) -> Examined:
    """Makes all trials, until a run fails. Raises `HarnessError` if the harness cannot even begin, `TooManyStates`."""
    made = _Trials(harness, plan, watch)
    for instance in plan.instances:
        if made.goes_on:
            made.at(instance)
    for instance in plan.further if plan.random else ():
        if made.goes_on:
            made.beyond(instance)
    return made.found


class _Trials:
    def __init__(self, harness: Driven, plan: Plan, watch: Watch) -> None:
        self.harness, self.plan, self.watch, self.found = harness, plan, watch, Examined()

    @property
    def goes_on(self) -> bool:
        return self.found.failed is None

    def at(self, instance: Instance) -> None:
        """A tour of an instance, and its counterexamples; random runs, if it is too large for a tour."""
        player = self._player(instance)
        found = graph(instance.system, player.roles, self.plan.most)
        if found is None:
            self._line("tour", instance, 0, 0, f"more than {self.plan.most:,} states: no tour")
            self._random(player)
            return
        toured = tour(player, found, self.watch)
        code = Exit.AS_EXPECTED if toured.taken or toured.failed else Exit.VACUOUS
        figures: dict[str, object] = {"transitions": toured.transitions, "taken": toured.taken}
        figures["missed"] = dict(toured.missed)
        self._line("tour", instance, toured.runs, toured.moves, _told(toured), code, figures)
        if toured.failed:
            self.watch(Tick(0, 1, "shrinking the run that fails"))
            short = shortest(player, found, toured.failed)
            self.found.fails(player, short if short is not toured.failed else shrink(player, short))
            return
        self._counterexamples(player)

    def beyond(self, instance: Instance) -> None:
        """Random runs at another size; left out if the model or the harness does not have it."""
        try:
            comparable(instance)
            player = self._player(instance)
        except (ChoiceError, InstanceError) as error:
            self._line("random", instance, 0, 0, f"left out: {error}")
        except HarnessError as error:
            if error.word != "refuses":
                raise
            self._line("random", instance, 0, 0, f"left out: {error}")
        else:
            self._random(player)

    def _player(self, instance: Instance) -> Player:
        player = Player(self.harness, instance, steps=self.plan.steps)
        if not self.found.name:
            self.found.knows(player)
        return player

    def _random(self, player: Player) -> None:
        plan, what = self.plan, f"random runs of {player.instance.shape}"
        for tried in until_one_fails([player.instance], lambda _: player, plan.random, plan.seed, self.watch, what):
            result = tried.failed.failed if tried.failed else "agrees"
            self._line("random", player.instance, tried.runs, tried.moves, result)
            if tried.failed:
                self.watch(Tick(0, 1, "shrinking the run that fails"))
                self.found.fails(player, shrink(player, tried.failed))

    def _counterexamples(self, player: Player) -> None:
        """Every counterexample of the model is played: the harness has to do the same."""
        (checked,) = many.check([player.instance], watch=self.watch)
        for row in checked.rows:
            if not isinstance(row.verdict, Refuted):
                continue
            played = play(player, row.verdict.trace)
            if isinstance(played, str):
                self._line("counterexample", player.instance, 0, 0, f"{row.name}: not played: {played}")
                continue
            moves = len(played.run.moves)
            if played.hangs:
                same = "hangs there too" if row.verdict.trace.loop is not None else "does so, too"
                self._line("counterexample", player.instance, 1, moves, f"{row.name}: {same}")
                continue
            code = Exit.DISAGREE if played.wrong else Exit.OPEN
            result = f"{row.name}: {'the model is wrong' if played.wrong else 'not followed'}: {played.why}"
            self._line("counterexample", player.instance, 1, moves, result, code)
            if played.run.failed:
                self.found.fails(player, played.run)
                return

    def _line(
        self,
        part: str,
        instance: Instance,
        runs: int,
        moves: int,
        result: str,
        code: Exit = Exit.AS_EXPECTED,
        figures: dict[str, object] | None = None,
    ) -> None:
        self.found.lines.append(
            Line(part, instance.name, str(instance.shape), runs, moves, result, code, figures or {})
        )


def _told(toured: Toured) -> str:
    """Returns the coverage of a tour in words."""
    if toured.failed:
        return f"{toured.failed.failed}, after {toured.taken:,} of {toured.transitions:,} transitions"
    if toured.taken == toured.transitions:
        return f"all {toured.transitions:,} transitions"
    missed = ", ".join(f"{number:,} {family}" for family, number in toured.missed.most_common())
    return f"{toured.taken:,} of {toured.transitions:,} transitions; never taken: {missed}"
