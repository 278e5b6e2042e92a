"""Whether a reduction changes anything that can be asked: verdicts, and bisimulation, which decides all the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from uncork.core.property import InRange, NotForever, Repeatedly
from uncork.core.verdict import Refuted
from uncork.engines import REDUCTIONS, Budget, explicit, quiet
from uncork.engines.explicit.explore import Graph, code, explore
from uncork.engines.explicit.reduction import reduce

EACH = (REDUCTIONS, *(frozenset({each}) for each in REDUCTIONS))


def same(system, asked, shown=(), reductions=EACH) -> None:
    """Verdicts, stems and stuck runs are equal with and without; every trace is of the system and has been replayed."""
    plain = explicit.check(system, asked, shown)
    for chosen in reductions:
        reduced = explicit.check(system, asked, shown, reductions=chosen)
        assert reduced.unreached == plain.unreached
        assert reduced.states <= plain.states
        for (prop, one), (_, other) in zip(plain.verdicts, reduced.verdicts, strict=True):
            assert type(one) is type(other), (prop.name, chosen)
            if isinstance(one, Refuted) and isinstance(other, Refuted):
                assert len(other.trace.states[0]) == len(system.variables)
                if isinstance(prop, NotForever):
                    assert one.trace.stuck == other.trace.stuck or not one.trace.stuck
                if other.trace.loop_steps == 0:
                    assert one.trace.stem == other.trace.stem, (prop.name, chosen)


def bisimilar(system, asked, shown=(), reduction=frozenset({"dead", "rotation"})) -> tuple[int, int]:
    """Holds the graph of a system to the reduced one; gives how many states it has, and how many are unlike.

    Their first states satisfy the same conditions and have the same actions, which lead to states that do, and so on:
    the coarsest such partition of all states of both, by rounds. Classes are told apart by hashes of 64 bits.
    """
    plain, reduced = (_graph(system, asked, shown, chosen) for chosen in (frozenset(), reduction))
    assert plain.complete and reduced.complete
    count, rounds = plain.count, 0
    conditions = range(len(_conditions(asked, shown)))
    holds = [np.concatenate([plain.where(k), reduced.where(k)]) for k in conditions]
    classes = _numbered(sum((_mixed(k + held.astype(np.uint64)) for k, held in enumerate(holds)), np.zeros(1)))
    classes = np.broadcast_to(classes, count + reduced.count)
    starts = np.concatenate([plain.offsets[:count], plain.offsets[count] + reduced.offsets]).astype(np.int64)
    targets = np.concatenate([plain.targets, reduced.targets + np.int32(count)])
    labels = _mixed(np.concatenate([plain.labels, reduced.labels]).astype(np.uint64) + np.uint64(1))
    while rounds != (rounds := int(classes.max()) + 1):
        edges = _mixed(labels + _mixed(classes[targets].astype(np.uint64)))
        sums = np.concatenate([[np.uint64(0)], np.cumsum(edges, dtype=np.uint64)])
        steps = sums[starts[1:]] - sums[starts[:-1]]
        classes = _numbered(_mixed(steps + _mixed(~classes.astype(np.uint64))))
    assert classes[0] == classes[count]
    assert set(classes[:count]) == set(classes[count:])
    return count, rounds


def _conditions(asked, shown) -> list:
    return [each.condition for each in (*asked, *shown) if not isinstance(each, InRange | Repeatedly)]


def _graph(system, asked, shown, chosen: frozenset[str]) -> Graph:
    found = reduce(system, asked, shown, chosen)
    return explore(system, code(system, _conditions(asked, shown), found), Budget(), quiet, found)


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers that are spread over 64 bits, the same for the same (Stafford, Better bit mixing, variant 13)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _numbered(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.unique(keys, return_inverse=True)[1]
    return numbers
