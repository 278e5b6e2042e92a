"""What `uncork repair` says of what it found: on a terminal, as JSON and in docs/repair.md.

`python -m uncork.design.show docs/repair.md` makes the page.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncork_nvme.choices import Choice
from uncork_properties import readme

from uncork.design import price as pricing
from uncork.design import search
from uncork.design.price import Price, Priced, Prices, Unpriced
from uncork.design.search import Changes, Decider, Decision, Found, Live, Space, ordered
from uncork.render.terminal.text import Page, Table, table

NO_COSTS = (
    "Costs are not known here; the order is by the number of changes, which says nothing of doorbells or of waiting."
)
COSTS = (
    "CQ doorbells per completion, and the worst wait: CQEs that the guest consumes while an SQ sleeps corked and the "
    "CQ has room. For one SQ of 4 entries on a CQ of 4."
)


@dataclass(frozen=True)
class Finalist:
    """A minimal live design: what is proved for all sizes (a sentence for one SQ, for any number), and what it costs.

    The price is the dearest of all guests; None where it was not asked.
    """

    live: Live
    one: str
    several: str
    price: Priced | None

    @property
    def order(self) -> tuple[bool, tuple[float, ...], int]:
        """Cheapest first, then what has no price, with fewer changes before more."""
        known = isinstance(self.price, Price)
        return not known, self.price.order if isinstance(self.price, Price) else (), len(self.live.changes)

    @property
    def cells(self) -> list[str]:
        """Its price as text."""
        return self.price.cells if self.price else ["not asked"] * 3


def finalists(
    found: Found,
    decider: Decider,
    watch: search.Watch,
    *,
    prove: bool,
    priced: bool = True,
) -> list[Finalist]:
    """What more is to be said of the live designs, cheapest first. On Ctrl-C of those that were looked at."""
    made: list[Finalist] = []
    prices = Prices(decider.mark, decider.budget) if priced else None
    decider.report = lambda name, progress: watch(len(made), len(found.live), name, progress)
    try:
        for live in found.live:
            made.append(_finalist(found, live, decider, prices, prove=prove))  # noqa: PERF401  # kept on Ctrl-C
    except KeyboardInterrupt:
        found.interrupted = True
        made += [Finalist(live, "not asked", "not asked", None) for live in found.live[len(made) :]]
    return sorted(made, key=lambda each: each.order)


def _finalist(found: Found, live: Live, decider: Decider, prices: Prices | None, *, prove: bool) -> Finalist:
    one, several = ["not asked"], ["not asked"]
    designs = [found.space.design(live.changes, guest) for guest in found.space.guests]
    price = prices.dearest((each.at(*pricing.PRICED_AT) for each in designs), decider.report) if prices else None
    if prove:
        one, several = [], []
        for design in designs:
            decider.report(f"{design.name}, for every size", None)
            one.append(decider.proofs(design, several=False))
            small = decider.decide(design.at(2, 2, 2))
            several.append(f"no: fails at {_size(small)}" if small.trace else decider.proofs(design, several=True))
    return Finalist(live, _joined(found, one), _joined(found, several), price)


def _joined(found: Found, said: Sequence[str]) -> str:
    if len(set(said)) == 1:
        return said[0]
    return "; ".join(f"{guest}: {each}" for guest, each in zip(found.space.guests, said, strict=True))


def _size(decision: Decision) -> str:
    at = decision.instance
    return f"n{at.sqs}-sq{at.sq_size}-cq{at.cq_size}"


def said(change: tuple[str, Choice]) -> str:
    """A change in words."""
    name, value = change
    return f"{name}: {value}" if name == search.EVENT_IDX else f"{name}={value}"


def _all(changes: Changes) -> str:
    return "; ".join(map(said, ordered(changes))) or "nothing: it is live as it is"


# -- on a terminal -----------------------------------------------------------------------------------------------------
def show(to: Page, found: Found, finals: Sequence[Finalist]) -> None:
    """Prints the minimal sets of changes, why each change is needed, and how much work it was."""
    if finals:
        to.show(_table(finals))
        to.say(COSTS if any(each.price for each in finals) else NO_COSTS)
        for reason in reasons([each.price for each in finals]):
            to.say(reason, "magenta")
    else:
        none = "No live design was found so far." if found.interrupted else "No design is live."
        to.say("No design is known to be live." if found.open and not found.interrupted else none, "bold red")
    for number, each in enumerate(finals, 1):
        to.say()
        to.say(f"{number}. {_all(each.live.changes)}", "bold", whole=True)
        to.say(f"   live at {_sizes(each.live)}", whole=True)
        for change, decision in found.needed(each.live):
            to.say(f"   without {said(change)}: {_fails(decision)}", whole=True)
    to.say()
    to.say(sums(found))
    if found.open:
        to.say(
            f"{len(found.open)} designs are open, and a set said to be minimal may have one of them in it", "magenta"
        )


def _table(finals: Sequence[Finalist]) -> Table:
    rows = [
        [str(number), _all(each.live.changes), each.one, each.several, *each.cells]
        for number, each in enumerate(finals, 1)
    ]
    columns = ["", "changes", "every size, one SQ", "any number"]
    priced = ["doorbells, least", "greatest", "worst wait"] if any(each.price for each in finals) else []
    return table(None, [*columns, *priced], [row[: len(columns) + len(priced)] for row in rows])


def _sizes(live: Live) -> str:
    places: dict[str, list[str]] = {}
    for decision in live.decisions:
        vacuous = " (vacuous: no run " + ", ".join(decision.unreached) + ")" if decision.unreached else ""
        places.setdefault(decision.instance.guest, []).append(_size(decision) + vacuous)
    return "; ".join(f"{', '.join(sizes)} with {guest}" for guest, sizes in places.items())


def _fails(decision: Decision) -> str:
    if decision.trace is None or decision.refutes is None:
        return f"open at {decision.instance.name}: {decision.reason}"
    return f"{decision.refutes.row} fails in {len(decision.trace.steps)} steps at {decision.instance.name}"


def reasons(prices: Iterable[Priced | None]) -> list[str]:
    """Which prices are open, and why, in sentences."""
    open_ = Counter(price.reason for price in prices if isinstance(price, Unpriced))
    return [f"Prices that are open: {count}; {reason}." for reason, count in open_.items()]


def sums(found: Found) -> str:
    """How many designs there were, and how each was decided, in a sentence."""
    counts = ", ".join(f"{count:,} {how}" for how, count in found.counts.items() if count) or "none decided"
    end = "; interrupted, the rest was not looked at" if found.interrupted else ""
    return f"{found.total:,} designs: {counts}. {found.searches:,} searches{end}."


# -- as data -----------------------------------------------------------------------------------------------------------
def as_json(found: Found, finals: Sequence[Finalist]) -> dict[str, Any]:
    """What was found, with the steps of each run."""
    return {
        "device": found.space.device,
        "guests": list(found.space.guests),
        "shapes": [list(shape) for shape in found.space.shapes],
        "designs": found.total,
        "searches": found.searches,
        "counts": found.counts,
        "interrupted": found.interrupted,
        "repairs": [
            {
                "changes": dict(ordered(each.live.changes)),
                "instances": [decision.instance.name for decision in each.live.decisions],
                "one": each.one,
                "several": each.several,
                "price": "open" if isinstance(each.price, Unpriced) else each.price and each.price.cells,
                "needed": [_why(change, decision) for change, decision in found.needed(each.live)],
            }
            for each in finals
        ],
    }


def _why(change: tuple[str, Choice], decision: Decision) -> dict[str, Any]:
    run = decision.trace
    return {
        "change": said(change),
        "instance": decision.instance.name,
        "refutes": decision.refutes.name if decision.refutes else None,
        "steps": list(run.steps) if run else None,
        "loop": run.loop if run else None,
    }


# -- the page ----------------------------------------------------------------------------------------------------------
CASES = (
    *(("propolis-2025", sqs) for sqs in ((1,), (1, 2))),
    *(("propolis-2026", sqs) for sqs in ((1,), (1, 2), (1, 2, 3))),
)
"""The devices of the page, each with numbers of SQs."""
_HEAD = """# What to change

