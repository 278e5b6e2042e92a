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


@njit(cache=True, nogil=True)
def components(offsets: Any, targets: Any) -> Any:
    """The strongly connected part of each node of a graph in compressed sparse rows; targets below 0 lead nowhere.

    Tarjan's algorithm (1972) with a stack of its own, in the form of Pearce (2016) that keeps one number a node.
    """
    count = offsets.size - 1
    index = np.zeros(count, np.int32)  # 0: not seen; then the least number reached; at last the part, from the top down
    edge = offsets[:-1].copy()
    root = np.ones(count, np.bool_)
    path, waiting = np.empty(count, np.int32), np.empty(count, np.int32)
    following, part = np.int32(1), np.int32(count)
    for start in range(count):
        if index[start] != 0:
            continue
        path[0], depth, held = start, 1, 0
        index[start] = following
        following += np.int32(1)
        while depth:
            node = path[depth - 1]
            if edge[node] < offsets[node + 1]:
                target = targets[edge[node]]
                if target >= 0 and index[target] == 0:
                    index[target] = following
                    following += np.int32(1)
                    path[depth] = target
                    depth += 1
                    continue  # the same edge is looked at again when the target is done
                if target >= 0 and index[target] < index[node]:
                    index[node] = index[target]
                    root[node] = False
                edge[node] += 1
                continue
            depth -= 1
            if not root[node]:
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
