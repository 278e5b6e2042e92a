"""The input of a proof for all sizes: lemmas about every reachable state, and ranking functions.

Lemmas and ranks are expressions over a system whose sizes are symbols. Nothing in an argument is trusted:
`uncork.engines.deductive` turns it into proof obligations and names every obligation that it cannot prove.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from uncork.core.expr import Expr
from uncork.core.frozen import frozen
from uncork.core.property import NotForever
from uncork.core.questions.buffered import Buffered
from uncork.core.sorts import Value
from uncork.core.system import System


@frozen
class Lemma:
    """A condition that is claimed of every reachable state; `says` states it in words.

    `needed`: the lemma is a reason why the design works, so a step that breaks it is reported. A lemma that is not
    needed is dropped silently if some step breaks it, since the other lemmas may suffice. `basis`: the abstraction
    itself (its sums and counts) assumes the lemma, so without the lemma nothing counts as proved. `own`: the lemma is
    the user's, so a step that breaks it is reported even if nothing needs the lemma.
    """

    name: str
    says: str
    condition: Expr
    needed: bool = False
    basis: bool = False
    own: bool = False


@frozen
class Elsewhere:
    """A claim that a step is enabled at some replica which the system only counts.

    `says` and, by the counts, `condition` say that such a replica exists. `shown` is the same condition on the replica
    that the system follows: where `shown` holds, a required step must be enabled, or an earlier `Elsewhere` must apply.
    The followed replica is arbitrary, so the claim holds for every replica.
    """

    says: str
    condition: Expr
    shown: Expr


@frozen
class Descent:
    """A termination argument for a `NotForever` property.

    While the condition of `prop` holds, three things are proved. Every step lowers the `rank`, unless the step
    satisfies the property; the rank is a tuple of (meaning, number), compared lexicographically. No part of the rank is
    below 0. Some fair step is enabled, or some condition of `elsewhere` holds. Hence no fair run stays in the condition
    for ever.
    """

    prop: NotForever
    rank: Sequence[tuple[str, Expr]]
    elsewhere: Sequence[Elsewhere] = ()


@frozen
class Help:
    """Steps that lower the rank of a `Response`, as long as `while_` holds, and `own` if it is not None.

    `duties` names the steps by their duties. `own` is None if they are steps of the waiting replica. Otherwise they
    are steps of the `replica` of the response, or with some outcomes for each replica; and `own` is a condition on
    that replica's variables only. `while_` is a condition on the waiting replica and on what all replicas share. So
    each step of a third replica is covered: as a step of the `replica` it leaves `while_` true, or lowers the rank;
    as a step of one of the replica's `others`, whether or not that one waits, it leaves `own` and the guard true.
    `free` has the values of further variables at which the step counts as enabled, like the lock of the response;
    it is proved that the step is enabled wherever `released` of the response is satisfied.
    """

    duties: frozenset[str]
    while_: Expr
    own: Expr | None = None
    free: Mapping[str, Value] = field(default_factory=dict)


@frozen
class Replica:
    """The replica that stands for any one that does not wait, and what a system says of those that it does not follow.

    `variables` are the replica's own, and `sums` the variables that sum up the replicas that are not followed. `totals`
    are expressions over these that have one value, whichever replica is followed, like a sum over all replicas.
    `others` are the actions of all others than the replica.
    """

    variables: frozenset[str] = frozenset()
    sums: frozenset[str] = frozenset()
    totals: Sequence[Expr] = ()
    others: frozenset[str] = frozenset()


@frozen
class Sums:
    """Where the numbers of a rank are sums over all replicas, of which the system follows some.

    The parts of the rank from the part number `first` on are such sums where the condition `counts` holds, and 0
    elsewhere. Each step lowers a part before `first`, or it leaves `counts` as it is and, where that holds, changes no
    number `unless` of a frame. So wherever a sum decides, the replicas that are not followed contribute what they did.
    """

    first: int
    counts: Expr


@frozen
class Response:
    """An argument for a `NotForever` property that holds even if other steps go on for ever.

    While the condition of `prop` holds, five things are proved. No step raises the `rank`, unless it satisfies the
    property. Some step of the `helpers` is enabled, apart from the `lock` if it needs the lock, or some condition of
    `elsewhere` holds. The helper stays enabled, apart from the lock, until it is taken or the rank falls. The helper is
    enabled whenever the property `released` is satisfied, which says that the lock is not held for ever. The helper
    lowers the rank when it is taken. So strong fairness makes the rank fall again and again, which is impossible for
    ever. This is the response rule for compassion of Manna and Pnueli (Completing the temporal picture, 1991).

    `sums` is None if no part of the rank is a sum that a frame says to be kept `unless` a number changes.
    """

    prop: NotForever
    rank: Sequence[tuple[str, Expr]]
    helpers: Sequence[Help]
    elsewhere: Sequence[Elsewhere] = ()
    lock: str | None = None
    released: str = ""
    replica: Replica = field(default_factory=Replica)
    sums: Sums | None = None


@frozen
class Claim:
    """A condition that follows from the lemmas. If it is a `basis`, every proof of the argument depends on it."""

    name: str
    says: str
    condition: Expr
    basis: bool = False


@frozen
class Argument:
    """A proof to be checked: a system, its lemmas, the claims that follow from them, and the liveness arguments.

    `inputs` are variables that stand for a choice within a step; only their sort constrains them. `buffered` says of a
    system with store buffers which steps store and wait; then `system` is the one without buffers, which has to have
    every run of the other.
    """

    system: System
    inputs: frozenset[str]
    lemmas: Sequence[Lemma]
    safety: Sequence[Claim]
    descents: Sequence[Descent]
    responses: Sequence[Response] = ()
    frames: Sequence[Frame] = ()
    buffered: Buffered | None = None


@frozen
class Frame:
    """A claim about some `steps`: they keep the numbers `kept`, do not raise `not_raised`, and end with `after` true.

    Nothing is claimed of a step that changes the number `unless`; see `Sums`.
    Frames justify that a sum stands for the replicas that the system does not follow.
    """

    name: str
    says: str
    steps: frozenset[str]
    kept: Sequence[Expr] = ()
    not_raised: Sequence[Expr] = ()
    after: Sequence[Expr] = ()
    unless: Expr | None = None
