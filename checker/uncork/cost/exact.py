"""Computes the costs of a policy on an instance: doorbells per completion, and how long a corked SQ waits.

`costs(instance)` is the public function.
"""

from __future__ import annotations

from dataclasses import dataclass

from uncork_nvme.instance import Instance
from uncork_properties import costs as asked

from uncork.core.questions.cost import Longest, Range, Rate, Wait
from uncork.decide.patience import patiently
from uncork.engines import Budget, Report, Stop, quiet


@dataclass(frozen=True)
class Costs:
    """The costs of an instance, exact over all its fair runs. `states` is the size of the (reduced) graph.

    `cq_doorbells`, `sq_doorbells`: doorbells per completion posted, least and greatest in the long run
    (`range.least.value` is a `Fraction`, None if infinite); None if no fair run completes commands for ever.
    `consumed`, `posted`: the most CQEs that the guest consumes, and completions that the device posts, from when an SQ
    is corked and the CQ has room until the SQ leaves the corked set or the room is gone; the worst of all SQs
    (`longest.most`, None if infinite). `idle_consumed`, `idle_posted`: the same, while it has published entries and its
    workers sleep. A wait may be `unending`.
    `questions` maps the names of these fields to what was computed: a `Rate`, or the `Wait` of the worst SQ.
    """

    instance: Instance
    cq_doorbells: Range | None
    sq_doorbells: Range | None
    consumed: Longest
    posted: Longest
    idle_consumed: Longest
    idle_posted: Longest
    questions: dict[str, Rate | Wait]
    states: int


RATES = ("cq_doorbells", "sq_doorbells")
"""The fields of `Costs` that are rates, in the order of `uncork_properties.costs`."""
WAITS = ("consumed", "posted", "idle_consumed", "idle_posted")
"""The fields of `Costs` that are waits."""


def costs(instance: Instance, budget: Budget | None = None, report: Report = quiet) -> Costs:
    """Returns the costs of an instance. Every number has a run that shows it, replayed and counted again.

    Raises `engines.explicit.cost.Unfinished` if the budget does not suffice.
    """
    from uncork.engines.explicit.cost import Unfinished  # imports numpy and llvmlite: slow

    try:
        return patiently(lambda: _costs(instance, budget, report), budget)
    except Stop as why:
        raise Unfinished(str(why)) from None
    except RecursionError:
        raise Unfinished("its expressions are too deep") from None


def _costs(instance: Instance, budget: Budget | None, report: Report) -> Costs:
    from uncork.engines.explicit.cost import Ledger  # as above

    system = instance.system
    (cq, sq), waits = asked.rates(instance.machine, system), list(asked.waits(instance.machine, system))
    ledger = Ledger(system, waits, budget, report)
    found = [(wait, ledger.wait(wait)) for wait in waits]
    worst = [max(found[k :: len(WAITS)], key=_badness) for k in range(len(WAITS))]
    questions: dict[str, Rate | Wait] = {
        **dict(zip(RATES, (cq, sq), strict=True)),
        **{name: wait for name, (wait, _) in zip(WAITS, worst, strict=True)},
    }
    consumed, posted, idle_consumed, idle_posted = (longest for _, longest in worst)
    return Costs(
        instance, ledger.rate(cq), ledger.rate(sq), consumed, posted, idle_consumed, idle_posted, questions,
        ledger.graph.count,
    )  # fmt: skip


def _badness(item: tuple[Wait, Longest]) -> tuple[bool, bool, int]:
    longest = item[1]
    return longest.unending, longest.most is None, longest.most or 0
