"""Fair loops, decided exactly on the graph.

A set of states holds a fair loop exactly if some strongly connected part of it takes, or never enables, each strongly
fair action, and takes, or somewhere disables, each weakly fair one. States that stand against that are removed and the
parts are formed anew until nothing changes: the recursion of Emerson and Lei (1987) and of Lichtenstein and Pnueli
(1985) for strong fairness, over all parts at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from uncork.core.system import Fairness
from uncork.engines.explicit.explore import Graph


def fair_states(graph: Graph, allowed: NDArray[np.bool_], without: frozenset[str]) -> NDArray[np.int32]:
    """For each state, the fair part it belongs to, or -1.

    A fair part is a strongly connected set of `allowed` states, joined by steps that are not `without`, all of which a
    fair run can visit for ever: a state in which nothing fair is enabled is one by itself. Only expanded states count,
    so a part found in an unfinished graph is real.
    """
    actions = graph.system.actions
    alive = allowed.copy()
    alive[graph.expanded :] = False
    forbidden = np.array([action.name in without for action in actions], np.bool_)
    fair = np.array([action.fair for action in actions], np.bool_)
    weak = np.array([action.fairness is Fairness.WEAK for action in actions], np.bool_)
    numbers = {duty: number for number, duty in enumerate(graph.system.duties)}
    duties = np.array([numbers[action.duty] for action in actions], np.int64)

    # The steps that start at a living state, and of them those that a loop may take.
    offsets = graph.offsets[: graph.expanded + 1]
    sources = np.repeat(np.arange(graph.expanded, dtype=np.int32), np.diff(offsets))
    targets, labels = graph.targets[: offsets[-1]], graph.labels[: offsets[-1]].astype(np.int64)
    while True:
        kept = alive[sources]
        sources, targets, labels = sources[kept], targets[kept], labels[kept]
        inside = alive[targets] & ~forbidden[labels]
        parts = _parts(graph.count, sources[inside], targets[inside])
        inside &= parts[sources] == parts[targets]

        keys = parts[sources] * np.int64(len(numbers)) + duties[labels]
        taken = np.unique(keys[inside])
        owed = np.flatnonzero(fair[labels])
        starved = owed[~np.isin(keys[owed], taken)]
        if weak.any():
            sizes = np.bincount(parts[alive], minlength=graph.count)[parts[sources[starved]]]
            throughout = _enabled(keys[starved], sources[starved]) == sizes
            starved = starved[~weak[labels[starved]] | throughout]
        if not len(starved):
            parts[~alive] = -1
            return parts
        alive[sources[starved]] = False


def _parts(count: int, sources: NDArray[np.int32], targets: NDArray[np.int32]) -> NDArray[np.int32]:
    matrix = csr_array((np.ones(len(sources), np.int8), (sources, targets)), shape=(count, count))
    parts: NDArray[np.int32] = connected_components(matrix, connection="strong")[1]
    return parts


def _enabled(keys: NDArray[np.int64], sources: NDArray[np.int32]) -> NDArray[np.int64]:
    """For each edge, in how many states a step of its key is enabled."""
    pairs = np.unique(np.stack((keys, sources)), axis=1)
    distinct, counts = np.unique(pairs[0], return_counts=True)
    enabled: NDArray[np.int64] = counts[np.searchsorted(distinct, keys)]
    return enabled
