"""The hot loops of costs, in machine code: shortest distances with negative cycles, and longest paths without cycles.

A graph is the `offsets`, `targets` and `labels` of `explore.Graph`. Weights are whole numbers, by label.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uncork.engines.compiling import compiled


@compiled
def sweep(
    offsets: Any, targets: Any, labels: Any, part: Any, weight: Any, distance: Any, came: Any, by: Any, active: Any
) -> Any:
    """Relaxes the edges inside each part, from every active node. Returns whether any distance changed.

    `came` is the predecessor that a node's distance comes from, or -1; `by` is the label of the edge from it.
    """
    changed = False
    for node in range(part.size):
        if not active[node]:
            continue
        active[node] = False
        for edge in range(offsets[node], offsets[node + 1]):
            target = targets[edge]
            if part[target] != part[node]:
                continue
            shorter = distance[node] + weight[labels[edge]]
            if shorter < distance[target]:
                distance[target], came[target], by[target] = shorter, node, labels[edge]
                active[target] = changed = True
    return changed


@compiled
def rings(came: Any, seen: Any, found: Any) -> Any:
    """Writes a node of each cycle of predecessors to `found`, and returns the number of cycles.

    Every such cycle has a negative weight (Tarjan, 1981).
    """
    seen[:] = 0
    number, mark = np.int64(0), np.int32(0)
    for start in range(came.size):
        if seen[start] or came[start] < 0:
            continue
        mark += np.int32(1)
        node = np.int64(start)
        while node >= 0 and seen[node] == 0:
            seen[node] = mark
            node = came[node]
        if node >= 0 and seen[node] == mark:
            found[number] = node
            number += 1
    return number


@compiled
def longest(offsets: Any, targets: Any, labels: Any, part: Any, order: Any, counted: Any, most: Any) -> Any:
    """Fills `most`: the greatest number of counted edges on a path from each node; only nodes with a part have edges.

    `order` has the nodes with a part, later parts first; no edge leads to an earlier part. Returns -1, or a counted
    edge inside a part if there is one, since then the number is unbounded.
    """
    first = 0
    while first < order.size:
        last, here = first, np.int64(0)
        while last < order.size and part[order[last]] == part[order[first]]:
            node = order[last]
            for edge in range(offsets[node], offsets[node + 1]):
                target, one = targets[edge], np.int64(counted[labels[edge]])
                if part[target] == part[node]:
                    if one:
                        return edge
                else:
                    here = max(here, one + (most[target] if part[target] else 0))
            last += 1
        for k in range(first, last):
            most[order[k]] = here
        first = last
    return -1
