"""What `uncork check` does, once: from what was asked to a table, files and an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
from uncork_nvme.instance import Instance
from uncork_properties import expected

from uncork import options, selection
from uncork.gate import Exit
from uncork.options import own_file
from uncork.selection import Filters


@dataclass(frozen=True)
class Asked:
    """What was asked. `files` are those of policies that changed: others are not checked; none of them: all are.

    `outputs` has the path of each format to write.
    """

    filters: Filters
    files: Sequence[str] = ()
    rows: Sequence[str] = ()
    engine: str = "explicit"
    reductions: Sequence[str] | None = None
    expect: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    certificate: str | None = None
    max_states: int | None = None
    max_memory: int | None = None
    max_seconds: float | None = None

    def instances(self) -> tuple[list[Instance], dict[str, tuple[Instance, expected.Expected]]]:
        """The instances to check, and what is expected of instances."""
        known = expected.load(self.expect) if self.expect else expected.recorded()
        by_file = self.expect and self.filters == Filters()
        named = [each for each, _ in known.values()] if by_file else selection.select(self.filters)
        return self._changed(named), known

    def _changed(self, named: list[Instance]) -> list[Instance]:
        if not self.files:
            return named
        if not any(own_file(each.policy) for each in named):
            raise click.UsageError("a FILE is of a policy that --policy or --expect names: path/to/file.py:function")
        changed = {Path(file).resolve() for file in self.files}
        if self.expect and Path(self.expect).resolve() in changed:
            return named
        return [each for each in named if (file := own_file(each.policy)) and file.resolve() in changed]


def once(asked: Asked) -> int:
    """Checks what was asked, prints what was found, writes the files; gives the exit code."""
    from uncork import outputs, runner
    from uncork.report import Report

    rows, reduced = selection.rows(asked.rows), selection.reductions(asked.reductions)
    named, expectations = asked.instances()
    if asked.files and not named:
        click.echo(f"nothing to check: no policy is of {', '.join(asked.files)}", err=True)
        return Exit.AS_EXPECTED
    instances, left_out = selection.fitting(named)
    for reason in left_out:
        click.echo(f"not checked: {reason}", err=True)
    read = [asked.expect, *asked.files, *(own_file(each.policy) for each in instances)]
    options.writable(asked.outputs.values(), read)
    if asked.certificate is not None:
        from uncork import certifying

        certifying.prepare(asked.certificate, instances, [*read, *asked.outputs.values()])
    report, interrupted, found = Report(instances, rows, expectations, reduced, asked.engine), False, []
    budget = options.budget(asked.max_states, asked.max_memory, asked.max_seconds, len(instances))
    with options.progress() as watch:
        try:
            for checked in runner.check(instances, rows, budget, watch, reductions=reduced, engine=asked.engine):
                found.append(checked)
        except KeyboardInterrupt:
            interrupted = True
    code = Exit.INTERRUPTED if interrupted else report.code(found)
    outputs.write_all(asked.outputs, report, found, code)
    report.show(found, quiet="-" in asked.outputs.values(), interrupted=interrupted)
    if asked.certificate is not None and not interrupted:
        for each in certifying.write(Path(asked.certificate), found):
            click.echo(each.lacking or f"certified: {each.instance}: {', '.join(each.rows)}", err=True)
    return code
