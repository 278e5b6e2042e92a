"""Guest moves that a log does not show: which ones are tried, and whether trying no others loses a run.

In queues of up to `FEW` entries all moves are tried. In larger ones a submitter moves its tail only to the next value
that the log shows, or to just past an EventIdx that the log shows; and a consumer publishes nothing beyond the next
value.

This loses no run if the log shows, with their values, every read of an SQ's tail by the device, every SQ doorbell and
every SQ EventIdx that the device writes, and nothing else of these moves. Then nobody sees a tail between two values of
the log. Two moves, of which the first is silent, can be made as one when the second is made, unless EventIdx was
written since the first and lies in the part that the first went; then it is enough that the first goes just past that
EventIdx. A consumer keeps the moves that it makes: between two values of the log its head only grows, and by less than
the ring, if fewer CQEs are posted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from uncork_nvme.choices import Choice
from uncork_nvme.observe import LOOK, guest_moves
from uncork_nvme.state.machine import Machine

from uncork.core.expr import Expr, variables
from uncork.core.system import Action, System
from uncork.engines.follow import Ahead, Aim, Coming
from uncork.logs import Seen

FEW = 16
"""Up to this queue size, guest moves by any number of entries are tried."""

_KNOWN: dict[str, Choice] = {
    **{"memory": "sc", "words": "clear", "events": "none"},
    **{"event_look": "after", "doorbell_buffer": "on"},
}
"""The choices for which it is known that no run is lost."""

_DOORBELL = ("ring_sq", "notify_tail", "notify")
"""The steps of an SQ's doorbell, until whose end the submitter does not move its tail again."""


def aims(machine: Machine, system: System, unseen: Collection[str]) -> dict[str, Aim]:
    """Returns the guest's unseen steps that decide a move of a shadow index."""
    moves = guest_moves(machine, system)
    return {name: Aim(*move) for name, move in moves.items() if name in unseen}


# -- what the log shows later ------------------------------------------------------------------------------------------
@dataclass
class _Later:
    """A shadow index in the rest of a log, read backwards; `stops` are just past each EventIdx of the rest.

    The guest may look at EventIdx until it moves the index again: so the EventIdx are those until the log shows the
    second value from here. `first`: those until it shows the first.
    """

    value: int | None = None
    later: int | None = None
    stops: set[int] = field(default_factory=set)
    first: set[int] = field(default_factory=set)

    def shown(self, value: int) -> None:
        """Goes back past an event with this value."""
        if value != self.value:
            self.value, self.later, self.stops = value, self.value, self.first
        self.first = set()

    def written(self, event: int) -> None:
        """Goes back past an event with this EventIdx."""
        self.stops.add(event + 1)
        self.first.add(event + 1)

    def coming(self) -> Coming:
        """Returns what is known of the index here."""
        return Coming(self.value, self.later, frozenset(self.stops))


def ahead(events: Sequence[Seen], names: Collection[str]) -> list[Ahead]:
    """Returns, for every event, what the log shows of some shadow indices from there on."""
    rest = {name: _Later() for name in names if any(name in seen.saw for seen in events)}
    written = {name.replace("shadow", "eventidx"): index for name, index in rest.items() if name.startswith("sq")}
    now: Ahead = {name: index.coming() for name, index in rest.items()}
    found = list[Ahead]()
    for seen in reversed(events):
        for name in rest.keys() & seen.saw.keys():
            rest[name].shown(int(seen.saw[name]))  # type: ignore[arg-type]  # a position
        for name in written.keys() & seen.saw.keys():
            written[name].written(int(seen.saw[name]))  # type: ignore[arg-type]  # a position
        if (rest.keys() | written.keys()) & seen.saw.keys():
            now = {name: index.coming() for name, index in rest.items()}
        found.append(now)
    return found[::-1]


