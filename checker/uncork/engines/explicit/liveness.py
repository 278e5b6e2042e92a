"""Fair loops, decided exactly on the graph.

A set of states holds a fair loop exactly if some strongly connected part of it takes, or never enables, each strongly
fair step, and takes, or somewhere disables, each weakly fair one. States that stand against that are removed and the
parts are formed anew until nothing changes: the recursion of Emerson and Lei (1987) and of Lichtenstein and Pnueli
(1985) for strong fairness, where a part is looked at as soon as it is formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncork.core.system import Fairness
from uncork.engines.explicit import loops
from uncork.engines.explicit.explore import Graph

_WALK = 1_000_000
"""Steps of a walk that looks for a loop, before all loops are looked at."""


class Unfolded:
    """The graph with permutations undone: where loops are sought.

    A node is a state of the graph as seen after a permutation of the replicas: node = state * ways + order. What
    happens there to the replica at place orders[order][i] happens to replica i of the run. Nodes are in breadth-first
    order.
    """

    def __init__(self, graph: Graph) -> None:
        reduction = graph.reduction
        self.graph, self.ways = graph, len(reduction.orders)
        every = range(self.ways)
        self.undone = np.array([reduction.partners[reduction.inverse(order)] for order in every], np.intp)
        self.after = [[reduction.after(order, turn) for turn in every] for order in every]
        turned = np.tile(np.array(self.after, np.int64), len(graph.system.actions))  # by order, and code
        self.arrays = (graph.bases, graph.nears, graph.targets, graph.codes, turned)

    def edges(self, node: int) -> list[tuple[int, int]]:
        """The steps from a node, as (the run's action, target)."""
        state, order = divmod(node, self.ways)
        undone, after = self.undone[order], self.after[order]
        return [(int(undone[a]), target * self.ways + after[turn]) for a, turn, target in self.graph.edges(state)]

    def region(self, allowed: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """The nodes where state s is allowed after permutation k if `allowed[k][s]`, of those that were expanded."""
        regions = np.stack(allowed, axis=1)
        regions[self.graph.expanded :] = False
        return regions.reshape(-1)

    def covers(
        self,
        wider: NDArray[np.bool_],
        wider_without: frozenset[str],
        region: NDArray[np.bool_],
        without: frozenset[str],
    ) -> bool:
        """Whether each fair part of `region` lies in one of the `wider` region.

        It does if the nodes do, and what is forbidden in the wider one is forbidden here, or not enabled here at all:
        then it is a strongly connected set of the wider region too, and what is enabled and taken in it is the same.
        """
        if (region & ~wider).any():
            return False
        forbidden = self._by_code(self.marked(wider_without - without))
        return not loops.enables(self.arrays, forbidden, region)

    def fair_parts(self, alive: NDArray[np.bool_], without: frozenset[str]) -> NDArray[np.int32]:
        """For each node, the fair part it belongs to, or 0; changes `alive`, the nodes that are looked at.

        A fair part is a strongly connected set of nodes all of which a fair run can visit for ever, by steps that are
        not `without`: a node in which nothing fair is enabled is one by itself. Only expanded states count, so a part
        found in an unfinished graph is real.
        """
        system = self.graph.system
        numbers = {duty: n for n, duty in enumerate(d for d, actions in system.duties.items() if actions[0].fair)}
        duties = self._by_code(np.array([numbers.get(action.duty, -1) for action in system.actions], np.int64))
        weak = np.array([system.duties[duty][0].fairness is Fairness.WEAK for duty in numbers], np.bool_)
        forbidden = self._by_code(self.marked(without))
        loops.trim(self.arrays, forbidden, duties, alive, np.zeros(alive.size, np.uint8))
        return fair(self.arrays, forbidden, duties, weak, alive)

    def _by_code(self, actions: NDArray[Any]) -> NDArray[Any]:
        """What is said of the run's actions, for each order and each code of an edge."""
        return np.repeat(actions[self.undone], self.ways, axis=1)

    def marked(self, steps: frozenset[str]) -> NDArray[np.bool_]:
        """For each action, whether it is one of these."""
        return np.array([action.name in steps for action in self.graph.system.actions], np.bool_)

    def taken_again(self, steps: frozenset[str]) -> bool:
        """Whether some run takes one of these steps again and again."""
        wanted = self._by_code(self.marked(steps))
        seen = np.full(self.graph.count * self.ways, -1, np.int32)
        if loops.walk(self.arrays, wanted, seen, _WALK):
            return True
        everywhere = np.ones(self.graph.count * self.ways, np.bool_)
        return bool(loops.recurs(self.arrays, wanted, self.parts(everywhere, frozenset())))

    def parts(self, alive: NDArray[np.bool_], without: frozenset[str]) -> NDArray[np.int32]:
        """For each living node, its strongly connected part; no step leads to a part with a lesser number."""
        forbidden = self._by_code(self.marked(without))
        return fair(self.arrays, forbidden, np.full(forbidden.shape, -1), np.zeros(0, np.bool_), alive)


def fair(
    graph: tuple[NDArray[Any], ...],
    forbidden: NDArray[np.bool_],
    duties: NDArray[np.int64],
    weak: NDArray[np.bool_],
    alive: NDArray[np.bool_],
) -> NDArray[np.int32]:
    """The fair part of each node; see `loops.fair`."""
    index, stacks, edges = (
        np.zeros(alive.size, np.int32),
        np.empty((3, alive.size), np.int32),
        np.empty(alive.size, np.int64),
    )
    kinds = np.zeros((5, weak.size // 64 + 1), np.uint64)
    loops.fair(graph, forbidden, duties, weak, alive, index, stacks, edges, kinds)
    return index
