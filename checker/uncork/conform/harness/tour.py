"""A tour: runs of a harness that together take every transition of the model that the harness can be made to take.

The next transition is the nearest that no run has taken (greedy). A transition that was tried and did not come, because
the device chose another outcome or waits for a lock that the model does not have, is tried a few times.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice

from uncork.conform.harness.graph import Graph, Ways
from uncork.conform.harness.player import Edge, Played, Player
from uncork.conform.harness.runs import replay
from uncork.conform.harness.threads import SETTLE
from uncork.engines import Tick, Watch
from uncork.engines.python import Plain

TRIES = 3
"""How often a transition is tried that does not come."""
CANDIDATES = 100
"""How many states are tried for the shortest run."""
LONGEST = 250
"""The most moves of a run."""


@dataclass
class Toured:
    """The result of a tour: the transitions of the model, those taken, the runs and moves it took, and a failed run.

    `missed` says of which steps transitions were not taken, and why, with how many.
    """

    transitions: int
    taken: int = 0
    runs: int = 0
    moves: int = 0
    missed: Counter[str] = field(default_factory=Counter)
    failed: Played | None = None


def tour(player: Player, graph: Graph, watch: Watch, longest: int = LONGEST) -> Toured:
    """Tours the graph until every transition is taken, or none that is left comes, or a run fails."""
    made = _Tour(player, graph, watch)
    while made.left and made.run(longest):
        pass
    return made.result()


class _Tour:
    def __init__(self, player: Player, graph: Graph, watch: Watch) -> None:
        self._player, self._graph, self._watch = player, graph, watch
        self.left = {state: set(actions) for state, actions in graph.edges.items() if actions}
        self._ways = Ways(graph, self.left)
        self._toured = Toured(graph.transitions)
        self._tries, self._got = Counter[Edge](), 0

    def run(self, longest: int) -> bool:
        """Makes one run. Returns whether another is worth it."""
        player, toured, got = self._player, self._toured, self._got
        self._watch(Tick(toured.taken, toured.transitions, f"tour of {player.instance.shape}, run {toured.runs + 1}"))
        toured.runs += 1
        moves, goes_on = player.roles.moves, player.restart()
        while goes_on and len(player.run.moves) < longest:
            state = min(player.states) if len(player.states) > 1 else next(iter(player.states))
            here = state, list[str]()
            wanted, way = here if state in self.left else next(self._ways.nearest([state]), here)
            if wanted not in self.left:
                break
            way.append(self._best(wanted))
            for number, action in enumerate(way, 1):
                goes_on = player.make(moves[action])
                self._takes(player.edge)
                if not goes_on or player.edge != (state, action):
                    if goes_on:
                        self._fails((state, action))
                    break
                state = next(iter(player.states))
                if number < len(way) and way[number] not in self._graph.edges.get(state, ()):
                    break  # another state of several
        if goes_on:
            goes_on = player.make(SETTLE)
        toured.moves += len(player.run.moves)
        if not goes_on:
            toured.failed = player.run
            return False
        return self._got > got

    def _best(self, state: Plain) -> str:
        """Returns the transition that is left here after which most are left."""
        edges, left = self._graph.edges[state], self.left
        return min(left[state], key=lambda action: (-len(left.get(edges[action][0], ())), action))

    def _takes(self, edge: Edge | None) -> None:
        if edge and self._leaves(edge):
            self._toured.taken, self._got = self._toured.taken + 1, self._got + 1

    def _fails(self, edge: Edge) -> None:
        """A transition did not come. After some tries it is neither wanted nor used to get elsewhere."""
        self._got += 1
        self._tries[edge] += 1
        if self._tries[edge] == TRIES:
            self._ways.refuses(*edge)
            if self._leaves(edge):
                self._misses(edge[1], self._why())

    def _leaves(self, edge: Edge) -> bool:
        """Strikes a transition off those that are left. Returns whether it was one."""
        state, action = edge
        if action not in (left := self.left.get(state, set())):
            return False
        left.remove(action)
        if not left:
            del self.left[state]
            self._ways.drops(state)
        return True

    def _why(self) -> str:
        """Returns why a transition did not come that was just tried."""
        if self._player.waits:
            return {"lock": "waits for a lock", "sleep": "sleeps"}[self._player.waits]
        return "takes another step" if self._player.edge else "not told"

    def _misses(self, action: str, why: str) -> None:
        self._toured.missed[f"{action.partition('(')[0]} ({why})"] += 1

    def result(self) -> Toured:
        """Returns the result; what was never reached counts as missed, if no run failed."""
        if not self._toured.failed:
            for action in (action for actions in self.left.values() for action in actions):
                self._misses(action, "not reached")
        return self._toured


def shortest(player: Player, graph: Graph, failed: Played) -> Played:
    """Returns a failed run with the fewest moves of the model after which the same step fails; else the run itself.

    The step may have failed because of what happened before, in a way that the model does not know. So some of the
    nearest states in which the model takes the step are tried.
    """
    again = replay(player, failed.moves[:-1])
    if again.failed or not failed.moves or failed.moves[-1] not in player.roles.moves.values():
        return failed
    state = min(player.states)
    last = {action for action in graph.edges.get(state, ()) if player.roles.moves[action] == failed.moves[-1]}
    takes = {at: action for at, edges in graph.edges.items() for action in [next(filter(last.__contains__, edges), "")]}
    ways = Ways(graph, (at for at, action in takes.items() if action)).nearest(graph.first)
    for wanted, way in islice(ways, CANDIDATES):
        if len(way) + 1 >= len(failed.moves):
            break
        tried = replay(player, [player.roles.moves[action] for action in (*way, takes[wanted])])
        if tried.failed == failed.failed:
            return tried
    return failed
