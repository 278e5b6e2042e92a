"""Fair loops, decided exactly on the graph.

A set of states contains a fair loop exactly if it has a strongly connected subset with two properties: every strongly
fair step is taken in the subset or enabled nowhere in it, and every weakly fair step is taken in the subset or disabled
somewhere in it. If a component starves a step, the states that enable the step are removed and the rest is split into
components again. This is the recursion of Emerson and Lei (1987) and of Lichtenstein and Pnueli (1985) for strong
fairness.
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
"""The steps of a walk that looks for a loop quickly, before an exhaustive search."""


class Unfolded:
    """The graph without the symmetry reduction, for the search of loops.

    A node is a state of the reduced graph and a permutation of the replicas: node = state * ways + order. A step of the
    replica at place orders[order][i] in the state is a step of replica i in the run. Nodes are in breadth-first order.
    """

    def __init__(self, graph: Graph) -> None:
        reduction = graph.reduction
        self.graph, self.ways = graph, len(reduction.orders)
        every = range(self.ways)
        self.undone = np.array([reduction.partners[reduction.inverse(order)] for order in every], np.intp)
        self.after = [[reduction.after(order, turn) for turn in every] for order in every]
        turned = np.tile(np.array(self.after, np.int64), len(graph.system.actions))  # indexed by order and code
        self.arrays = (graph.bases, graph.nears, graph.targets, graph.codes, turned)

    def edges(self, node: int) -> list[tuple[int, int]]:
        """The steps from a node: (index of the run's action, target node)."""
        state, order = divmod(node, self.ways)
        undone, after = self.undone[order], self.after[order]
        return [(int(undone[a]), target * self.ways + after[turn]) for a, turn, target in self.graph.edges(state)]

    def region(self, allowed: Sequence[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """The expanded nodes that are allowed: `allowed[k][s]` says whether state s is allowed in order k."""
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
        """Whether every fair part of `region` surely lies in a fair part of the `wider` region.

        This holds if all nodes of `region` are in the wider region, and every step forbidden in the wider region is
        forbidden in `region` or enabled nowhere in it. Then a fair part is strongly connected in the wider region too,
        with the same enabled and taken steps.
        """
        if (region & ~wider).any():
            return False
        forbidden = self._by_code(self.marked(wider_without - without))
        return not loops.enables(self.arrays, forbidden, region)

    def fair_parts(self, alive: NDArray[np.bool_], without: frozenset[str]) -> NDArray[np.int32]:
        """For each node in `alive`, the number of its fair part, or 0. Changes `alive`.

        A fair part is a strongly connected set of nodes all of which a fair run can visit for ever, without the steps
        in `without`. A node in which no fair step is enabled is a fair part by itself. Only expanded states count, so
        the fair parts of an unfinished graph are real.
        """
        system = self.graph.system
        numbers = {duty: n for n, duty in enumerate(d for d, actions in system.duties.items() if actions[0].fair)}
        duties = self._by_code(np.array([numbers.get(action.duty, -1) for action in system.actions], np.int64))
        weak = np.array([system.duties[duty][0].fairness is Fairness.WEAK for duty in numbers], np.bool_)
        forbidden = self._by_code(self.marked(without))
        loops.trim(self.arrays, forbidden, duties, alive, np.zeros(alive.size, np.uint8))
        return fair(self.arrays, forbidden, duties, weak, alive)

    def _by_code(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Values for the run's actions, rearranged by order and by code of an edge."""
        return np.repeat(actions[self.undone], self.ways, axis=1)

    def marked(self, steps: frozenset[str]) -> NDArray[np.bool_]:
        """For each action, whether its name is in `steps`."""
        return np.array([action.name in steps for action in self.graph.system.actions], np.bool_)

    def taken_again(self, steps: frozenset[str]) -> bool:
        """Whether some run takes one of these steps infinitely often."""
        wanted = self._by_code(self.marked(steps))
        seen = np.full(self.graph.count * self.ways, -1, np.int32)
        if loops.walk(self.arrays, wanted, seen, _WALK):
            return True
        everywhere = np.ones(self.graph.count * self.ways, np.bool_)
        return bool(loops.recurs(self.arrays, wanted, self.parts(everywhere, frozenset())))

    def parts(self, alive: NDArray[np.bool_], without: frozenset[str]) -> NDArray[np.int32]:
        """For each node in `alive`, the number of its strongly connected component. Numbers never fall along steps."""
        forbidden = self._by_code(self.marked(without))
        return fair(self.arrays, forbidden, np.full(forbidden.shape, -1), np.zeros(0, np.bool_), alive)


def fair(
    graph: tuple[NDArray[Any], ...],
    forbidden: NDArray[np.bool_],
    duties: NDArray[np.int64],
    weak: NDArray[np.bool_],
    alive: NDArray[np.bool_],
) -> NDArray[np.int32]:
    """The number of the fair part of each node, or 0; see `loops.fair`, for which this allocates the memory."""
    index, stacks, edges = (
        np.zeros(alive.size, np.int32),
        np.empty((3, alive.size), np.int32),
        np.empty(alive.size, np.int64),
    )
    kinds = np.zeros((5, weak.size // 64 + 1), np.uint64)
    loops.fair(graph, forbidden, duties, weak, alive, index, stacks, edges, kinds)
    return index
