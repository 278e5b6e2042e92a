"""The hot loops, in machine code: expand states breadth first into a hash table, and ask a predicate of every state.

Nothing here depends on the system, which is called through the address of its compiled functions: numba compiles this
file once and keeps it between runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from uncork.engines.explicit.native import FAULT

EMPTY = -1
DONE, FULL, FAULTED = 0, 1, 2


@intrinsic
def _call(_context: Any, address: Any, state: Any, out: Any, labels: Any) -> Any:
    """Calls `i64 f(ptr, ptr, ptr)` at an address."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = builder.inttoptr(arguments[0], ir.FunctionType(word, [word, word, word]).as_pointer())
        return builder.call(function, arguments[1:])

    return types.int64(types.intp, types.intp, types.intp, types.intp), generate


@njit(cache=True, nogil=True, inline="always")
def _slot(table: Any, states: Any, words: Any) -> Any:
    """The slot of the table where a state is, or where it would go."""
    mask = np.uint64(table.size - 1)
    h = np.uint64(0x9E3779B97F4A7C15)
    for word in words:
        h = (h ^ word) * np.uint64(0xFF51AFD7ED558CCD)
        h ^= h >> np.uint64(32)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(29)
    slot = h & mask
    while True:
        index = table[slot]
        if index == EMPTY:
            return slot
        same = True
        for k in range(words.size):
            if states[index, k] != words[k]:
                same = False
                break
        if same:
            return slot
        slot = (slot + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def fill(table: Any, states: Any, count: int) -> None:
    """Enters the first `count` states into an empty table."""
    for index in range(count):
        table[_slot(table, states, states[index])] = index


@njit(cache=True, nogil=True)
def canonical(transforms: Any, state: Any, scratch: Any) -> int:
    """Makes a state canonical in place: normalised, and the least of its permutations; gives which permutation it was.

    `transforms` are the addresses of the normal form and of the permutations but the first; `scratch` has two rows.
    """
    if transforms.size == 0:
        return 0
    normal, permuted, chosen = scratch[0], scratch[1], 0
    _call(transforms[0], state.ctypes.data, normal.ctypes.data, 0)
    state[:] = normal
    for k in range(1, transforms.size):
        _call(transforms[k], normal.ctypes.data, permuted.ctypes.data, 0)
        for w in range(state.size):
            if permuted[w] != state[w]:
                if permuted[w] < state[w]:
                    state[:] = permuted
                    chosen = k
                break
    return chosen


@njit(cache=True, nogil=True)
def expand(
    successors: int,
    transforms: Any,
    states: Any,
    parents: Any,
    table: Any,
    offsets: Any,
    targets: Any,
    labels: Any,
    turns: Any,
    out: Any,
    out_labels: Any,
    scratch: Any,
    first: int,
    last: int,
    count: int,
    edges: int,
) -> tuple[int, int, int, int, int]:
    """Expands states `first .. last - 1`; `turns` is empty, or takes the permutation of each edge.

    Returns why it stopped (`DONE`; `FULL`: an array has to grow; `FAULTED`: an action leaves a variable's sort), the
    first state that is not expanded, the numbers of states and of edges, and the action at fault. A faulty edge is
    left out.
    """
    room, fault, fault_action = out.shape[0], -1, -1
    for index in range(first, last):
        if count + room > states.shape[0] or edges + room > targets.size or 2 * (count + room) > table.size:
            return FULL, index, count, edges, -1
        found = _call(
            successors, states.ctypes.data + index * states.shape[1] * 8, out.ctypes.data, out_labels.ctypes.data
        )
        for k in range(found):
            label = out_labels[k]
            if label & FAULT:
                if fault < 0:
                    fault, fault_action = index, label & ~FAULT
                continue
            turn = canonical(transforms, out[k], scratch)
            slot = _slot(table, states, out[k])
            target = table[slot]
            if target == EMPTY:
                target = count
                table[slot] = count
                for w in range(states.shape[1]):
                    states[count, w] = out[k, w]
                parents[count] = index
                count += 1
            targets[edges] = target
            labels[edges] = label
            if turns.size:
                turns[edges] = turn
            edges += 1
        offsets[index + 1] = edges
        if fault >= 0:
            return FAULTED, index + 1, count, edges, fault_action
    return DONE, last, count, edges, -1


@njit(cache=True, nogil=True)
def ask(predicate: int, states: Any, count: int) -> Any:
    """For each of the first `count` states, whether a compiled predicate holds."""
    answers = np.empty(count, np.bool_)
    for index in range(count):
        address = states.ctypes.data + index * states.shape[1] * 8
        answers[index] = _call(predicate, address, 0, 0) != 0
    return answers


@njit(cache=True, nogil=True, inline="always")
def _follow(graph: Any, node: int, step: int) -> tuple[int, int]:
    """The action of a node's step as the run sees it, and the node that it leads to; see `meadow` in `liveness`."""
    offsets, targets, labels, turns, undone, after = graph
    ways = undone.shape[0]
    edge, order = offsets[node // ways] + step, node % ways
    target = np.int64(targets[edge]) * ways
    if ways > 1:
        target += after[order, turns[edge]]
    return undone[order, labels[edge]], target


@njit(cache=True, nogil=True)
def components(graph: Any, forbidden: Any, alive: Any) -> Any:
    """The strongly connected part, 1 or more, of each living node, over steps that are not `forbidden`; 0 of the dead.

    Tarjan's algorithm (1972) with a stack of its own, in the form of Pearce (2016) that keeps one number a node.
    """
    offsets, ways = graph[0], graph[4].shape[0]
    index = np.zeros(alive.size, np.int32)  # 0: not seen; then the least number reached; at last the part, from the top
    step = np.zeros(alive.size, np.uint16)
    inner = np.zeros(alive.size, np.bool_)  # some step leads to a number that is less
    path, waiting = np.empty(alive.size, np.int32), np.empty(alive.size, np.int32)
    following, part = np.int32(1), np.int32(alive.size)
    for start in range(alive.size):
        if not alive[start] or index[start] != 0:
            continue
        path[0], depth, held = start, 1, 0
        index[start] = following
        following += np.int32(1)
        while depth:
            node = path[depth - 1]
            state = node // ways
            if step[node] < offsets[state + 1] - offsets[state]:
                action, target = _follow(graph, node, step[node])
                if not forbidden[action] and alive[target]:
                    if index[target] == 0:
                        index[target] = following
                        following += np.int32(1)
                        path[depth] = target
                        depth += 1
                        continue  # the same step is looked at again when the target is done
                    if index[target] < index[node]:
                        index[node] = index[target]
                        inner[node] = True
                step[node] += np.uint16(1)
                continue
            depth -= 1
            if inner[node]:
                waiting[held] = node
                held += 1
                continue
            following -= np.int32(1)
            while held and index[node] <= index[waiting[held - 1]]:
                held -= 1
                index[waiting[held]] = part
                following -= np.int32(1)
            index[node] = part
            part -= np.int32(1)
    return index


@njit(cache=True, nogil=True)
def fair(graph: Any, forbidden: Any, duties: Any, weak: Any, alive: Any) -> Any:
    """The fair part, 1 or more, of each node, or 0: `alive` loses the nodes that no fair loop can visit.

    `duties` is the number of the step that each action is an outcome of, -1 if nothing is owed to it; `weak` is whether
    it is owed to each such step only while it lasts. See `liveness` for the rule.
    """
    offsets, ways = graph[0], graph[4].shape[0]
    words = weak.size // 64 + 1
    one = np.uint64(1)
    while True:
        parts = components(graph, forbidden, alive)
        first = alive.size + 1  # parts are numbered from the top down
        for node in range(alive.size):
            if alive[node] and parts[node] < first:
                first = parts[node]
        taken = np.zeros((alive.size - first + 1, words), np.uint64)
        lasting = np.full((alive.size - first + 1, words), ~np.uint64(0))
        enabled = np.zeros(words, np.uint64)
        for node in range(alive.size):
            if not alive[node]:
                continue
            enabled[:] = 0
            row = parts[node] - first
            for step in range(offsets[node // ways + 1] - offsets[node // ways]):
                action, target = _follow(graph, node, step)
                duty = duties[action]
                if duty < 0:
                    continue
                bit = one << np.uint64(duty & 63)
                enabled[duty >> 6] |= bit
                if not forbidden[action] and alive[target] and parts[target] == parts[node]:
                    taken[row, duty >> 6] |= bit
            for w in range(words):
                lasting[row, w] &= enabled[w]
        removed = 0
        for node in range(alive.size):
            if not alive[node]:
                continue
            row = parts[node] - first
            for step in range(offsets[node // ways + 1] - offsets[node // ways]):
                duty = duties[_follow(graph, node, step)[0]]
                if duty < 0:
                    continue
                bit = one << np.uint64(duty & 63)
                if taken[row, duty >> 6] & bit or (weak[duty] and not lasting[row, duty >> 6] & bit):
                    continue
                alive[node] = False
                removed += 1
                break
        if not removed:
            return parts


@njit(cache=True, nogil=True)
def stroll(graph: Any, wanted: Any, steps: int) -> bool:
    """Whether a walk of so many steps from the first node returns to a node and took a wanted step in between.

    The walk is random and always the same. Where it finds nothing, nothing is known.
    """
    offsets, ways = graph[0], graph[4].shape[0]
    at = np.full((offsets.size - 1) * ways, -1, np.int64)
    node, last, chance = 0, -1, np.uint64(0x9E3779B97F4A7C15)
    for now in range(steps):
        if at[node] >= 0 and at[node] <= last:
            return True
        at[node] = now
        choices = offsets[node // ways + 1] - offsets[node // ways]
        if choices == 0:
            return False
        chance ^= chance << np.uint64(13)
        chance ^= chance >> np.uint64(7)
        chance ^= chance << np.uint64(17)
        action, target = _follow(graph, node, np.int64((chance >> np.uint64(33)) % np.uint64(choices)))
        if wanted[action]:
            last = now
        node = target
    return False


@njit(cache=True, nogil=True)
def recurs(graph: Any, wanted: Any, parts: Any) -> bool:
    """Whether some step that is wanted joins two nodes of the same part."""
    offsets, ways = graph[0], graph[4].shape[0]
    for node in range(parts.size):
        for step in range(offsets[node // ways + 1] - offsets[node // ways]):
            action, target = _follow(graph, node, step)
            if wanted[action] and parts[target] == parts[node]:
                return True
    return False
