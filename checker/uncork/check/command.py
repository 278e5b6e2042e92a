"""The command that checks: `uncork check`."""

from __future__ import annotations

import click
from uncork_properties.catalogue import ROWS

from uncork.check import watch as again
from uncork.check.once import FORMATS, Asked, once
from uncork.command import complete
from uncork.command.options import OUTPUT, Command, budgeted, filtered, listed
from uncork.command.selection import Filters, is_instance


@click.command(cls=Command)
@filtered
@listed("--property", "property_", shell_complete=complete.rows, help=f"Properties, of {', '.join(ROWS)}.")
@click.option(
    "--engine",
    type=click.Choice(["explicit", "bmc", "induction", "all"]),
    default="explicit",
    show_default=True,
    help="explicit decides. For larger sizes: bmc refutes, induction proves. all: run every engine and compare.",
)
@listed("--reductions", help="Reductions of the state space: rotation, permutation, dead, or none. Default: all three.")
@click.option("--expect", type=click.Path(dir_okay=False), help="CSV file of expected verdicts. Default: uncork's own.")
@click.option("--json", "json_", type=OUTPUT, help="Write the verdicts as JSON; - is standard output.")
@click.option("--junit", type=OUTPUT, help="Write the verdicts as JUnit XML, one test case per property.")
@click.option("--sarif", type=OUTPUT, help="Write unexpected verdicts as SARIF, with traces as code flows.")
@click.option("--markdown", type=OUTPUT, help="Write a job summary, with a chart for every unexpected refutation.")
@click.option(
    "--certificate", type=click.Path(file_okay=False), help="Write certificates of what is proved to this folder."
)
@click.option("--quiet", is_flag=True, help="Print one line.")
@click.option("--watch", is_flag=True, help="Check again whenever a policy file of your own is saved.")
@click.argument(
    "files",
    nargs=-1,
    type=click.Path(dir_okay=False),
    metavar="[INSTANCE|FILE]...",
    shell_complete=complete.instances_or_files,
)
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
    quiet: bool,
    watch: bool,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Check the default matrix or the filtered instances, and compare the verdicts with the expected ones.

    If INSTANCEs are given, they are checked instead of the default matrix. A filter takes several values separated by
    commas, also values outside the default matrix. A property with no expected verdict is expected to be proved. If
    FILEs are given, only your own policies defined in them are checked; all are checked if the file of expectations is
    among the FILEs.
    """
    chosen = zip(FORMATS, (json_, junit, sarif, markdown), strict=True)
    outputs = {name: path for name, path in chosen if path is not None}
    if list(outputs.values()).count("-") > 1:
        raise click.UsageError("several outputs are standard output (-): write all but one to files")
    instances = tuple(each for each in files if is_instance(each))
    asked = Asked(
        filters=filters,
        names=instances,
        files=tuple(each for each in files if each not in instances),
        rows=property_ or (),
        engine=engine,
        reductions=reductions,
        expect=expect,
        outputs=outputs,
        certificate=certificate,
        quiet=quiet,
        max_states=max_states,
        max_memory=max_memory,
        max_seconds=max_seconds,
    )
    if not watch:
        return once(asked)
    if "-" in outputs.values():
        raise click.UsageError("--watch prints its table on standard output: write other outputs to files instead of -")
    return again.watch(asked)
