"""The hot loops on a finished graph, in machine code: its strongly connected parts, and which of them are fair.

`graph` is the `arrays` of an `Unfolded`. Arrays about actions have a row for each order of the replicas, and a column
for each code of an edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uncork.engines.compiling import compiled, inlined
from uncork.engines.explicit.kernel import NEAR

MANY = 255


@inlined
def _place(graph: Any, node: int) -> Any:
    """The state and the order of the replicas of a node; see `Unfolded`."""
    ways = graph[4].shape[0]
    if ways == 1:
        return node, 0
    state = np.int64(np.uint32(node) // np.uint32(ways))  # 32-bit division takes less time than 64-bit
    return state, node - state * ways


@inlined
def _first(graph: Any, state: int) -> Any:
    """The index of the first edge of a state, which is also the end of the previous state's edges."""
    return graph[0][state // NEAR] + graph[1][state]


@inlined
def _follow(graph: Any, edge: int, order: int) -> Any:
    """The node that an edge leads to from a node of this order."""
    _, _, targets, codes, turned = graph
    ways = turned.shape[0]
    return np.uintp(targets[edge]) if ways == 1 else np.uintp(targets[edge] * ways + turned[order, codes[edge]])


@compiled
def trim(graph: Any, forbidden: Any, duties: Any, alive: Any, leading: Any) -> Any:
    """Drops most nodes that lie on no cycle and still owe a fair step; returns how many the last sweep dropped.

    A node without predecessors lies on no cycle; once the node is dropped, its successors may be without predecessors
    too. Most steps lead to nodes of greater numbers, so one sweep in the order of the nodes drops long chains. The
    sweep also reads memory in order, which the search for components in `fair` does not. The sweep is repeated while
    it removes more than one node in 64. `leading`, at first 0, counts the predecessors of a node; MANY stays MANY.
    """
    labels, ways = graph[3], graph[4].shape[0]
    states = alive.size // ways
    for state in range(states):
        for order in range(ways):
            if alive[state * ways + order]:
                for edge in range(_first(graph, state), _first(graph, state + 1)):
                    if not forbidden[order, labels[edge]]:
                        target = _follow(graph, edge, order)
                        leading[target] += leading[target] != MANY
    removed = alive.size
    while removed > alive.size >> 6:
        removed = 0
        for state in range(states):
            for order in range(ways):
                node, owed = state * ways + order, False
                if not alive[node] or leading[node]:
                    continue
                for edge in range(_first(graph, state), _first(graph, state + 1)):
                    owed |= duties[order, labels[edge]] >= 0
                    if not forbidden[order, labels[edge]]:
                        target = _follow(graph, edge, order)
                        leading[target] -= leading[target] != MANY
                alive[node] = not owed
                leading[node] = MANY  # a node that stays is not looked at again
                removed += 1
    return removed


@compiled
def fair(
    graph: Any, forbidden: Any, duties: Any, weak: Any, alive: Any, index: Any, stacks: Any, edges: Any, kinds: Any
) -> Any:
    """Writes the fair part of each node to `index`: a number from 1 up, or 0 if no fair loop visits the node.

    Only steps that are not `forbidden` and nodes that are `alive` count. `duties` gives each action the number of its
    step, or -1 if fairness owes the action nothing. `weak` says of each step whether its fairness is weak. `liveness`
    states the rule. `index` and `kinds` (room for five sets of duties) are 0 at first; `stacks` and `edges` have room
    for every node.

    The search is Tarjan's algorithm (1972) in the form of Pearce (2016), with one number for each node and with stacks
    instead of recursion. A strongly connected component is judged as soon as it is complete. If it starves a step, the
    nodes that enable the step die, and the others count as unseen again. So a component is decided while its nodes are
    in the cache, and a component that is fair is not searched again.
    """
    labels, size = graph[3], alive.size
    dead, part, following = np.int32(size + 1), np.int32(size), np.int32(1)
    path, waiting, numbers = stacks[0], stacks[1], stacks[2]
    # index is 0 for an unseen node, then the least number reached, and at last the part, numbered from the top down
    for duty in range(weak.size):
        if weak[duty]:
            kinds[0, duty >> 6] |= np.uint64(1) << np.uint64(duty & 63)
    for node in range(size):
        if not alive[node]:
            index[node] = dead
    again = True
    while again:
        again = False
        for start in range(size):
            if index[start] != 0:
                continue
            path[0], numbers[0], edges[0] = start, following, _first(graph, _place(graph, start)[0])
            index[start] = following
            following += np.int32(1)
            depth, held = 1, 0
            while depth:
                node, edge = path[depth - 1], edges[depth - 1]
                state, order = _place(graph, node)
                least, last, found = index[node], _first(graph, state + 1), np.int64(-1)
                while edge < last:
                    if not forbidden[order, labels[edge]]:
                        target = _follow(graph, edge, order)
                        if index[target] == 0:
                            found = np.int64(target)
                            break  # this edge is followed again once the target is done
                        least = min(least, index[target])  # parts and dead nodes have greater numbers
                    edge += 1
                index[node] = least
                if found >= 0:
                    edges[depth - 1] = edge
                    path[depth], numbers[depth], edges[depth] = found, following, _first(graph, _place(graph, found)[0])
                    index[found] = following
                    following += np.int32(1)
                    depth += 1
                    continue
                depth -= 1
                waiting[held] = node
                held += 1
                if least < numbers[depth]:
                    continue
                top = held
                while held and index[waiting[held - 1]] >= least:
                    held -= 1
                following -= np.int32(top - held)
                if top - held == 1 and _passed(graph, forbidden, duties, node):
                    index[node] = dead
                elif _judged(graph, forbidden, duties, kinds, index, waiting[held:top], part, dead):
                    part -= np.int32(1)
                else:
                    again = True
    for node in range(size):
        if index[node] == dead:
            index[node] = 0
    return following


@inlined
def _passed(graph: Any, forbidden: Any, duties: Any, node: int) -> Any:
    """Whether no fair run stays at a node: a fair step is enabled there, and no step leads from the node to itself.

    This is tested first because most components are such single nodes.
    """
    labels, owed = graph[3], False
    state, order = _place(graph, node)
    for edge in range(_first(graph, state), _first(graph, state + 1)):
        if _follow(graph, edge, order) == node and not forbidden[order, labels[edge]]:
            return False
        owed |= duties[order, labels[edge]] >= 0
    return owed


@inlined
def _judged(graph: Any, forbidden: Any, duties: Any, kinds: Any, index: Any, nodes: Any, part: int, dead: int) -> Any:
    """Whether a strongly connected part is fair; then its nodes have the number `part`.

    Otherwise the nodes that enable a starved step are dead, and the others count as unseen again.
    """
    labels = graph[3]
    weak, enabled, somewhere, throughout, taken = kinds[0], kinds[1], kinds[2], kinds[3], kinds[4]
    somewhere[:], throughout[:], taken[:] = 0, ~np.uint64(0), 0
    for node in nodes:
        index[node] = part
    for node in nodes:
        enabled[:] = 0
        state, order = _place(graph, node)
        for edge in range(_first(graph, state), _first(graph, state + 1)):
            duty = duties[order, labels[edge]]
            if duty >= 0:
                bit = np.uint64(1) << np.uint64(duty & 63)
                enabled[duty >> 6] |= bit
                if not forbidden[order, labels[edge]] and index[_follow(graph, edge, order)] == part:
                    taken[duty >> 6] |= bit
        for w in range(weak.size):
            somewhere[w] |= enabled[w]
            throughout[w] &= enabled[w]
    starved = somewhere
    owed = False
    for w in range(weak.size):
        starved[w] &= ~taken[w] & (throughout[w] | ~weak[w])
        owed |= starved[w] != 0
    if not owed:
        return True
    for node in nodes:
        state, order = _place(graph, node)
        index[node] = 0
        for edge in range(_first(graph, state), _first(graph, state + 1)):
            duty = duties[order, labels[edge]]
            if duty >= 0 and starved[duty >> 6] >> np.uint64(duty & 63) & np.uint64(1):
                index[node] = dead
                break
    return False


@compiled
def walk(graph: Any, wanted: Any, at: Any, steps: int) -> Any:
    """Whether a walk of at most `steps` steps from the first node takes a wanted step on a cycle.

    The walk is pseudo-random, and the same on every call. If the walk finds no such cycle, there may still be one.
    `at`, at first -1, holds the time at which the walk last came to each node.
    """
    labels = graph[3]
    node, last, chance = np.int64(0), -1, np.uint64(0x9E3779B97F4A7C15)
    for now in range(steps):
        if at[node] >= 0 and at[node] <= last:
            return True
        at[node] = now
        state, order = _place(graph, node)
        if state + 1 >= graph[1].size:
            return False  # the state was not expanded
        choices = _first(graph, state + 1) - _first(graph, state)
        if choices == 0:
            return False
        chance ^= chance << np.uint64(13)
        chance ^= chance >> np.uint64(7)
        chance ^= chance << np.uint64(17)
        edge = _first(graph, state) + np.int64((chance >> np.uint64(33)) % np.uint64(choices))
        if wanted[order, labels[edge]]:
            last = now
        node = np.int64(_follow(graph, edge, order))
    return False


@compiled
def enables(graph: Any, wanted: Any, among: Any) -> Any:
    """Whether a wanted step is enabled at a node in `among`."""
    labels, ways = graph[3], graph[4].shape[0]
    for state in range(among.size // ways):
        for order in range(ways):
            if among[state * ways + order]:
                for edge in range(_first(graph, state), _first(graph, state + 1)):
                    if wanted[order, labels[edge]]:
                        return True
    return False


@compiled
def recurs(graph: Any, wanted: Any, parts: Any) -> Any:
    """Whether a wanted step joins two nodes of the same part."""
    labels = graph[3]
    for node in range(parts.size):
        state, order = _place(graph, node)
        for edge in range(_first(graph, state), _first(graph, state + 1)):
            if wanted[order, labels[edge]] and parts[_follow(graph, edge, order)] == parts[node]:
                return True
    return False
