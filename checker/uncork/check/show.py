"""Prints the verdicts of `uncork check`: a line that sums up, what is not as expected, and the table."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from uncork_nvme.catalogue import POLLS
from uncork_nvme.choices import YES
from uncork_nvme.instance import Instance
from uncork_properties.catalogue import ROWS, named, properties
from uncork_properties.expected import Expected, cell, word

from uncork.check import table
from uncork.core.causes.cause import cause
from uncork.core.numbers import counted
from uncork.core.trace import Trace
from uncork.core.verdict import Open, Refuted
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
            if quiet:
                to.say("   ".join(pieces), "bold", whole=True)
            else:
                to.flow(pieces, "bold")
        if quiet:
            return
        few = len(self.asked) <= _FEW and not taken
        self._blocks(to, found, findings, whole=few)
        if found and not taken:
            if not few:
                self._table(to, found, findings)
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
        """Returns the pieces of the first line: whether all is as expected, the verdicts, and an exit code but 0."""
        code = Exit.INTERRUPTED if interrupted else worst(finding.exit for finding in findings)
        wrong = {(finding.instance, finding.property) for finding in findings if finding.exit is not Exit.OPEN}
        state = "AS EXPECTED" if code is Exit.AS_EXPECTED else "NOT AS EXPECTED" if wrong else "OPEN"
        pieces = ["INTERRUPTED" if interrupted and not wrong else state]
        of = counted(len(found), "instance")
        if wrong:
            pieces.append(f"{len({instance for instance, _ in wrong}):,} of {of}, {self._verdicts(found)}")
        else:
            pieces.append(f"{of}, {self._verdicts(found)}")
        if interrupted:
            cut = sum(any(isinstance(row.verdict, Open) for row in checked.rows) for checked in found)
            asked = counted(len(self.asked), "instance")
            pieces.append(f"{len(self.asked) - len(found):,} of {asked} not checked, {cut:,} only in part")
        return [*pieces, *([f"exit {code}"] if code else [])]

    def _verdicts(self, found: Sequence[Checked]) -> str:
        verdicts = [row.verdict.word for checked in found for row in checked.rows]
        counts = ", ".join(f"{verdicts.count(w):,} {w}" for w in ("proved", "refuted", "open") if w in verdicts)
        return counted(len(verdicts), "verdict") + (f": {counts}" if counts else "")

    def _blocks(self, to: text.Page, found: Sequence[Checked], findings: Sequence[Finding], *, whole: bool) -> None:
        """Prints a block an instance, with what is not as expected first; if `whole`, a block for all others too."""
        of: dict[str, list[Finding]] = {}
        for finding in findings:
            of.setdefault(finding.instance, []).append(finding)
        first = sorted(found, key=lambda checked: checked.instance.name not in of)
        shown = first if whole else first[: min(len(of), _SHOWN)]
        for checked in shown:
            to.say()
            self._block(to, checked, of.get(checked.instance.name, []), whole=whole)
        if not whole and len(of) > _SHOWN:
            to.say()
            to.say(f"... and {counted(len(of) - _SHOWN, 'more instance')}")

    def _block(self, to: text.Page, checked: Checked, findings: Sequence[Finding], *, whole: bool) -> None:
        """Prints an instance: if `whole`, what the search took and all verdicts, else only unexpected ones."""
        outcome = checked.outcome
        counts = f"{counted(outcome.states, 'state')}, depth {outcome.depth}, {outcome.seconds:.1f} s"
        to.fold(checked.instance.name, "bold")
        if whole:
            to.fold(counts, indent=2)
        said: dict[str | None, list[str]] = {}
        for finding in findings:
            said.setdefault(finding.property, []).append(finding.message)
        width = max(len(row.property) for row in checked.rows) + 1
        for row in checked.rows:
            plain = [cell(row.verdict.word, *row.verdict.steps)] if whole else []
            for message in said.get(row.property, plain):
                to.fold(f"{row.property + ':':{width}} {message}", text.style(row.verdict.word), indent=2)
        for message in said.get(None, []):
            to.fold(message, indent=2)
        causes = list(_causes(checked, [finding.property for finding in findings]))
        if not whole:
            causes = [each for each in causes if each[0] == decisive(checked)] or causes[:1]
        for row, why in causes:
            to.fold(why if len(causes) == 1 else f"{row.property}: {why}", indent=2)
            to.command("  why", self._trace(checked, row))

    def _table(self, to: text.Page, found: Sequence[Checked], findings: Sequence[Finding]) -> None:
        """Prints the legend and the table, with a cell an instance."""
        to.say()
        wrong = {finding.instance for finding in findings}
        marked = [(each.instance, word(cells(each)) + "!" * (each.instance.name in wrong)) for each in found]
        words = [word for _, word in marked]
        signs = table.ASCII if to.ascii else table.UNICODE
        to.flow([*signs.legend(words), *(["! not as expected"] if any(each.endswith("!") for each in words) else [])])
        if meaning := signs.meaning(words):
            to.fold(meaning)
        for line in table.lay_out(table.blocks(marked), to.width, signs):
            to.line(line)

    def _explain(self, to: text.Page, found: Sequence[Checked], findings: Sequence[Finding]) -> None:
        """Prints what the table does not say: what is assumed, what is not compared, and where to see more."""
        told = [line for device in dict.fromkeys(i.device for i in self.asked if i.choices.poll == YES)
                for line in [POLLS.format(device)]]  # fmt: skip
        if happening := sorted({i.choices.events for i in self.asked} - {"none"}):
            told.append(_BOUND.format(", ".join(happening)))
        wanted = [(checked, self.expectation(checked)) for checked in found]
        if unknown := sum(each is None for _, each in wanted):
            where = "" if unknown == len(found) else f" of {unknown} of {counted(len(found), 'instance')}"
            told.append(f"Nothing is recorded{where}: each property is expected to be proved.")
        if left := sum(row.property not in each.verdicts for checked, each in wanted if each for row in checked.rows):
            told.append(f"Not compared: {counted(left, 'verdict')} of which nothing is expected.")
        vacuous: dict[str, list[str]] = {}
        for finding in findings if len(self.asked) > _FEW else ():
            if finding.property is None:
                vacuous.setdefault(finding.message, []).append(finding.instance)
        for message, names in vacuous.items():
            more = f" and {counted(len(names) - 1, 'other')}" if len(names) > 1 else ""
            told.append(f"! {message}: {names[0]}{more}")
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
            f"{counted(len(found), 'instance')} ({known} with expectations), "
            f"{counted(len(verdicts), 'verdict')}: {counts}. "
            + (f"{left} not compared. " if left else "")
            + (as_expected if not findings else f"{len(findings)} not as expected.")
        )


def _causes(checked: Checked, rows: Sequence[str | None]) -> Iterator[tuple[Row, str]]:
    """Yields the first of `rows` that each run refutes, with the reason."""
    told: list[Trace] = []
    instance = checked.instance
    for row in checked.rows:
        if row.property in rows and isinstance(row.verdict, Refuted) and row.verdict.trace not in told:
            told.append(row.verdict.trace)
            prop = named(properties(instance.machine, instance.system), row.name)
            yield row, cause(instance.system, prop, row.verdict.trace).text
