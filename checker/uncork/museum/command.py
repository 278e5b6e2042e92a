"""The command that checks the museum of bugs: `uncork museum`."""

from __future__ import annotations

from collections.abc import Sequence

import click
from uncork_nvme.instance import InstanceError
from uncork_nvme.museum import BUGS, Bug
from uncork_nvme.names import of_file

from uncork.command import complete
from uncork.command.options import Command, budget, budgeted, progress
from uncork.command.selection import fitting
from uncork.core.sorts import did_you_mean
from uncork.decide import many
from uncork.decide.gate import Finding, judge, worst
from uncork.engines import Budget
from uncork.museum.check import FIXED, check, elsewhere


@click.command(cls=Command)
@click.argument("bugs", nargs=-1, metavar="[BUG]...", shell_complete=complete.bugs)
@click.option("--device", help="Check this device where the bugs' fixes are proved; your own as path/to/file.py:name.")
@budgeted
def museum(
    bugs: tuple[str, ...],
    device: str | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Check the museum of bugs of real devices and drivers: each is refuted, and its fix is proved.

    BUG is the name of a bug (default: all bugs). docs/museum.md describes all bugs, including those that are not shown.

    With --device: check that device in the circumstances of each bug, which are the guest, the events, the memory and
    the sizes with which the fix is proved.
    """
    known = {bug.name: bug for bug in BUGS}
    for name in bugs:
        if of_file(name):
            raise InstanceError(f"{name!r} is no bug of the museum; a device of your own goes with --device {name}")
        if name not in known:
            raise InstanceError(f"there is no bug {name!r} in the museum{did_you_mean(name, known)}")
    chosen = [known[name] for name in bugs] or BUGS
    shown = sum(2 * len(bug.shown.shapes) for bug in chosen if bug.shown)
    limit = budget(max_states, max_memory, max_seconds, max(shown, 1))
    findings = _of_the_museum(chosen, limit) if device is None else _elsewhere(chosen, device, limit)

    from uncork.render.terminal.text import Page  # imports rich: slow

    errors = Page(stderr=True)
    for finding in findings:
        errors.say(f"{finding.instance}: {finding.property or 'covers'}: {finding.message}", whole=True)
    return worst(finding.exit for finding in findings)


def _of_the_museum(bugs: Sequence[Bug], limit: Budget) -> list[Finding]:
    """Checks the bugs and prints how each is refuted and its fix proved."""
    from uncork.museum import show  # imports rich: slow
    from uncork.render.terminal.text import Page

    with progress() as watch:
        exhibits = list(check(bugs, limit, watch))
    to = Page()
    for each in exhibits:
        show.tell(to, each)
    for bug in bugs:
        if bug.shown is None:
            to.fold(f"{bug.name}: not shown, needs {bug.needs}")
    return [finding for each in exhibits for finding in each.findings]


def _elsewhere(bugs: Sequence[Bug], device: str, limit: Budget) -> list[Finding]:
    """Checks another device in the circumstances of the bugs, and prints the verdicts."""
    from uncork.museum import show  # imports rich: slow
    from uncork.render.terminal.text import Page

    found = elsewhere(bugs, device)
    if not found:
        raise InstanceError("none of these bugs is shown, so no circumstances of theirs are known: name others")
    fit, left_out = fitting([instance for instance, _ in found])
    for reason in left_out:
        click.echo(f"left out: {reason}", err=True)
    with progress() as watch:
        checked = list(many.check(fit, FIXED, limit, watch))
    to = Page()
    for line in show.elsewhere(checked, {instance.name: like for instance, like in found}):
        to.say(line)
    return [finding for each in checked for finding in judge(each, None)]
