"""Fair loops, decided exactly on the graph.

A set of states holds a fair loop exactly if some strongly connected part of it takes, or never enables, each strongly
fair step, and takes, or somewhere disables, each weakly fair one. States that stand against that are removed and the
parts are formed anew until nothing changes: the recursion of Emerson and Lei (1987) and of Lichtenstein and Pnueli
(1985) for strong fairness, over all parts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uncork.core.system import Fairness, System
from uncork.engines.explicit import kernel
from uncork.engines.explicit.explore import Graph


@dataclass
class Meadow:
    """The allowed states with all their steps, permutations undone: where loops are sought.

    A node is a state of the graph (`states`, i32) as seen after a permutation (`orders`, u8): what happens there to
    the replica at place order[i] happens to replica i of the run. Nodes are in breadth-first order. The steps of node
    i are `labels` (the run's action) and `targets` (i32, -1 if the step leaves the meadow or may not be taken in a
    loop) at `offsets[i] .. offsets[i + 1]`.
    """

    system: System
    states: NDArray[np.int32]
    orders: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    targets: NDArray[np.int32]
    labels: NDArray[np.int64]

    def edges(self, node: int) -> list[tuple[int, int]]:
        """The steps from a node, as (action, target), in the order of the graph."""
        span = slice(self.offsets[node], self.offsets[node + 1])
        return list(zip(self.labels[span].tolist(), self.targets[span].tolist(), strict=True))


def unfold(graph: Graph, allowed: Sequence[NDArray[np.bool_]], without: frozenset[str]) -> Meadow:
    """The states in which `allowed[k]` holds as seen after permutation k, with steps `without` leading nowhere.

    Only expanded states count, so a loop found in an unfinished graph is real.
    """
    reduction, ways = graph.reduction, len(allowed)
    wanted = np.stack(allowed, axis=1)
    wanted[graph.expanded :] = False
    flat = np.flatnonzero(wanted)
    states, orders = (flat // ways).astype(np.int32), (flat % ways).astype(np.uint8)
    nodes = np.full(wanted.size, -1, np.int32)
    nodes[flat] = np.arange(len(flat), dtype=np.int32)

    starts = graph.offsets[states]
    lengths = graph.offsets[states + 1] - starts
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    edges = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    labels, targets = graph.labels[edges].astype(np.int64), graph.targets[edges].astype(np.int64)
    if ways > 1:
        seen, turned = np.repeat(orders, lengths), graph.turns[edges]
        undone = np.array([reduction.partners[reduction.inverse(k)] for k in range(ways)])
        after = np.array([[reduction.after(k, turn) for turn in range(ways)] for k in range(ways)])
        labels = undone[seen, labels]
        targets = targets * ways + after[seen, turned]
    inside = nodes[targets]
    forbidden = np.array([action.name in without for action in graph.system.actions], np.bool_)
    inside[forbidden[labels]] = -1
    return Meadow(graph.system, states, orders, offsets, inside, labels)


def fair_parts(meadow: Meadow) -> NDArray[np.int32]:
    """For each node, the fair part it belongs to, or -1.

    A fair part is a strongly connected set of nodes all of which a fair run can visit for ever: a node in which nothing
    fair is enabled is one by itself.
    """
    actions = meadow.system.actions
    fair = np.array([action.fair for action in actions], np.bool_)
    weak = np.array([action.fairness is Fairness.WEAK for action in actions], np.bool_)
    numbers = {duty: number for number, duty in enumerate(meadow.system.duties)}
    duties = np.array([numbers[action.duty] for action in actions], np.int64)

    count = len(meadow.states)
    sources = np.repeat(np.arange(count, dtype=np.int32), np.diff(meadow.offsets))
    labels, targets = meadow.labels, meadow.targets
    alive = np.ones(count, np.bool_)
    while True:
        offsets = np.concatenate(([0], np.cumsum(np.bincount(sources, minlength=count))))
        parts: NDArray[np.int32] = kernel.components(offsets, targets)
        inside = (targets >= 0) & (parts[sources] == parts[targets])

        keys = parts[sources] * np.int64(len(numbers)) + duties[labels]
        taken = np.zeros((count + 1) * len(numbers), np.bool_)
        taken[keys[inside]] = True
        starved = np.flatnonzero(fair[labels] & ~taken[keys])
        if weak.any():
            sizes = np.bincount(parts[alive], minlength=count + 1)[parts[sources[starved]]]
            throughout = _enabled(keys[starved], sources[starved]) == sizes
            starved = starved[~weak[labels[starved]] | throughout]
        if not len(starved):
            parts[~alive] = -1
            return parts
        alive[sources[starved]] = False
        kept = alive[sources]
        sources, labels, targets = sources[kept], labels[kept], targets[kept]
        targets = np.where((targets >= 0) & alive[targets], targets, np.int32(-1))


def _enabled(keys: NDArray[np.int64], sources: NDArray[np.int32]) -> NDArray[np.int64]:
    """For each edge, in how many states a step of its key is enabled."""
    pairs = np.unique(np.stack((keys, sources)), axis=1)
    distinct, counts = np.unique(pairs[0], return_counts=True)
    enabled: NDArray[np.int64] = counts[np.searchsorted(distinct, keys)]
    return enabled
