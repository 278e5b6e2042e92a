"""The hot loops of the search, in machine code: expand states breadth first into a hash table, and ask predicates.

Nothing here depends on the system, which is called through the address of its compiled functions, so that this file is
compiled once and kept between runs; see `compiling`.

The search goes in rounds. In a round `look` finds the successors of some states, and which of them are known: it
changes nothing that is shared, so several threads may look at states of their own. Then `enter` goes over what they
found, in order, gives numbers to new states and writes down the edges. So the graph is the same however many threads
there are and however long a round is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uncork.engines.compiling import call, compiled, inlined, prefetch
from uncork.engines.explicit.native import FAULT

EMPTY = 0xFFFFFFFF
"""What stands in a slot of the table that no state has. Else the state's number is in its lower bits, as many as the
size of the table needs, and the lower bits of its hash in the others: most states that are not the one that is looked
for are told by them, without a look at the states."""
UNKNOWN = -1
"""For the number of a successor that was not known when it was looked up."""
TOGETHER = 16
"""States whose successors are looked up together."""
NEAR = 64
"""States whose edges are counted from the same place; see `enter`."""
_AHEAD = 16
"""Successors between the one that is entered and the one whose slot is asked for."""


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
    """How many bits of a slot are the number of a state."""
    bits = np.uint64(0)
    while np.uint64(table.size) >> bits:
        bits += np.uint64(1)
    return bits


@inlined
def _home(table: Any, hashed: Any) -> Any:
    """The slot of the table where a state goes if that is free: its hash as a fraction of the table."""
    return np.int64((np.uint64(hashed) * np.uint64(table.size)) >> np.uint64(32))


@inlined
def _entry(bits: Any, hashed: Any, index: Any) -> Any:
    """What stands in the slot of a state."""
    return np.uint32(np.uint64(hashed) << bits | np.uint64(index))


@inlined
def _alike(table: Any, bits: Any, hashed: Any, slot: Any) -> Any:
    """The first slot, from `slot` on, that is free or has a state whose hash may be the same."""
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
    """The slot of the table where a state is, or where it would go."""
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
    """Enters the first `count` states into an empty table. `hashes` has room for some, which are entered together."""
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
    """Finds the successors of states `first .. last - 1`, and gives how many.

    `found` is (rows, codes, hashes, targets, ends): of each successor its row, its code (see `Native`), its hash, and
    its number, or `UNKNOWN`; and for each of the states where its successors end, and last of all how many are unknown.

    The table and the states are far from the processor, and to wait for one successor at a time would take most of the
    time. What will be needed of them is asked for here, for all successors of some states together.
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
    """Writes down what `look` found of states `first .. last - 1`; gives the number of states then known.

    `edges` is (bases, nears, targets, codes): the edges of state i begin at `bases[i // NEAR] + nears[i]`. A successor
    outside its variables' sorts is left out; `fault`, at first (-1, -1), becomes the first state that has one, and its
    action.
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
    """Asks compiled predicates of states `first .. last - 1`: a bit each in their `answers`."""
    width = states.shape[1] * states.itemsize
    for index in range(first, last):
        answers[index] = call(predicates, states.ctypes.data + index * width, 0, 0)
    return last


@compiled
def edge_to(bases: Any, nears: Any, targets: Any, first: int, wanted: int) -> Any:
    """The first edge, of those of state `first` and on, that leads to a state: it is there."""
    edge = bases[first // NEAR] + nears[first]
    while targets[edge] != wanted:
        edge += 1
    return edge


@compiled
def source(bases: Any, nears: Any, edge: int) -> Any:
    """The state that an edge begins at."""
    low, high = np.int64(0), np.int64(nears.size - 1)  # the edges of low begin at it or before, those of high after it
    while high - low > 1:
        middle = (low + high) // 2
        if bases[middle // NEAR] + nears[middle] <= edge:
            low = middle
        else:
            high = middle
    return low
