"""The hot loops of costs, in machine code: shortest distances with negative cycles, and longest ways without cycles.

A graph is the `offsets`, `targets` and `labels` of `explore.Graph`; weights are whole numbers, by label.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uncork.engines.compiling import compiled


@compiled
def sweep(
    offsets: Any, targets: Any, labels: Any, part: Any, weight: Any, distance: Any, came: Any, by: Any, active: Any
) -> Any:
    """Relaxes the edges inside each part, from every node whose distance has changed; whether any distance changes.

    `came` is the node that a distance comes from, -1 for none, and `by` the label of the edge.
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
    """Finds a node of each cycle of nodes that came from each other, and gives how many.

    Each cycle has a negative weight (Tarjan, 1981).
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
    """Fills `most`: the most counted edges on a way that starts at a node with a part, and leaves from such nodes only.

    `order` has the nodes with a part, those of later parts first, and no edge leads to an earlier part. Gives an edge
    inside a part that is counted, or -1: with such an edge there is no most.
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
