"""The backend: who completes the commands, and who looks at the SQ afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from uncork.core.expr import boolean
from uncork.core.system import Updates

from uncork_nvme.choices import BackendChoices
from uncork_nvme.parts.part import Part
from uncork_nvme.state.actors import Completer, Serving
from uncork_nvme.state.kicks import Kick, notified
from uncork_nvme.state.queues import SQ


class InWorker(Part):
    """A worker runs the command that it took, posts its completion, and looks at its SQ again."""

    slot = "backend"
    chooser = "backend"
    named = ("in-worker",)
    chosen: BackendChoices
    apart = False
    """Whether completions come from elsewhere, in any order."""

    def posters(self, name: str, workers: Sequence[Serving]) -> Sequence[Serving | Completer]:
        """Who posts the completions of an SQ."""
        return workers

    def taken(self, q: SQ, w: Serving) -> list[Updates]:
        """What a worker does with the command that it took."""
        return [q.popping_is(False), w(at="run")]

    def posted(self, q: SQ, p: Serving | Completer) -> Updates:
        """What the poster does after the last step of a post."""
        return p(at="run") if isinstance(p, Completer) else p.looks()

    def wakes(self, q: SQ, kick: Kick | None) -> list[Updates]:
        """Whom the end of a post wakes, where the kick is that of a read of the CQ shadow head."""
        return kick.updates() if kick else []

    def completed(self, q: SQ) -> Updates | None:
        """Whom a queued completion notifies that was posted; None if that is for the pool to say."""
        return None


class Detached(InWorker):
    """Completions come from a backend in any order, and no worker looks again."""

    named = ("detached",)
    apart = True

    def posters(self, name: str, workers: Sequence[Serving]) -> Sequence[Serving | Completer]:
        """A backend of its own for each SQ."""
        return [Completer(name)]

    def taken(self, q: SQ, w: Serving) -> list[Updates]:
        """The command runs elsewhere: the worker looks for another."""
        return [q.popping_is(False), w.looks()]


class Repoll(Detached):
    """Completions come from a backend, and the SQ's worker is notified after each."""

    named = ("detached-repoll",)

    def wakes(self, q: SQ, kick: Kick | None) -> list[Updates]:
        """The SQ's own worker, whether or not the SQ is corked."""
        return kick.updates(also=q) if kick else [notified(q, boolean(True))]

    def completed(self, q: SQ) -> Updates | None:
        """The SQ's worker."""
        return notified(q, boolean(True))
