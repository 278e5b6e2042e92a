"""Runs `uncork check` once: from the options to a table, files and an exit code."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

import click
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name
from uncork_properties import expected

from uncork.command import idle, options, selection
from uncork.command.selection import Filters
from uncork.core.frozen import frozen
from uncork.decide import many
from uncork.decide.exits import Exit
from uncork.render import ci

FORMATS = ("json", *ci.FORMATS)
"""The output formats."""

Known = Mapping[str, tuple[Instance, expected.Expected]]
"""Expected verdicts by instance name."""


@frozen
class Asked:
    """The options of one check: of the instances in `names` and of the filtered ones; without either, of the matrix.

    If `files` is given, only what uses those files is checked.

    `outputs` maps each format to the path of its file.
    """

    filters: Filters
    names: Sequence[str] = ()
    files: Sequence[str] = ()
    rows: Sequence[str] = ()
    engine: str = "explicit"
    reductions: Sequence[str] | None = None
    expect: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    certificate: str | None = None
    quiet: bool = False
    max_states: int | None = None
    max_memory: int | None = None
    max_seconds: float | None = None

    def instances(self) -> tuple[list[Instance], Known]:
        """Returns the instances to check and the expected verdicts."""
        if self.expect is None:
            named = self._changed(self._selected())
            return named, expected.recorded(named)
        known = expected.load(self.expect)
        by_file = self.filters == Filters() and not self.names
        named = [each for each, _ in known.values()] if by_file else self._selected()
        return self._changed(named), known

    def _selected(self) -> list[Instance]:
        named = [from_name(name) for name in dict.fromkeys(self.names)]
        more = [] if named and self.filters == Filters() else selection.select(self.filters)
        return [*named, *(each for each in more if each not in named)]

    def _changed(self, named: list[Instance]) -> list[Instance]:
        if not self.files:
            return named
        if not any(each.files for each in named):
            raise click.UsageError(
                f"{', '.join(self.files)} is read as FILE, which needs a policy, device or guest of your own: --policy "
                "path/to/file.py:function, or --expect. Several values of an option are joined by commas: "
                "--policy tail,head"
            )
        changed = {Path(file).resolve() for file in self.files}
        if self.expect and Path(self.expect).resolve() in changed:
            return named
        own = {file: beside(file) for file in dict.fromkeys(file for each in named for file in each.files)}
        return [each for each in named if any(read.resolve() in changed for file in each.files for read in own[file])]


def beside(file: Path) -> list[Path]:
    """Returns a file of the user's and the neighbouring files that it imports."""
    from modulefinder import ModuleFinder  # slow to import, and only user files need it

    folder = file.resolve().parent
    finder = ModuleFinder([str(folder)])  # parses only, runs nothing
    try:
        finder.run_script(str(file))
        found = [getattr(module, "__file__", None) for module in finder.modules.values()]
        read = [Path(path) for path in found if path]
    except Exception:  # loading reports the error; until then any import is possible
        read = [*folder.glob("*.py"), *folder.glob("*/*.py")]
    return [file, *(each for each in read if each.resolve() != file.resolve())]


def _compared(rows: Sequence[str], instances: Sequence[Instance], known: Known) -> None:
    """Raises `ExpectationError` for a line that concerns no checked property, or whose policy cannot be read."""
    for instance, wanted in [known[each.name] for each in instances if each.name in known]:
        try:
            find_policy(instance.policy)
        except InstanceError as error:
            raise expected.ExpectationError(f"{wanted.where}: {error}") from None
        if not wanted.verdicts.keys() & set(rows):
            raise expected.ExpectationError(
                f"{wanted.where}: nothing is expected of {', '.join(rows)}: write it, or ask for another --property"
            )


def once(asked: Asked) -> int:
    """Runs the check, prints the results and writes the files. Returns the exit code."""
    rows, reduced = selection.rows(asked.rows), selection.reductions(asked.reductions)
    named, known = asked.instances()
    if asked.files and not named:
        click.echo(f"nothing to check: no policy, device or guest is of {', '.join(asked.files)}", err=True)
    instances, left_out = selection.fitting(named)
    if asked.expect is not None:
        _compared(rows, instances, known)
    notes = idle.told(asked.filters, instances)
    for reason in [*(f"not checked: {each}" for each in left_out), *notes]:
        click.echo(reason, err=True)
    read = [asked.expect, *asked.files, *(file for each in instances for file in each.files)]
    options.writable(asked.outputs.values(), read)
    if asked.certificate is not None:
        from uncork.check import certificate  # numpy

        certificate.prepare(asked.certificate, instances, [*read, *asked.outputs.values()])
    interrupted, found = False, []
    meanwhile = threading.Thread(target=importlib.import_module, args=("uncork.check.show",), daemon=True)
    meanwhile.start()  # importing rich takes as long as checking a small instance, mostly outside Python
    budget = options.budget(asked.max_states, asked.max_memory, asked.max_seconds, len(instances))
    with options.progress() as watch:
        try:
            for checked in many.check(instances, rows, budget, watch, reductions=reduced, engine=asked.engine):
                found.append(checked)
        except KeyboardInterrupt:
            interrupted = True
    from uncork.check.show import Report  # see above

    report = Report(instances, rows, known, reduced, asked.engine, notes)
    code = Exit.INTERRUPTED if interrupted else report.code(found)
    if asked.outputs:
        from uncork.check import files  # only needed for these outputs

        files.write_all(asked.outputs, report, found, code)
    report.show(found, quiet=asked.quiet, interrupted=interrupted, taken="-" in asked.outputs.values())
    if asked.certificate is not None and not interrupted:
        for each in certificate.write(Path(asked.certificate), found):
            click.echo(each.lacking or f"certified: {each.instance}: {', '.join(each.rows)}", err=True)
    return code
