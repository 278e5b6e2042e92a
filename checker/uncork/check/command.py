"""The command that checks: `uncork check`."""

from __future__ import annotations

import click
from uncork_properties.catalogue import ROWS

from uncork.check import watch as again
from uncork.check.once import FORMATS, Asked, once
from uncork.command.options import OUTPUT, Command, budgeted, filtered, listed
from uncork.command.selection import Filters


@click.command(cls=Command)
@filtered
@listed("--property", "property_", help=f"Of {', '.join(ROWS)}.")
@click.option(
    "--engine",
    type=click.Choice(["explicit", "bmc", "induction", "all"]),
    default="explicit",
    show_default=True,
    help="bmc refutes, induction proves, at sizes that explicit cannot do; all compares them.",
)
@listed("--reductions", help="Of rotation, permutation, dead; or none. Default: all.")
@click.option("--expect", type=click.Path(dir_okay=False), help="Expected verdicts, a CSV file like the project's own.")
@click.option("--json", "json_", type=OUTPUT, help="Write the verdicts as JSON; - is standard output.")
@click.option("--junit", type=OUTPUT, help="Write them as JUnit XML, a test case a property.")
@click.option("--sarif", type=OUTPUT, help="Write what is not as expected as SARIF, traces as code flows.")
@click.option("--markdown", type=OUTPUT, help="Write a job summary, with a chart of what is refuted unexpectedly.")
@click.option(
    "--certificate", type=click.Path(file_okay=False), help="Write down why what is proved holds, a file each."
)
@click.option("--watch", is_flag=True, help="Check again whenever a policy of your own is saved.")
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False), metavar="[FILE]...")
@budgeted
def check(
    filters: Filters,
    files: tuple[str, ...],
    property_: list[str] | None,
    engine: str,
    reductions: list[str] | None,
    expect: str | None,
    json_: str | None,
    junit: str | None,
    sarif: str | None,
    markdown: str | None,
    certificate: str | None,
    watch: bool,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Check the default matrix, or what the filters name, and compare with what is expected.

    Filters take several values separated by commas, and may name what is outside the default matrix. What has no
    expectation is expected to be proved. With each FILE, only policies of your own that stand in one of them are
    checked; all are if one is the file of expectations.
    """
    chosen = zip(FORMATS, (json_, junit, sarif, markdown), strict=True)
    outputs = {name: path for name, path in chosen if path is not None}
    if list(outputs.values()).count("-") > 1:
        raise click.UsageError("only one output can be standard output")
    asked = Asked(
        filters=filters,
        files=files,
        rows=property_ or (),
        engine=engine,
        reductions=reductions,
        expect=expect,
        outputs=outputs,
        certificate=certificate,
        max_states=max_states,
        max_memory=max_memory,
        max_seconds=max_seconds,
    )
    if not watch:
        return once(asked)
    if "-" in outputs.values():
        raise click.UsageError("--watch prints its table on standard output, and files are written anew each time")
    return again.watch(asked)