# -- whether that is enough --------------------------------------------------------------------------------------------
def lose_no_run(
    machine: Machine,
    system: System,
    aimed: Mapping[str, Aim],
    shows: Mapping[str, Expr],
    events: Sequence[Seen],
    actions: Callable[[Seen], frozenset[str]],
    unseen: frozenset[str],
) -> bool:
    """Returns whether a log for which no run is found with these aims is no run at all.

    `actions` are those that an event of the log may be, and `unseen` those that no event is.
    """
    chosen = machine.choices.items()
    if machine.parts.own or any(chosen[name] != value for name, value in _KNOWN.items()):
        return False
    kinds = {(actions(seen), frozenset(seen.saw)) for seen in events}
    said = _Said(system, shows, unseen, kinds)
    for word in {aim.name for aim in aimed.values()}:
        if word == "cq.shadow":
            posts = frozenset(a.name for a in system.actions if "cq.slots" in a.updates and a.actor != "consumer")
            logged = not posts & unseen and _fewer(events, actions, posts, machine.cq.size)
            enough = logged and not said.others_move(word, {"consumer"})
        else:
            enough = said.shows_moves(word, frozenset(name for name, aim in aimed.items() if aim.name == word))
        if not enough:
            return False
    return True


def _fewer(events: Iterable[Seen], actions: Callable[[Seen], frozenset[str]], posts: frozenset[str], size: int) -> bool:
    """Returns whether fewer CQEs than `size` are posted from each shown value of the shadow head to the next."""
    since = 0
    for seen in events:
        since = since + 1 if seen.event != LOOK and actions(seen) & posts else since
        if since >= size:
            return False
        if "cq.shadow" in seen.saw:
            since = 0
    return True


@dataclass(frozen=True)
class _Said:
    """What a log says of steps: `kinds` are the actions that an event may be, and the names of the values with it."""

    system: System
    shows: Mapping[str, Expr]
    unseen: frozenset[str]
    kinds: Collection[tuple[frozenset[str], frozenset[str]]]

    def shows_moves(self, word: str, moves: frozenset[str]) -> bool:
        """Returns whether the log shows what the argument above needs of an SQ's shadow tail."""
        event, actors = word.replace("shadow", "eventidx"), {a.actor for a in self.system.actions if a.name in moves}
        own = [a for a in self.system.actions if a.actor in actors and a.family not in _DOORBELL]
        silent = frozenset(a.name for a in own)
        rings = frozenset(a.name for a in self.system.actions if a.actor in actors and a.family == "ring_sq")
        reads = self._that(actors, lambda a: a.family not in _DOORBELL and a.reads & self._variables(word))
        writes = self._that(actors, lambda a: a.updates.keys() & self._variables(event))
        changed = frozenset(name for a in own for name in a.updates) - self._variables(word)
        beside = self._that({*actors, "consumer"}, lambda a: a.family not in _DOORBELL and a.reads & changed)
        return (
            not beside
            and not self.others_move(word, actors)
            and self._shown(reads, word)
            and self._shown(rings, word)
            and self._shown(writes, event)
            and all(not of & silent for of, _ in self.kinds)
            and all(not self._variables(name) & changed for _, names in self.kinds for name in names)
        )

    def others_move(self, word: str, actors: Collection[str]) -> bool:
        """Returns whether actors other than these move a shadow index."""
        return bool(self._that(actors, lambda a: a.updates.keys() & self._variables(word)))

    def _that(self, others: Collection[str], does: Callable[[Action], object]) -> frozenset[str]:
        """Returns the actions of other actors than these that do something."""
        return frozenset(a.name for a in self.system.actions if a.actor not in others and does(a))

    def _variables(self, name: str) -> frozenset[str]:
        return frozenset(str(v.value) for v in variables(self.shows[name]))

    def _shown(self, actions: frozenset[str], value: str) -> bool:
        """Returns whether each of these actions is logged whenever it happens, with this value."""
        return not actions & self.unseen and all(value in names for of, names in self.kinds if of & actions)
