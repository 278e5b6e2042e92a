"""The command that checks the museum of bugs: `uncork museum`."""

from __future__ import annotations

import click
from uncork_nvme.instance import InstanceError
from uncork_nvme.museum import BUGS

from uncork.command.options import Command, budget, budgeted, progress
from uncork.core.sorts import did_you_mean
from uncork.decide.gate import worst
from uncork.museum.check import check


@click.command(cls=Command)
@click.argument("bugs", nargs=-1, metavar="[BUG]...")
@budgeted
def museum(bugs: tuple[str, ...], max_states: int | None, max_memory: int | None, max_seconds: float | None) -> int:
    """Check the museum of bugs of real devices and drivers: each is refuted, and its fix is proved.

    BUG is the name of a bug (default: all bugs). docs/museum.md describes all bugs, including those that are not shown.
    """
    from uncork.museum import show  # imports rich: slow
    from uncork.render.terminal.text import Page

    known = {bug.name: bug for bug in BUGS}
    for name in bugs:
        if name not in known:
            raise InstanceError(f"there is no bug {name!r} in the museum{did_you_mean(name, known)}")
    chosen = [known[name] for name in bugs] or BUGS
    shown = sum(2 * len(bug.shown.shapes) for bug in chosen if bug.shown)
    with progress() as watch:
        exhibits = list(check(chosen, budget(max_states, max_memory, max_seconds, max(shown, 1)), watch))
    to, errors = Page(), Page(stderr=True)
    if exhibits:
        to.show(show.table(exhibits))
    for bug in chosen:
        if bug.shown is None:
            to.say(f"{bug.name}: not shown, needs {bug.needs}")
    findings = [finding for each in exhibits for finding in each.findings]
    for finding in findings:
        errors.say(f"{finding.instance}: {finding.property or 'covers'}: {finding.message}", whole=True)
    return worst(finding.exit for finding in findings)
