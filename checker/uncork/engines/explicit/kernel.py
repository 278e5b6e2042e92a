"""The hot loops of the search, in machine code: breadth-first expansion with a hash table, and predicates.

These loops do not depend on the system, whose compiled functions they call by their addresses. So this file is compiled
once and cached between runs; see `compiling`.

The search goes in rounds. In a round, `look` finds the successors of some states, and looks them up in the table. It
changes no shared memory, so several threads can look at different states. Then `enter` goes over the successors in
order, numbers the new states and stores the edges. So the graph does not depend on the number of threads or on the
length of a round.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uncork.engines.compiling import call, compiled, inlined, prefetch
from uncork.engines.explicit.native import FAULT

EMPTY = 0xFFFFFFFF
"""The content of an empty slot of the hash table. In a used slot, the lower bits are the number of a state (as many
bits as the size of the table needs), and the upper bits are the lower bits of its hash. The hash bits reject most other
states without reading the states themselves."""
UNKNOWN = -1
"""The target of a successor that was not in the table when it was looked up."""
TOGETHER = 16
"""The number of states whose successors are looked up together, so that their memory accesses overlap."""
NEAR = 64
"""The number of consecutive states that share a base of their edge indices; see `enter`."""
_AHEAD = 16
"""How many successors ahead of the current successor the slot is prefetched."""


@inlined
def _hash(row: Any) -> Any:
    h = np.uint64(0x9E3779B97F4A7C15)
    for k in range(row.size):
        h = (h ^ np.uint64(row[k])) * np.uint64(0xFF51AFD7ED558CCD)
        h ^= h >> np.uint64(32)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h >> np.uint64(32)


@inlined
def _bits(table: Any) -> Any:
    """The number of bits of a slot that hold the number of a state."""
    bits = np.uint64(0)
    while np.uint64(table.size) >> bits:
        bits += np.uint64(1)
    return bits


@inlined
def _home(table: Any, hashed: Any) -> Any:
    """The preferred slot of a state: its hash, scaled to the size of the table."""
    return np.int64((np.uint64(hashed) * np.uint64(table.size)) >> np.uint64(32))


@inlined
def _entry(bits: Any, hashed: Any, index: Any) -> Any:
    """The content of the slot of a state."""
    return np.uint32(np.uint64(hashed) << bits | np.uint64(index))


@inlined
def _alike(table: Any, bits: Any, hashed: Any, slot: Any) -> Any:
    """The first slot from `slot` on that is empty or whose hash bits match."""
    tag = np.uint32(np.uint64(hashed) << bits)
    while table[slot] != EMPTY and (np.uint64(table[slot] ^ tag) & np.uint64(0xFFFFFFFF)) >> bits:
        slot += 1
        if slot == table.size:
            slot = 0
    return slot


@inlined
def _number(bits: Any, entry: Any) -> Any:
    """The number of the state in a slot."""
    return np.int64(np.uint64(entry) & ((np.uint64(1) << bits) - np.uint64(1)))


@inlined
def _slot(table: Any, bits: Any, states: Any, row: Any, hashed: Any) -> Any:
    """The slot of a state in the table, or the empty slot where it belongs."""
    slot = _alike(table, bits, hashed, _home(table, hashed))
    while table[slot] != EMPTY:
        index = _number(bits, table[slot])
        same = True
        for k in range(row.size):
            if states[index, k] != row[k]:
                same = False
                break
        if same:
            return slot
        slot += 1
        slot = _alike(table, bits, hashed, 0 if slot == table.size else slot)
    return slot


@compiled
def fill(table: Any, states: Any, hashes: Any, count: int) -> Any:
    """Enters the first `count` states into an empty table. `hashes` is a buffer for the states entered together."""
    bits = _bits(table)
    for first in range(0, count, hashes.size):
        last = min(first + hashes.size, count)
        for index in range(first, last):
            hashed = _hash(states[index])
            hashes[index - first] = hashed
            prefetch(table.ctypes.data + _home(table, hashed) * 4)
        for index in range(first, last):
            slot = _home(table, hashes[index - first])
            while table[slot] != EMPTY:
                slot += 1
                if slot == table.size:
                    slot = 0
            table[slot] = _entry(bits, hashes[index - first], index)
    return count


@compiled
def look(successors: int, states: Any, table: Any, found: Any, first: int, last: int) -> Any:
    """Finds the successors of the states `first .. last - 1`, and returns their number.

    `found` is (rows, codes, hashes, targets, ends). For each successor: its row, its code (see `Native`), its hash, and
    its number or `UNKNOWN`. `ends` has, for each of the states, the end of its successors, and as its last element the
    number of unknown successors.

    The table and the states are too large for the cache, and waiting for one successor at a time would take most of the
    time. So the memory needed for all successors of several states is prefetched together.
    """
    rows, codes, hashes, targets, ends = found
    width, bits = states.shape[1] * states.itemsize, _bits(table)
    end, unknown = np.int64(0), np.int64(0)
    for start in range(first, last, TOGETHER):
        begin = end
        for index in range(start, min(start + TOGETHER, last)):
            more = call(
                successors,
                states.ctypes.data + index * width,
                rows.ctypes.data + end * width,
                codes.ctypes.data + end * 2,
            )
            for k in range(end, end + more):
                hashed = _hash(rows[k])
                hashes[k] = hashed
                prefetch(table.ctypes.data + _home(table, hashed) * 4)
            end += more
            ends[index - first] = end
        for k in range(begin, end):
            entry = table[_alike(table, bits, hashes[k], _home(table, hashes[k]))]
            targets[k] = UNKNOWN
            if entry != EMPTY:
                targets[k] = _number(bits, entry)
                prefetch(states.ctypes.data + targets[k] * width)
        for k in range(begin, end):
            target = targets[k]
            if target != UNKNOWN:
                same = True
                for w in range(states.shape[1]):
                    if states[target, w] != rows[k, w]:
                        same = False
                        break
                if not same:
                    entry = table[_slot(table, bits, states, rows[k], hashes[k])]
                    targets[k] = UNKNOWN if entry == EMPTY else _number(bits, entry)
            unknown += targets[k] == UNKNOWN
    ends[ends.size - 1] = unknown
    return end


@compiled
def enter(states: Any, table: Any, edges: Any, found: Any, fault: Any, first: int, last: int, count: int) -> Any:
    """Stores what `look` found for the states `first .. last - 1`. Returns the new number of states.

    `edges` is (bases, nears, targets, codes): the edges of state i start at `bases[i // NEAR] + nears[i]`. A successor
    in which a variable leaves its sort is left out, and `fault`, at first (-1, -1), becomes the first state with such a
    successor, and its action.
    """
    rows, found_codes, hashes, found_targets, ends = found
    bases, nears, targets, codes = edges
    edge, bits, final = bases[first // NEAR] + nears[first], _bits(table), ends[last - first - 1]
    for index in range(first, last):
        for k in range(0 if index == first else ends[index - first - 1], ends[index - first]):
            if k + _AHEAD < final and found_targets[k + _AHEAD] == UNKNOWN:
                prefetch(table.ctypes.data + _home(table, hashes[k + _AHEAD]) * 4)
            code = found_codes[k]
            if code & FAULT:
                if fault[0] < 0:
                    fault[0], fault[1] = index, code & ~FAULT
                continue
            target = np.int64(found_targets[k])
            if target == UNKNOWN:
                slot = _slot(table, bits, states, rows[k], hashes[k])
                if table[slot] == EMPTY:
                    target = np.int64(count)
                    table[slot] = _entry(bits, hashes[k], count)
                    for w in range(states.shape[1]):
                        states[count, w] = rows[k, w]
                    count += 1
                else:
                    target = _number(bits, table[slot])
            targets[edge] = target
            codes[edge] = code
            edge += 1
        if (index + 1) % NEAR == 0:
            bases[(index + 1) // NEAR] = edge
        nears[index + 1] = edge - bases[(index + 1) // NEAR]
        if fault[0] >= 0:
            break
    return count


@compiled
def ask(predicates: int, states: Any, answers: Any, first: int, last: int) -> Any:
    """Evaluates compiled predicates in the states `first .. last - 1`: one bit for each predicate in `answers`."""
    width = states.shape[1] * states.itemsize
    for index in range(first, last):
        answers[index] = call(predicates, states.ctypes.data + index * width, 0, 0)
    return last


@compiled
def edge_to(bases: Any, nears: Any, targets: Any, first: int, wanted: int) -> Any:
    """The first edge from state `first` on that leads to the state `wanted`. Such an edge must exist."""
    edge = bases[first // NEAR] + nears[first]
    while targets[edge] != wanted:
        edge += 1
    return edge


@compiled
def source(bases: Any, nears: Any, edge: int) -> Any:
    """The state at which an edge starts."""
    low, high = np.int64(0), np.int64(nears.size - 1)  # `edge` is at or after the start of low, before that of high
    while high - low > 1:
        middle = (low + high) // 2
        if bases[middle // NEAR] + nears[middle] <= edge:
            low = middle
        else:
            high = middle
    return low
