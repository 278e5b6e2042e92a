"""The page docs/repair.md: the minimal repairs of Propolis, and why each change is needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from uncork.design.decider import Decider, Decision
from uncork.design.finalists import Finalist, finalists
from uncork.design.search import SearchResult, search
from uncork.design.show import COSTS, NO_COSTS, fails, in_words, sums
from uncork.design.space import Space, said, shapes
from uncork.engines import unwatched

from pages import DOCS, readme

CASES = (
    *(("propolis-2025", sqs) for sqs in ((1,), (1, 2))),
    *(("propolis-2026", sqs) for sqs in ((1,), (1, 2), (1, 2, 3))),
)
"""The devices of the page, each with numbers of SQs."""
_HEAD = """# Minimal repairs of Propolis

Every table below lists all minimal sets of changes that make a device live. *Live*: safety, `uncorked` and `drains` are
proved at all shapes of the default matrix with these numbers of SQs. *Minimal*: no part of the set is enough. A change
is a switch of the model (`uncork show cork` explains one) or another EventIdx: a named policy or a formula.
`make repairs` writes this page.

    uncork repair propolis-2026 --sqs 1,2

With `--sqs 1,2,3` the search takes seven minutes on one core, and 1.4 GB. Designs that hang with fewer SQs are not
searched with three. Three SQs are tried on a CQ of two entries only, where many formulas mean the same: the 17 sets are
9 machines.

The runs below were recorded with notifications that are kept (`notify=kept,kick_delivery=at-once`). Propolis spends
notifications, and its model now does, too. With spent notifications [the search over all designs](frontier.md) still
finds 66 live designs, and a test finds the same sets for `propolis-2025` with one SQ; the steps of a run may differ by
a few.

A formula is a policy's name wherever a policy is asked for: `uncork check --policy 'if corked head else tail-1'`.

A search refutes a design, or a stored run of another design that is also a run of this design and violates the same
property; `replay` accepts the run. For each change, a run of the design without it shows that the change is needed;
`uncork trace INSTANCE` finds a shortest run, which may differ. A machine is decided once; *the same machine as another*
differs in names only.

The page covers no other changes, and no larger sizes unless a column says *proved*. *Not proved* is open, not refuted.
With any number of SQs, `tail-1` and the three kicks are proved if EventIdx is also written before the shadow head is
read (`post_order=arm-then-read`); no search here finds that order to be needed. [The proof](proof.md) has more.

"""


def page(made: Sequence[tuple[SearchResult, Sequence[Finalist]]]) -> str:
    """The page in Markdown, from the search results for each device and its numbers of SQs."""
    said: dict[str, str] = {}
    return _HEAD + "".join(_section(found, finals, said) for found, finals in made)


def _section(found: SearchResult, finals: Sequence[Finalist], before: dict[str, str]) -> str:
    """A section; `before` maps each printed explanation of the needed changes to its SQs, to print it once only."""
    sqs = sorted({shape.sqs for shape in found.space.shapes})
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
        [str(number), f"`{in_words(each.live.changes)}`", each.one, each.several, *each.cells]
        for number, each in enumerate(finals, 1)
    ]
    lines.append(readme.markdown(head, [row[: len(head)] for row in rows]))
    why = _needed(found, finals)
    if why in before:
        lines.append(f"The sets, and the runs that show each change to be needed, are those of {before[why]}.\n\n")
    else:
        lines.append(f"<details><summary>Why each change is needed</summary>\n\n{why}\n\n</details>\n\n")
    before[why] = of
    return "\n".join(lines)


def _needed(found: SearchResult, finals: Sequence[Finalist]) -> str:
    lines = []
    for number, each in enumerate(finals, 1):
        lines.append(f"{number}. `{in_words(each.live.changes)}`")
        for change, decision in found.needed(each.live):
            lines.append(
                f"   - without `{said(change)}`: {fails(decision).replace(' at ', ' at `', 1)}`: {_run(decision)}"
            )
    return "\n".join(lines)


def _run(decision: Decision) -> str:
    run = decision.trace
    if run is None:
        return ""
    loop = f" [{' '.join(run.steps[run.stem :])}] for ever" if run.loop_steps else ", and nothing more happens"
    return f"{' '.join(step.replace(', ', ',') for step in run.steps[: run.stem])}{loop}"


def generate(path: Path, watch: Callable[[str], None] = lambda _: None) -> None:
    """Searches, and writes the page."""
    made, decider = [], Decider()
    for device, sqs in CASES:
        found = search(Space(device, shapes=shapes(sqs)), decider)
        made.append((found, finalists(found, decider, unwatched, prove=True)))
        watch(f"{device}, {sqs}: {sums(found)}")
    path.write_text(page(made), encoding="utf-8")


def make() -> None:
    """Searches, writes docs/repair.md, and prints progress on standard error."""
    generate(DOCS / "repair.md", lambda words: print(words, file=sys.stderr, flush=True))