Generated by `make repairs`. For a device that is not live: every minimal set of changes that makes it so. *Live*:
safety, `uncorked` and `drains` are proved at all shapes of the default matrix with these numbers of SQs. *Minimal*: no
part of the set is enough. What is changed is the model's own switches (`uncork show cork` and so on explain them) and
EventIdx: the policies that have names, and some formulas.

    uncork repair propolis-2026 --sqs 1,2

With `--sqs 1,2,3` it takes seven minutes of one core, and 1.4 GB: what is not live with fewer SQs is not searched with
three. Three SQs are tried on a CQ of two entries only, where many formulas mean the same: the 17 sets are 9 machines.

A formula is a policy's name wherever one is asked for: `uncork check --policy 'if corked head else tail-1'`.

A design is refuted by a search, or by a run of another design that is a run of this one too, step by step, and
violates the same property here: `replay` has accepted it. That a change is needed is shown by a run of the design
without it; `uncork trace INSTANCE` finds a shortest one, which may be another.

A machine is decided once for this page: what differs in name only is *the same machine as another*.

Nothing is said of changes that are not among those tried, nor of larger sizes where it does not say *proved*.
*Not proved* is open, not refuted. With any number of SQs, `tail-1` and the three kicks are proved if EventIdx is also
written before the shadow head is read (`post_order=arm-then-read`), which no search here finds to be needed;
see [proof.md](proof.md).

