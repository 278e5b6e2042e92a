"""What a proof for all sizes has to be told: lemmas about every reachable state, and ranks that fall.

All of it is conditions and numbers in the one language, over a system whose sizes are symbols. None of it is believed:
`uncork.engines.deductive` turns it into obligations, and what is not proved is said by name.
"""

from __future__ import annotations

from collections.abc import Sequence

from uncork.core.expr import Expr
from uncork.core.frozen import frozen
from uncork.core.property import NotForever
from uncork.core.system import System


@frozen
class Lemma:
    """A condition of every reachable state, and in words.

    One that is `needed` is a reason of the design's, and what breaks it is told; any other is dropped in silence where
    it is not kept, for what is left may do. Without one that is a `basis` nothing is proved: the very form of the
    system, with its sums and counts, presumes it.
    """

    name: str
    says: str
    condition: Expr
    needed: bool = False
    basis: bool = False


@frozen
class Elsewhere:
    """A step may happen among those that the system sums up: shown for one that is followed, and so for any.

    Where `shown` holds (of the one), the step that is asked for may happen, or something that was said before this.
    """

    condition: Expr
    shown: Expr


@frozen
class Descent:
    """Why a property that asks for something not to last for ever holds.

    Every step but those that satisfy the property lowers the `rank` (its parts count as digits do, the first most), no
    part is ever below 0, and while the property waits some step that is owed fairness may happen, or one of `elsewhere`
    holds. So no run can put the property off for ever.
    """

    prop: NotForever
    rank: Sequence[tuple[str, Expr]]
    elsewhere: Sequence[Elsewhere] = ()


@frozen
class Help:
    """Some steps that bring nearer what a `Response` waits for, each for as long as `while_` holds.

    `duties` names the steps, as fairness is owed to them. Where they are those of one that stands for any, `others` are
    the actions of those who are not the one: what is shown of them without regard to what waits holds of a third, too.
    """

    duties: frozenset[str]
    while_: Expr
    others: frozenset[str] = frozenset()


@frozen
class Response:
    """Why a property that asks for something not to last for ever holds, though others may go on for ever.

    While it waits no step raises the `rank`, some step of the `helpers` may happen (but for the `lock`, if it needs
    that; or `elsewhere` holds), stays so until it happens or the rank falls, and lowers the rank when it happens. The
    lock is not held for ever, by another response; so strong fairness makes the rank fall, and it cannot for ever. The
    response rule of Manna and Pnueli (Completing the temporal picture, 1991) for compassion.
    """

    prop: NotForever
    rank: Sequence[tuple[str, Expr]]
    helpers: Sequence[Help]
    elsewhere: Sequence[Elsewhere] = ()
    lock: str | None = None
    released: str = ""


@frozen
class Claim:
    """A condition that follows from the lemmas. One that is a `basis` is needed for everything that is proved."""

    name: str
    says: str
    condition: Expr
    basis: bool = False


@frozen
class Argument:
    """A proof to be checked: the system, its lemmas, what follows from them, and the descents.

    `inputs` are variables that stand for a choice within a step; nothing is known of them but their sort. `frames` are
    about steps and not states.
    """

    system: System
    inputs: frozenset[str]
    lemmas: Sequence[Lemma]
    safety: Sequence[Claim]
    descents: Sequence[Descent]
    responses: Sequence[Response] = ()
    frames: Sequence[Frame] = ()


@frozen
class Frame:
    """Numbers that steps leave as they are, or do not raise, and conditions that hold after them.

    That is what lets a sum stand for those who are not followed.
    """

    name: str
    says: str
    steps: frozenset[str]
    kept: Sequence[Expr] = ()
    not_raised: Sequence[Expr] = ()
    after: Sequence[Expr] = ()
