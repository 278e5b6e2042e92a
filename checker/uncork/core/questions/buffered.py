"""Which steps of a system store to words that other threads read, and which steps wait until such a store has arrived.

With store buffers, as x86 has them, a store waits in its thread's buffer before other threads see it. A system without
buffers has every run of the system with them, in another order of the steps, if a few conditions on pairs of steps
hold (`uncork.engines.deductive.buffered`). Then a proof about the system without buffers is one about both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from uncork.core.expr import Expr
from uncork.core.frozen import frozen


@frozen
class Store:
    """A step that stores to a word in memory.

    `waits` names the steps that are not taken while the store waits in its thread's buffer: they wait at a fence, or
    for a lock. `actors` are those that store to that buffer, and so are one thread. `hidden`: of an early store, the
    values of the variables that say what is in memory, without the store.
    """

    step: str
    word: str
    waits: frozenset[str]
    hidden: Mapping[str, Expr] = field(default_factory=dict)
    actors: frozenset[str] = frozenset()


@frozen
class Buffered:
    """The stores of a system with store buffers, and the `lookers`, which are the steps that read what `early` stores.

    A `late` store counts as made when it reaches memory. An `early` store counts as made at once. `replicas` are the
    variables of each replica that the system follows, of any number of them.
    """

    late: Sequence[Store]
    early: Sequence[Store]
    lookers: frozenset[str]
    replicas: Sequence[frozenset[str]] = ()
