"""The hot loops of the search, in machine code: expand states breadth first into a hash table, and ask predicates.

Nothing here depends on the system, which is called through the address of its compiled functions: numba compiles this
file once and keeps it between runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from uncork.engines.compiling import compiled
from uncork.engines.explicit.native import FAULT

EMPTY = -1
DONE, FULL, FAULTED = 0, 1, 2


@intrinsic
def call(_context: Any, address: Any, state: Any, out: Any, labels: Any) -> Any:
    """Calls `i64 f(ptr, ptr, ptr)` at an address."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = builder.inttoptr(arguments[0], ir.FunctionType(word, [word, word, word]).as_pointer())
        return builder.call(function, arguments[1:])

    return types.int64(types.intp, types.intp, types.intp, types.intp), generate


@intrinsic
def _prefetch(_context: Any, address: Any) -> Any:
    """Asks for the memory at an address that will soon be read; gives the address."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        to_read, keep, data = number(0), number(3), number(1)
        builder.call(function, [builder.inttoptr(arguments[0], byte), to_read, keep, data])
        return arguments[0]

    return types.intp(types.intp), generate


@compiled(inline="always")
def _home(table: Any, words: Any) -> Any:
    """The slot of the table where a state goes if that is free."""
    h = np.uint64(0x9E3779B97F4A7C15)
    for word in words:
        h = (h ^ word) * np.uint64(0xFF51AFD7ED558CCD)
        h ^= h >> np.uint64(32)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(29)
    return h & np.uint64(table.size - 1)


@compiled(inline="always")
def _slot(table: Any, states: Any, words: Any, home: Any) -> Any:
    """The slot of the table where a state is, or where it would go."""
    mask, slot = np.uint64(table.size - 1), home
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


@compiled()
def fill(table: Any, states: Any, count: int) -> None:
    """Enters the first `count` states into an empty table."""
    for index in range(count):
        table[_slot(table, states, states[index], _home(table, states[index]))] = index


@compiled()
def canonical(transforms: Any, state: Any, scratch: Any) -> int:
    """Makes a state canonical in place: normalised, and the least of its permutations; gives which permutation it was.

    `transforms` are the addresses of the normal form and of the permutations but the first; `scratch` has two rows.
    """
    if transforms.size == 0:
        return 0
    normal, permuted, chosen = scratch[0], scratch[1], 0
    call(transforms[0], state.ctypes.data, normal.ctypes.data, 0)
    state[:] = normal
    for k in range(1, transforms.size):
        call(transforms[k], normal.ctypes.data, permuted.ctypes.data, 0)
        for w in range(state.size):
            if permuted[w] != state[w]:
                if permuted[w] < state[w]:
                    state[:] = permuted
                    chosen = k
                break
    return chosen


@compiled()
def _prepare(successors: int, transforms: Any, states: Any, table: Any, batch: Any, first: int, last: int) -> None:
    """Writes the successors of states `first .. last - 1` to a batch, canonical; see `batch`.

    The table and the states are far from the processor, and to wait for one successor at a time would take most of the
    search's time. What will be needed of them is asked for here, for all successors together.
    """
    out, labels, turns, homes, ends, scratch = batch
    width = states.shape[1] * 8
    found = 0
    for index in range(first, last):
        begin = found
        found += call(
            successors,
            states.ctypes.data + index * width,
            out.ctypes.data + begin * width,
            labels.ctypes.data + begin * 2,
        )
        ends[index - first] = found
        for k in range(begin, found):
            if not labels[k] & FAULT:
                turns[k] = canonical(transforms, out[k], scratch)
                homes[k] = _home(table, out[k])
                _prefetch(table.ctypes.data + np.int64(homes[k]) * 4)
    for k in range(found):
        if not labels[k] & FAULT:
            target = table[homes[k]]
            if target != EMPTY:
                _prefetch(states.ctypes.data + target * width)


@compiled()
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
    batch: Any,
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
    out, out_labels, out_turns, homes, ends, _ = batch
    room, fault, fault_action = out.shape[0], -1, -1
    for start in range(first, last, ends.size):
        if count + room > states.shape[0] or edges + room > targets.size or 2 * (count + room) > table.size:
            return FULL, start, count, edges, -1
        _prepare(successors, transforms, states, table, batch, start, min(start + ends.size, last))
        k = 0
        for index in range(start, min(start + ends.size, last)):
            while k < ends[index - start]:
                label = out_labels[k]
                if label & FAULT:
                    if fault < 0:
                        fault, fault_action = index, label & ~FAULT
                    k += 1
                    continue
                slot = _slot(table, states, out[k], homes[k])
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
                    turns[edges] = out_turns[k]
                edges += 1
                k += 1
            offsets[index + 1] = edges
            if fault >= 0:
                return FAULTED, index + 1, count, edges, fault_action
    return DONE, last, count, edges, -1


@compiled()
def ask(predicate: int, states: Any, count: int) -> Any:
    """For each of the first `count` states, whether a compiled predicate holds."""
    answers = np.empty(count, np.bool_)
    for index in range(count):
        address = states.ctypes.data + index * states.shape[1] * 8
        answers[index] = call(predicate, address, 0, 0) != 0
    return answers
