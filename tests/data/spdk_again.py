"""SPDK's target in interrupt mode as its source has it: the SQ tail is read just before SQ EventIdx is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from uncork.core.system import Action, Guarded
from uncork_nvme import DEVICES, NO, Reader, step, when
from uncork_nvme.parts.reader import Way
from uncork_nvme.state.actors import Serving
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.queues import SQ


class ReadsAgain(Reader):
    """Reads the SQ shadow tail once more, writes that to SQ EventIdx, and reads the tail again."""

    places = ("read tail",)

    @property
    def permit_at(self) -> Sequence[str]:
        """Where a worker stands that found its SQ empty, before it gives its permit back."""
        return ("read tail", *super().permit_at)

    def way(self, *, taken: bool) -> Way:
        """What follows an SQ that was found empty begins with this part's step."""
        way = super().way(taken=taken)
        return Way(("read tail", *way.stages), taken) if way.stages else way

    def steps(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        """A worker's look for an entry."""
        yield from super().steps(m, q, w)
        way = self.way(taken=False)
        if way.stages:  # there is a doorbell buffer
            yield read_tail(m, q, w, way)


@step("worker {}")
def read_tail(m: Machine, q: SQ, w: Serving, way: Way) -> Guarded:
    """Reads the SQ shadow tail, which it is about to write to SQ EventIdx (set_sq_eventidx: old_tail)."""
    return when(w.at == "read tail", q(tail=q.seen), *way.onward(m, q, w, "read tail")).says(
        "reads SQ tail[ {}] once more", q.seen
    )


mine = DEVICES["spdk-interrupt"].but("spdk-again", "SPDK's target as its source has it.", {ReadsAgain: {}})
blind = mine.but("spdk-blind", "The same, without a look after SQ EventIdx.", {ReadsAgain: {"sq_reread": NO}})
