"""What can wait for ever, and the steps at which a wake-up can come and does not: a model states both as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from uncork.core.causes.run import Run, Step
from uncork.core.evaluate import holds
from uncork.core.expr import Expr
from uncork.core.frozen import frozen
from uncork.core.system import Record


@frozen
class Miss:
    """Steps at which a wake-up could come and does not: the families, what holds before and after, and the words.

    `about`: only steps that were made of this record. `tells` gives no words for a step that misses nothing after all.
    """

    families: tuple[str, ...]
    tells: Callable[[Run, Step], str]
    before: Expr | None = None
    after: Expr | None = None
    about: Record | None = None

    def fits(self, step: Step) -> bool:
        """Whether the step is such a miss."""
        return (
            step.action.family in self.families
            and (self.about is None or step.action.about(self.about))
            and (self.before is None or holds(self.before, step.before))
            and (self.after is None or holds(self.after, step.after))
        )


@frozen
class Wait:
    """A way to wait for ever: the condition that holds meanwhile, and the wake-ups that can be missed.

    `tells` says how it waits, given the step since which the condition holds (0: from the first), and the miss; nothing
    if this is not how it waits in this run.
    """

    holds: Expr
    tells: Callable[[Run, int, Step | None], str]
    misses: tuple[Miss, ...] = ()

    def cause(self, run: Run) -> str:
        """The last miss of the run, and how it waits; nothing if it does not wait so to the end."""
        since = run.since(self.holds)
        if since is None:
            return ""
        step, missed = next(self._missed(run), (None, ""))
        how = self.tells(run, since, step)
        if not how or (self.misses and step is None):
            return ""
        return f"{missed} {how}".strip()

    def _missed(self, run: Run) -> Iterator[tuple[Step, str]]:
        """The misses of a run, the last first, each in words."""
        for step in reversed(run.steps):
            for miss in self.misses:
                if miss.fits(step) and (told := miss.tells(run, step)):
                    yield step, told
