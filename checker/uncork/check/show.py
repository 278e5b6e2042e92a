"""Prints the table of verdicts of `uncork check`, and the unexpected verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from uncork_nvme.catalogue import POLLS
from uncork_nvme.choices import YES
from uncork_nvme.instance import Instance
from uncork_nvme.shape import Shape
from uncork_properties.catalogue import named, properties
from uncork_properties.expected import Expected, cell, word

from uncork.core.causes.cause import cause
from uncork.core.trace import Trace
from uncork.core.verdict import Open, Refuted
from uncork.decide.exits import Exit
from uncork.decide.gate import Finding, judge, worst
from uncork.decide.one import Checked
from uncork.engines import REDUCTIONS
from uncork.render.terminal import text

_LEGEND = (
    "live: all is proved, for all runs at these sizes. HANGS k: some run of k steps ends with an SQ that stays corked, "
    "or with queues that never drain. starves k: only progress fails. ! is not as expected. n1-sq3-cq3: one SQ of 3 "
    "entries, a CQ of 3."
)
_BOUND = "With events: each happens at most as often as it is named ({}), at any time, or not at all."
_FEW = 6
"""Up to this many instances get a row per property; more get one cell each."""
_SHOWN = 20
"""The most unexpected verdicts that are listed one by one."""


class Report:
    """Prints the results for the instances that were asked for."""

    def __init__(
        self,
        instances: Sequence[Instance],
        rows: Sequence[str],
        expected: Mapping[str, tuple[Instance, Expected]],
        reductions: frozenset[str] = REDUCTIONS,
        engine: str = "explicit",
        notes: Sequence[str] = (),
    ) -> None:
        self.asked, self.rows, self.expected, self.notes = instances, rows, expected, notes
        self.exact = reductions == REDUCTIONS and engine in ("explicit", "all")

    def code(self, found: Sequence[Checked]) -> Exit:
        """Returns the exit code of the command."""
        return worst(finding.exit for checked in found for finding in self.findings(checked, interrupted=False))

    def show(self, found: Sequence[Checked], *, quiet: bool, interrupted: bool) -> None:
        """Prints the table (unless `quiet`) and, on standard error, the unexpected verdicts."""
        findings = [finding for checked in found for finding in self.findings(checked, interrupted=interrupted)]
        if found and not quiet:
            to = text.Page()
            for made in self._tables(to, found):
                to.show(made)
            self._sum_up(to, found, findings)
        errors = text.Page(stderr=True)
        self._complain(errors, findings, {checked.instance.name: checked for checked in found})
        if interrupted:
            cut = sum(any(isinstance(row.verdict, Open) for row in checked.rows) for checked in found)
            left = len(self.asked) - len(found)
            errors.say(f"interrupted: of {len(self.asked)} instances {left} were not checked, {cut} only in part")

    def findings(self, checked: Checked, *, interrupted: bool) -> list[Finding]:
        """Returns the unexpected verdicts of an instance, except those that an interruption left open."""
        findings = judge(checked, self.expectation(checked))
        return [finding for finding in findings if not (interrupted and finding.exit is Exit.OPEN)]

    def expectation(self, checked: Checked) -> Expected | None:
        """Returns the expected verdicts of an instance; without counts if this check cannot reproduce them."""
        known = self.expected.get(checked.instance.name)
        if known is None:
            return None
        return known[1] if self.exact else known[1].by_verdict

    def _tables(self, to: text.Page, found: Sequence[Checked]) -> list[text.Table]:
        if len(self.asked) <= _FEW:
            return [self._full(found)]
        shapes = list(dict.fromkeys(instance.shape for instance in self.asked))
        whole = self._matrix(found, shapes)
        if to.fits(whole):
            return [whole]
        numbers = dict.fromkeys(shape.sqs for shape in shapes)
        return [self._matrix(found, [shape for shape in shapes if shape.sqs == sqs]) for sqs in numbers]

    def _full(self, found: Sequence[Checked]) -> text.Table:
        rows = []
        for checked in found:
            outcome = checked.outcome
            for number, row in enumerate(checked.rows):
                rows.append(
                    [
                        checked.instance.name if number == 0 else "",
                        row.property,
                        cell(row.verdict.word, *row.verdict.steps),
                        f"{outcome.states:,}" if number == 0 else "",
                        str(outcome.depth) if number == 0 else "",
                        f"{outcome.seconds:.1f} s" if number == 0 else "",
                    ]
                )
        return text.table(None, ["instance", "property", "verdict", "states", "depth", "time"], rows, numbers=(3, 4, 5))

    def _matrix(self, found: Sequence[Checked], of: Sequence[Shape]) -> text.Table:
        shapes = list(map(str, of))
        lines: dict[tuple[str, ...], dict[str, str]] = {}
        for checked in found:
            instance = checked.instance
            if instance.shape not in of:
                continue
            cells = {row.property: cell(row.verdict.word, *row.verdict.steps) for row in checked.rows}
            mark = "" if not judge(checked, self.expectation(checked)) else "!"
            key = (instance.device, instance.guest, instance.policy)
            lines.setdefault(key, {})[str(instance.shape)] = word(cells) + mark
        rows, before = [], ("", "")
        for (device, guest, policy), cells in lines.items():
            if (device, guest) != before:
                rows.append([f"{device} {guest}", *[""] * len(shapes)])
            before = device, guest
            rows.append([f" {policy}", *(cells.get(shape, "") for shape in shapes)])
        return text.table(None, ["device guest, policy", *(shape.replace("-cq", "\n-cq") for shape in shapes)], rows)

    def _sum_up(self, to: text.Page, found: Sequence[Checked], findings: Sequence[Finding]) -> None:
        if len(self.asked) > _FEW:
            to.say(_LEGEND)
        for device in dict.fromkeys(i.device for i in self.asked if i.choices.poll == YES):
            to.say(POLLS.format(device))
        happening = sorted({i.choices.events for i in self.asked} - {"none"})
        if happening:
            to.say(_BOUND.format(", ".join(happening)))
        to.say(self.summary(found, findings), "bold")

    def summary(self, found: Sequence[Checked], findings: Sequence[Finding]) -> str:
        """Returns a summary of one or two sentences."""
        if not found:
            return "Nothing was checked."
        verdicts = [row.verdict.word for checked in found for row in checked.rows]
        counts = ", ".join(f"{verdicts.count(w)} {w}" for w in ("proved", "refuted", "open") if w in verdicts)
        as_expected = "What is decided is as expected." if "open" in verdicts else "All as expected."
        wanted = [(checked, self.expectation(checked)) for checked in found]
        known = sum(each is not None for _, each in wanted)
        left = sum(row.property not in each.verdicts for checked, each in wanted if each for row in checked.rows)
        return (
            f"{len(found)} instance{'s' * (len(found) != 1)} ({known} with expectations), {len(verdicts)} verdicts: "
            f"{counts}. "
            + (f"{left} not compared. " if left else "")
            + (as_expected if not findings else f"{len(findings)} not as expected.")
        )

    def _complain(self, to: text.Page, findings: Sequence[Finding], found: Mapping[str, Checked]) -> None:
        for instance, of in groupby(findings[:_SHOWN], lambda finding: finding.instance):
            told = list(of)
            for finding in told:
                what = f"{instance}: {finding.property}" if finding.property else instance
                to.say(f"{what}: {finding.message}", whole=True)
            for row, why in _causes(found[instance], [finding.property for finding in told]):
                to.say(f"  {why}", whole=True)
                to.say(f"  See how: uncork trace '{instance}' --property {row}", whole=True)
        if len(findings) > _SHOWN:
            to.say(f"... and {len(findings) - _SHOWN} more")


def _causes(checked: Checked, rows: Sequence[str | None]) -> Iterator[tuple[str, str]]:
    """Yields why each run refutes the first of `rows` that it refutes, with that row."""
    told: list[Trace] = []
    instance = checked.instance
    for row in checked.rows:
        if row.property in rows and isinstance(row.verdict, Refuted) and row.verdict.trace not in told:
            told.append(row.verdict.trace)
            prop = named(properties(instance.machine, instance.system), row.name)
            yield row.property, cause(instance.system, prop, row.verdict.trace).text
