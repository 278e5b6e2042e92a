"""Prints the verdicts of `uncork check`: a line that sums up, what is not as expected, and the table."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.text import Text
from uncork_nvme.catalogue import POLLS
from uncork_nvme.choices import YES
from uncork_nvme.instance import Instance
from uncork_properties.catalogue import ROWS
from uncork_properties.expected import Expected, cell, word

from uncork.check import table
from uncork.core.verdict import Open
from uncork.decide.exits import Exit
from uncork.decide.gate import Finding, judge, worst
from uncork.decide.one import Checked, Row, cells, decisive
from uncork.engines import REDUCTIONS
from uncork.render.terminal import text

_BOUND = "With events: each happens at most as often as it is named ({}), at any time, or not at all."
_FEW = 6
"""Up to this many instances get a row per property; more get one cell each."""
_SHOWN = 12
"""The most instances with unexpected verdicts that get a block each."""
_RUNS = (Exit.SAFETY, Exit.LIVENESS)
"""The exit codes of findings that a run shows."""


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

    def show(self, found: Sequence[Checked], *, quiet: bool, interrupted: bool, taken: bool = False) -> None:
        """Prints what was found: one line, what is not as expected, and the table. If `quiet`, only the line.

        If standard output is `taken` by another format, what is not as expected goes to standard error, and there is
        no table.
        """
        to = text.Page(stderr=taken)
        findings = [finding for checked in found for finding in self.findings(checked, interrupted=interrupted)]
        if (found or interrupted) and (findings or interrupted or not taken):
            pieces = self.headline(found, findings, interrupted=interrupted)
            to.flow(["   ".join(pieces)] if quiet else pieces, "bold")
        if quiet:
            return
        self._complain(to, {checked.instance.name: checked for checked in found}, findings)
        if found and not taken:
            to.say()
            if len(self.asked) <= _FEW:
                self._few(to, found)
            else:
                self._many(to, found)
            self._explain(to, found, findings)

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

    def headline(self, found: Sequence[Checked], findings: Sequence[Finding], *, interrupted: bool) -> list[str]:
        """Returns the pieces of the line that says whether all is as expected, what was decided, and the exit code if it is not 0."""
        code = Exit.INTERRUPTED if interrupted else worst(finding.exit for finding in findings)
        wrong = {(finding.instance, finding.property) for finding in findings if finding.exit is not Exit.OPEN}
        state = "AS EXPECTED" if code is Exit.AS_EXPECTED else "NOT AS EXPECTED" if wrong else "OPEN"
        pieces = ["INTERRUPTED" if interrupted and not wrong else state]
        if wrong:
            those = {instance for instance, _ in wrong}
            pieces.append(f"in {len(those):,} of {_counted(len(found), 'instance')}")
        pieces.append(
            f"{_counted(len(found), 'instance')}, {self._verdicts(found)}" if not wrong else self._verdicts(found)
        )
        if interrupted:
            cut = sum(any(isinstance(row.verdict, Open) for row in checked.rows) for checked in found)
            left = len(self.asked) - len(found)
            pieces.append(
                f"interrupted: {left:,} of {_counted(len(self.asked), 'instance')} not checked, {cut:,} in part"
            )
        return [*pieces, *([f"exit {code}"] if code else [])]

    def _verdicts(self, found: Sequence[Checked]) -> str:
        verdicts = [row.verdict.word for checked in found for row in checked.rows]
        counts = ", ".join(f"{verdicts.count(w):,} {w}" for w in ("proved", "refuted", "open") if w in verdicts)
        return f"{_counted(len(verdicts), 'verdict')}: {counts}"

    def _few(self, to: text.Page, found: Sequence[Checked]) -> None:
        """Prints a row a property, with what the search of each instance took."""
        for checked in found:
            outcome = checked.outcome
            counts = f"{outcome.states:,} states, depth {outcome.depth}, {outcome.seconds:.1f} s"
            to.fold(checked.instance.name, "bold")
            wrong = {finding.property for finding in judge(checked, self.expectation(checked))}
            width = max(len(row.property) for row in checked.rows)
            for number, row in enumerate(checked.rows):
                said = cell(row.verdict.word, *row.verdict.steps) + "!" * (row.property in wrong)
                to.line(self._row(f"  {row.property:{width}}  ", said, counts if number == 0 else ""))

    def _row(self, name: str, said: str, counts: str) -> Text:
        line = Text(name)
        line.append(f"{said:16}" if counts else said, text.style(said.rstrip("!")))
        line.append(counts)
        return line

    def _many(self, to: text.Page, found: Sequence[Checked]) -> None:
        """Prints a cell an instance."""
        marked = [(checked.instance, self._word(checked)) for checked in found]
        signs = table.ASCII if to.ascii else table.UNICODE
        to.flow(signs.legend([word for _, word in marked]))
        for line in table.lay_out(table.blocks(marked), to.width, signs):
            to.line(line)

    def _word(self, checked: Checked) -> str:
        return word(cells(checked)) + "!" * bool(judge(checked, self.expectation(checked)))

    def _explain(self, to: text.Page, found: Sequence[Checked], findings: Sequence[Finding]) -> None:
        """Prints what the table does not say: what is assumed, what is not compared, and where to see more."""
        told = [line for device in dict.fromkeys(i.device for i in self.asked if i.choices.poll == YES)
                for line in [POLLS.format(device)]]  # fmt: skip
        if happening := sorted({i.choices.events for i in self.asked} - {"none"}):
            told.append(_BOUND.format(", ".join(happening)))
        wanted = [(checked, self.expectation(checked)) for checked in found]
        if unknown := sum(each is None for _, each in wanted):
            where = "" if unknown == len(found) else f" of {unknown} of {_counted(len(found), 'instance')}"
            told.append(f"Nothing is recorded{where}: each property is expected to be proved.")
        if left := sum(row.property not in each.verdicts for checked, each in wanted if each for row in checked.rows):
            told.append(f"Not compared: {_counted(left, 'verdict')} of which nothing is expected.")
        if findings:
            told.append("! is not as expected.")
        to.say()
        for each in told:
            to.fold(each)
        refuted = next((checked for checked in found if decisive(checked)), None)
        if refuted and not any(finding.exit in _RUNS for finding in findings):
            to.command("why ", self._trace(refuted, decisive(refuted)))
        if len(self.asked) > _FEW:
            to.command("look", "uncork report, with the same options")

    def _trace(self, checked: Checked, row: Row | None) -> str:
        """Returns the command that shows the run that refutes a row."""
        name = shlex.quote(checked.instance.name)
        whole = row is None or (decisive(checked) == row and set(self.rows) == set(ROWS))
        return f"uncork trace {name}" + ("" if row is None or whole else f" --property {row.property}")

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
            f"{len(found)} instance{'s' * (len(found) != 1)} ({known} with expectations), "
            f"{len(verdicts)} verdict{'s' * (len(verdicts) != 1)}: {counts}. "
            + (f"{left} not compared. " if left else "")
            + (as_expected if not findings else f"{len(findings)} not as expected.")
        )

    def _complain(self, to: text.Page, found: Mapping[str, Checked], findings: Sequence[Finding]) -> None:
        """Prints a block for each instance with something unexpected: what, why, and the command that shows it."""
        blocks: dict[str, list[Finding]] = {}
        for finding in findings:
            blocks.setdefault(finding.instance, []).append(finding)
        for name, those in list(blocks.items())[:_SHOWN]:
            to.say()
            to.fold(name, "bold")
            for finding in those:
                to.fold(f"{finding.property}: {finding.message}" if finding.property else finding.message, indent=2)
            if run := self._run(found[name], those):
                to.command("  why", self._trace(found[name], run))
        if len(blocks) > _SHOWN:
            to.say()
            to.say(f"... and {_counted(len(blocks) - _SHOWN, 'more instance')}")

    def _run(self, checked: Checked, findings: Sequence[Finding]) -> Row | None:
        """Returns the unexpectedly refuted row whose run explains the findings: the decisive one if it is among them."""
        wrong = {finding.property for finding in findings if finding.exit in _RUNS}
        rows = [row for row in checked.rows if row.property in wrong]
        return next((row for row in rows if row == decisive(checked)), rows[0] if rows else None)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
