"""The commands that decide: `uncork check`, `museum`, `prove` and `verify`.

What only some of them need is imported by the one that does: a command is to start at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from uncork_nvme.instance import Design, InstanceError
from uncork_properties.catalogue import ROWS

from uncork.command.options import OUTPUT, Command, budget, budgeted, filtered, listed, own_file, progress
from uncork.core.sorts import did_you_mean
from uncork.decide.exits import Exit

if TYPE_CHECKING:
    from uncork.command.selection import Filters


# -- check -------------------------------------------------------------------------------------------------------------
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
    from uncork.check import once

    chosen = zip(once.FORMATS, (json_, junit, sarif, markdown), strict=True)
    outputs = {name: path for name, path in chosen if path is not None}
    if list(outputs.values()).count("-") > 1:
        raise click.UsageError("only one output can be standard output")
    asked = once.Asked(
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
        return once.once(asked)
    if "-" in outputs.values():
        raise click.UsageError("--watch prints its table on standard output, and files are written anew each time")
    from uncork.check.watch import watch as watching

    return watching(asked)


# -- the museum --------------------------------------------------------------------------------------------------------
@click.command(cls=Command)
@click.argument("bugs", nargs=-1, metavar="[BUG]...")
@budgeted
def museum(bugs: tuple[str, ...], max_states: int | None, max_memory: int | None, max_seconds: float | None) -> int:
    """Check the museum of bugs of real devices and drivers: each is refuted, and its fix is proved.

    BUG is the name of one (default: all). docs/museum.md tells of them, and of those that are not shown.
    """
    from uncork_nvme.museum import BUGS

    from uncork.decide.gate import worst
    from uncork.museum import check as halls
    from uncork.render.terminal.text import Page

    known = {bug.name: bug for bug in BUGS}
    for name in bugs:
        if name not in known:
            raise InstanceError(f"there is no bug {name!r} in the museum{did_you_mean(name, known)}")
    chosen = [known[name] for name in bugs] or BUGS
    shown = sum(2 * len(bug.shown.shapes) for bug in chosen if bug.shown)
    with progress() as watch:
        exhibits = list(halls.check(chosen, budget(max_states, max_memory, max_seconds, max(shown, 1)), watch))
    to, errors = Page(), Page(stderr=True)
    if exhibits:
        to.show(halls.table(exhibits))
    for bug in chosen:
        if bug.shown is None:
            to.say(f"{bug.name}: not shown, needs {bug.needs}")
    findings = [finding for each in exhibits for finding in each.findings]
    for finding in findings:
        errors.say(f"{finding.instance}: {finding.property or 'covers'}: {finding.message}", whole=True)
    return worst(finding.exit for finding in findings)


# -- prove and verify --------------------------------------------------------------------------------------------------
@click.command(cls=Command)
@click.argument("policy")
@click.option("--device", required=True, help="A device.")
@click.option("--guest", default="linux", show_default=True, help="A guest.")
@click.option("--sqs", type=click.Choice(["one", "any", "both"]), default="both", show_default=True)
@click.option(
    "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override a choice (see: uncork show). Repeatable."
)
@click.option("--certificate", type=click.Path(file_okay=False), help="Write the obligations to this folder.")
def prove(policy: str, device: str, guest: str, sqs: str, overrides: tuple[str, ...], certificate: str | None) -> int:
    """Prove a design for every queue size: with one SQ, and with any number of them.

    Where the proof fails, the step that breaks it is named, and small sizes are searched for a real failure.
    """
    from uncork_nvme.choices import parse_all

    from uncork.decide.gate import worst
    from uncork.decide.many import Tick
    from uncork.prove import proof, show
    from uncork.render.terminal.text import Page

    design = Design(device, guest, policy, parse_all(overrides))
    if certificate is not None:
        proof.prepare(certificate, [own_file(policy)])
    to, codes, proved = Page(), [], []
    for several in {"one": [False], "any": [True], "both": [False, True]}[sqs]:
        with progress() as watch:
            parts = proof.prove(design, several, lambda what: watch(Tick(0, 1, what, None)))
            lacking = show.unproved(parts)
            real = list(proof.failing(design, several, lacking, watch)) if lacking else []
        codes.append(show.report(to, design, parts, real))
        proved.append(parts[-1])
    if certificate is not None:
        proof.write(Path(certificate), design, proved)
        to.say(f"certificate: {certificate} (uncork verify checks it)", whole=True)
    return worst(codes)


@click.command(cls=Command)
@click.argument("certificate", type=click.Path(exists=True))
def verify(certificate: str) -> int:
    """Check a certificate of `uncork prove`, or those of `uncork check`.

    It has to be about the model at hand. Of a proof for all sizes Z3 and cvc5 have to prove every obligation; a proof
    by all states is checked by a program that knows no engine.
    """
    from uncork.render.terminal.text import Page

    path, to = Path(certificate), Page()
    if (path / "manifest.json").is_file():
        from uncork.prove import proof

        found = proof.verify(path)
        for claim in found.claims:
            to.say(claim, "bold green")
        to.say("; ".join(f"{solver}: {count:,} obligations, all proved" for solver, count in found.proved.items()))
    else:
        from uncork.check import certificate as certifying

        for each in certifying.verify(path):
            to.say(f"{each.instance}: {', '.join(each.rows)} proved", "bold green", whole=True)
    return Exit.AS_EXPECTED
