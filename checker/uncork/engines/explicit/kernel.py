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

EMPTY = -1
TOGETHER = 16
"""States whose successors are looked up together."""
NEAR = 64
"""States whose edges are counted from the same place; see `enter`."""


@inlined
def _hash(row: Any) -> Any:
    h = np.uint64(0x9E3779B97F4A7C15)
    for k in range(row.size):
        h = (h ^ np.uint64(row[k])) * np.uint64(0xFF51AFD7ED558CCD)
        h ^= h >> np.uint64(32)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h >> np.uint64(32)


@inlined
def _home(table: Any, hashed: Any) -> Any:
    """The slot of the table where a state goes if that is free: its hash as a fraction of the table."""
    return np.int64((np.uint64(hashed) * np.uint64(table.size)) >> np.uint64(32))


@inlined
def _slot(table: Any, states: Any, row: Any, home: Any) -> Any:
    """The slot of the table where a state is, or where it would go."""
    slot = home
    while True:
        index = table[slot]
        if index == EMPTY:
            return slot
        same = True
        for k in range(row.size):
            if states[index, k] != row[k]:
                same = False
                break
        if same:
            return slot
        slot += 1
        if slot == table.size:
            slot = 0


@compiled
def fill(table: Any, states: Any, homes: Any, count: int) -> int:
    """Enters the first `count` states into an empty table. `homes` has room for some, which are entered together."""
    for first in range(0, count, homes.size):
        last = min(first + homes.size, count)
        for index in range(first, last):
            home = _home(table, _hash(states[index]))
            homes[index - first] = home
            prefetch(table.ctypes.data + home * 4)
        for index in range(first, last):
            slot = homes[index - first]
            while table[slot] != EMPTY:
                slot += 1
                if slot == table.size:
                    slot = 0
            table[slot] = index
    return count


@compiled
def look(successors: int, states: Any, table: Any, found: Any, first: int, last: int) -> int:
    """Finds the successors of states `first .. last - 1`, and gives how many.

    `found` is (rows, codes, hashes, targets, ends): of each successor its row, its code (see `Native`), its hash, and
    its number if it is known, else -1; and for each of the states where its successors end, and last of all how many
    are not known.

    The table and the states are far from the processor, and to wait for one successor at a time would take most of the
    time. What will be needed of them is asked for here, for all successors of some states together.
    """
    rows, codes, hashes, targets, ends = found
    width = states.shape[1] * states.itemsize
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
            target = table[_home(table, hashes[k])]
            targets[k] = target
            if target != EMPTY:
                prefetch(states.ctypes.data + target * width)
        for k in range(begin, end):
            if targets[k] != EMPTY:
                targets[k] = table[_slot(table, states, rows[k], _home(table, hashes[k]))]
            unknown += targets[k] == EMPTY
    ends[ends.size - 1] = unknown
    return end


@compiled
def enter(states: Any, table: Any, edges: Any, found: Any, fault: Any, first: int, last: int, count: int) -> int:
    """Writes down what `look` found of states `first .. last - 1`; gives the number of states then known.

    `edges` is (bases, nears, targets, codes): the edges of state i begin at `bases[i // NEAR] + nears[i]`. A successor
    outside its variables' sorts is left out; `fault`, at first (-1, -1), becomes the first state that has one, and its
    action.
    """
    rows, found_codes, hashes, found_targets, ends = found
    bases, nears, targets, codes = edges
    edge = bases[first // NEAR] + nears[first]
    for index in range(first, last):
        for k in range(0 if index == first else ends[index - first - 1], ends[index - first]):
            code = found_codes[k]
            if code & FAULT:
                if fault[0] < 0:
                    fault[0], fault[1] = index, code & ~FAULT
                continue
            target = found_targets[k]
            if target == EMPTY:
                slot = _slot(table, states, rows[k], _home(table, hashes[k]))
                target = table[slot]
                if target == EMPTY:
                    target = count
                    table[slot] = count
                    for w in range(states.shape[1]):
                        states[count, w] = rows[k, w]
                    count += 1
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
def ask(predicates: int, states: Any, answers: Any, first: int, last: int) -> int:
    """Asks compiled predicates of states `first .. last - 1`: a bit each in their `answers`."""
    width = states.shape[1] * states.itemsize
    for index in range(first, last):
        answers[index] = call(predicates, states.ctypes.data + index * width, 0, 0)
    return last


@compiled
def edge_to(bases: Any, nears: Any, targets: Any, first: int, wanted: int) -> int:
    """The first edge, of those of state `first` and on, that leads to a state: it is there."""
    edge = bases[first // NEAR] + nears[first]
    while targets[edge] != wanted:
        edge += 1
    return edge


@compiled
def source(bases: Any, nears: Any, edge: int) -> int:
    """The state that an edge begins at."""
    low, high = np.int64(0), np.int64(nears.size - 1)  # the edges of low begin at it or before, those of high after it
    while high - low > 1:
        middle = (low + high) // 2
        if bases[middle // NEAR] + nears[middle] <= edge:
            low = middle
        else:
            high = middle
    return low