"""


def page(made: Sequence[tuple[Found, Sequence[Finalist]]]) -> str:
    """The page, from what was found of each device and numbers of SQs."""
    said: dict[str, str] = {}
    return _HEAD + "".join(_section(found, finals, said) for found, finals in made)


def _section(found: Found, finals: Sequence[Finalist], before: dict[str, str]) -> str:
    """A section; `before` has what was said of why changes are needed, and of which SQs: it is not said again."""
    sqs = sorted({shape[0] for shape in found.space.shapes})
    sizes = ", ".join(f"{n}×SQ{s}, CQ{c}" for n, s, c in sorted(found.space.shapes))
    of = f"{', '.join(map(str, sqs[:-1]))}{' or ' if sqs[:-1] else ''}{sqs[-1]} SQ{'s' if sqs != [1] else ''}"
    lines = [
        f"## {found.space.device}, {', '.join(found.space.guests)}, {of}\n",
        f"At {sizes}. {sums(found)}\n",
    ]
    priced = any(each.price for each in finals)
    lines += [f"{COSTS if priced else NO_COSTS}\n"]
    head = ["", "changes", "every size, one SQ", "any number of SQs"]
    head += ["CQ doorbells per completion, least", "greatest", "worst wait"] if priced else []
    rows = [
        [str(number), f"`{_all(each.live.changes)}`", each.one, each.several, *each.cells]
        for number, each in enumerate(finals, 1)
    ]
    lines.append(readme.markdown(head, [row[: len(head)] for row in rows]))
    why = _needed(found, finals)
    if why in before:
        lines.append(
            f"The sets are those of {before[why]}, and so are the runs that show each change to be needed.\n\n"
        )
    else:
        lines.append(f"<details><summary>Why each change is needed</summary>\n\n{why}\n\n</details>\n\n")
    before[why] = of
    return "\n".join(lines)


def _needed(found: Found, finals: Sequence[Finalist]) -> str:
    lines = []
    for number, each in enumerate(finals, 1):
        lines.append(f"{number}. `{_all(each.live.changes)}`")
        for change, decision in found.needed(each.live):
            lines.append(
                f"   - without `{said(change)}`: {_fails(decision).replace(' at ', ' at `', 1)}`: {_run(decision)}"
            )
    return "\n".join(lines)


def _run(decision: Decision) -> str:
    run = decision.trace
    if run is None:
        return ""
    loop = f" [{' '.join(run.steps[run.stem :])}] for ever" if run.loop_steps else ", and nothing more happens"
    return f"{' '.join(step.replace(', ', ',') for step in run.steps[: run.stem])}{loop}"


def generate(path: Path, watch: Callable[[str], None] = lambda _: None) -> None:
    """Makes the page anew."""
    made, decider = [], Decider()
    for device, sqs in CASES:
        found = search.search(Space(device, shapes=search.shapes(sqs)), decider)
        made.append((found, finalists(found, decider, lambda *_: None, prove=True)))
        watch(f"{device}, {sqs}: {sums(found)}")
    path.write_text(page(made), encoding="utf-8")


if __name__ == "__main__":
    generate(Path(sys.argv[1]), lambda words: print(words, file=sys.stderr, flush=True))
