"""The command line. What is heavy (engines, rich) is imported by the command that needs it."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import Design, Instance, InstanceError, from_name
from uncork_properties.catalogue import ROWS, covers, properties
from uncork_properties.expected import ExpectationError

from uncork import __version__, conforming, designing, exploring, reporting, signals, sweeping, tracing
from uncork.core.sorts import SlipError, did_you_mean
from uncork.export import Inexpressible
from uncork.gate import Exit
from uncork.options import Command as _Command
from uncork.options import budget as _budget
from uncork.options import budgeted as _budgeted
from uncork.options import filtered as _filtered
from uncork.options import listed as _listed
from uncork.options import own_file as _own_file
from uncork.options import progress as _progress

if TYPE_CHECKING:
    from uncork.core.property import Property
    from uncork.core.trace import Trace
    from uncork.runner import Checked, Row
    from uncork.selection import Filters


_OUTPUT = click.Path(dir_okay=False, allow_dash=True)

_SMALL = 100_000
"""States of a reduced graph below which all states are soon told apart."""


class _Group(click.Group):
    command_class = _Command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="uncork")
def cli() -> None:
    """Can a submission queue stay corked for ever? Checks NVMe doorbell-buffer devices, guests and EventIdx policies.

    An INSTANCE is named device/guest/policy/n1-sq3-cq3 (one SQ of 3 entries, a CQ of 3), with choice=value,... after
    another slash if any is overridden.
    """


cli.add_command(designing.cost)
cli.add_command(designing.measure)
cli.add_command(designing.repair)
cli.add_command(designing.frontier)
cli.add_command(sweeping.sweep)
cli.add_command(conforming.conform)
cli.add_command(reporting.report)
cli.add_command(tracing.validate)
cli.add_command(tracing.record)
cli.add_command(exploring.explore)


def main() -> None:
    """Runs the command line and ends the process: bad input is 2, an error of our own 70, Ctrl-C 130."""
    with signals.heard():
        code = _run()
    sys.exit(signals.code() if code == Exit.INTERRUPTED else code)


def _run() -> int:
    from uncork.core.trace import ReplayError

    code: int = Exit.AS_EXPECTED
    try:
        code = cli.main(standalone_mode=False) or Exit.AS_EXPECTED
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = Exit.USAGE
    except (InstanceError, ChoiceError, ExpectationError, SlipError, Inexpressible) as error:
        click.echo(f"Error: {error}", err=True)
        code = Exit.USAGE
    except ReplayError as error:
        click.echo(f"Error: rejected: {error}", err=True)
        code = Exit.REPLAY
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        _drop_output()  # a reader such as head has had enough
    except RecursionError:
        click.echo(
            "Error: too large: its expressions are too deep. Fewer SQs or kick_size=all have shorter ones", err=True
        )
        code = Exit.USAGE
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            _drop_output()
            click.echo(f"Error: standard output: {error.strerror}", err=True)
            return Exit.USAGE
        import traceback

        traceback.print_exc()
        click.echo("Error: this is a defect of uncork, not of your input", err=True)
        code = Exit.INTERNAL
    return code


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# -- list and show -----------------------------------------------------------------------------------------------------
@cli.command("list")
@click.argument("kind", required=False, type=click.Choice(["policies", "devices", "guests", "properties", "instances"]))
def list_(kind: str | None) -> None:
    """List what there is.

    Policies, devices, guests, properties, instances of the default matrix (all but the last by default).
    """
    from uncork.listing import listing

    listing(kind)


@cli.command()
@click.argument("name", required=False)
def show(name: str | None) -> None:
    """Explain a policy, device, guest, property, choice, step or instance: what it is, its source, its steps.

    Without NAME: every choice that --set can override, with its values.
    """
    from uncork.listing import explain

    explain(name)


# -- check -------------------------------------------------------------------------------------------------------------
@cli.command()
@_filtered
@_listed("--property", "property_", help=f"Of {', '.join(ROWS)}.")
@click.option(
    "--engine",
    type=click.Choice(["explicit", "bmc", "induction", "all"]),
    default="explicit",
    show_default=True,
    help="bmc refutes, induction proves, at sizes that explicit cannot do; all compares them.",
)
@_listed("--reductions", help="Of rotation, permutation, dead; or none. Default: all.")
@click.option("--expect", type=click.Path(dir_okay=False), help="Expected verdicts, a CSV file like the project's own.")
@click.option("--json", "json_", type=_OUTPUT, help="Write the verdicts as JSON; - is standard output.")
@click.option("--junit", type=_OUTPUT, help="Write them as JUnit XML, a test case a property.")
@click.option("--sarif", type=_OUTPUT, help="Write what is not as expected as SARIF, traces as code flows.")
@click.option("--markdown", type=_OUTPUT, help="Write a job summary, with a chart of what is refuted unexpectedly.")
@click.option(
    "--certificate", type=click.Path(file_okay=False), help="Write down why what is proved holds, a file each."
)
@click.option("--watch", is_flag=True, help="Check again whenever a policy of your own is saved.")
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False), metavar="[FILE]...")
@_budgeted
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
    from uncork import checking
    from uncork.outputs import FORMATS

    chosen = zip(FORMATS, (json_, junit, sarif, markdown), strict=True)
    outputs = {name: path for name, path in chosen if path is not None}
    if list(outputs.values()).count("-") > 1:
        raise click.UsageError("only one output can be standard output")
    asked = checking.Asked(
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
        return checking.once(asked)
    if "-" in outputs.values():
        raise click.UsageError("--watch prints its table on standard output, and files are written anew each time")
    from uncork.watching import watch as watching

    return watching(asked)


# -- the museum --------------------------------------------------------------------------------------------------------
@cli.command()
@click.argument("bugs", nargs=-1, metavar="[BUG]...")
@_budgeted
def museum(bugs: tuple[str, ...], max_states: int | None, max_memory: int | None, max_seconds: float | None) -> int:
    """Check the museum of bugs of real devices and drivers: each is refuted, and its fix is proved.

    BUG is the name of one (default: all). docs/museum.md tells of them, and of those that are not shown.
    """
    from uncork_nvme.museum import BUGS

    from uncork import museum as halls
    from uncork.gate import worst
    from uncork.render.text import Page

    known = {bug.name: bug for bug in BUGS}
    for name in bugs:
        if name not in known:
            raise InstanceError(f"there is no bug {name!r} in the museum{did_you_mean(name, known)}")
    chosen = [known[name] for name in bugs] or BUGS
    shown = sum(2 * len(bug.shown.shapes) for bug in chosen if bug.shown)
    with _progress() as watch:
        exhibits = list(halls.check(chosen, _budget(max_states, max_memory, max_seconds, max(shown, 1)), watch))
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
@cli.command()
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

    from uncork import proof_report, proving
    from uncork.gate import worst
    from uncork.render.text import Page
    from uncork.runner import Tick

    design = Design(device, guest, policy, parse_all(overrides))
    if certificate is not None:
        proving.prepare(certificate, [_own_file(policy)])
    to, codes, proved = Page(), [], []
    for several in {"one": [False], "any": [True], "both": [False, True]}[sqs]:
        with _progress() as watch:
            parts = proving.prove(design, several, lambda what: watch(Tick(0, 1, what, None)))
            lacking = proof_report.unproved(parts)
            real = list(proving.failing(design, several, lacking, watch)) if lacking else []
        codes.append(proof_report.report(to, design, parts, real))
        proved.append(parts[-1])
    if certificate is not None:
        proving.write(Path(certificate), design, proved)
        to.say(f"certificate: {certificate} (uncork verify checks it)", whole=True)
    return worst(codes)


@cli.command()
@click.argument("certificate", type=click.Path(exists=True))
def verify(certificate: str) -> int:
    """Check a certificate of `uncork prove`, or those of `uncork check`.

    It has to be about the model at hand. Of a proof for all sizes Z3 and cvc5 have to prove every obligation; a proof
    by all states is checked by a program that knows no engine.
    """
    from uncork.render.text import Page

    path, to = Path(certificate), Page()
    if (path / "manifest.json").is_file():
        from uncork import proving

        found = proving.verify(path)
        for claim in found.claims:
            to.say(claim, "bold green")
        to.say("; ".join(f"{solver}: {count:,} obligations, all proved" for solver, count in found.proved.items()))
    else:
        from uncork import certifying

        for each in certifying.verify(path):
            to.say(f"{each.instance}: {', '.join(each.rows)} proved", "bold green", whole=True)
    return Exit.AS_EXPECTED


# -- trace and simulate ------------------------------------------------------------------------------------------------
@cli.command()
@click.argument("what", metavar="FILE|INSTANCE")
@click.option("--property", "row", type=click.Choice(list(ROWS)), help="Default: the first that is refuted.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "itf", "json", "mermaid", "schedule"]),
    default="text",
    show_default=True,
)
@click.option("--db", type=click.Path(dir_okay=False), help="Take it from the file of a sweep, without a search.")
@_budgeted
def trace(
    what: str,
    row: str | None,
    format_: str,
    db: str | None,
    max_states: int | None,
    max_memory: int | None,
    max_seconds: float | None,
) -> int:
    """Print the shortest counterexample of an instance, or a stored one; both are replayed first."""
    if os.path.isfile(what):
        of = tracing.stored(what)
        names = ", ".join(prop.name for prop in of.refutes)
        if not names:
            raise InstanceError(
                f"{what} is a run that refutes nothing: uncork explore {of.instance.name} --from {what}"
            )
        found = next((prop for prop in of.refutes if row in (None, prop.row)), None)
        if found is None:
            raise InstanceError(f"{what} refutes {names}, not {row}")
        _print_trace(of.instance, found, of.run, format_, shortest=of.shortest)
        return Exit.AS_EXPECTED
    if what.endswith((".json", ".itf")):
        raise InstanceError(f"there is no file {what}")
    from uncork import runner
    from uncork.core.verdict import Refuted

    instance = from_name(what)
    if db is not None:
        return _kept(db, instance, row, format_)
    with _progress() as watch:
        budget = _budget(max_states, max_memory, max_seconds, 1)
        rows = [row] if row else list(ROWS)
        checked = next(iter(runner.check([instance], rows, budget, watch)))
        loops = [r.verdict for r in checked.rows if isinstance(r.verdict, Refuted) and not r.verdict.shortest]
        if loops and checked.outcome.states < _SMALL:
            # Only where all states are told apart can a loop be known to be a shortest one.
            checked = next(iter(runner.check([instance], rows, budget, watch, reductions=frozenset())))
    for each in checked.rows:
        if isinstance(each.verdict, Refuted):
            prop = next(p for p in properties(instance.machine, instance.system) if p.name == each.name)
            _print_trace(instance, prop, each.verdict.trace, format_, shortest=each.verdict.shortest)
            return Exit.AS_EXPECTED
    return _no_trace(checked, checked.rows)


def _kept(db: str, instance: Instance, row: str | None, format_: str) -> int:
    from uncork.core.trace import replay

    found = sweeping.kept(db, instance, row)
    if isinstance(found, str):
        click.echo(found)
        return Exit.OPEN if " open" in found else Exit.AS_EXPECTED
    verdict, run = found
    prop = _property(properties(instance.machine, instance.system), verdict.name)
    replay(instance.system, run, prop)
    _print_trace(instance, prop, run, format_, shortest=verdict.shortest)
    return Exit.AS_EXPECTED


def _no_trace(checked: Checked, rows: Sequence[Row]) -> int:
    from uncork.core.verdict import Open, Proved

    for row in rows:
        match row.verdict:
            case Proved(how):
                click.echo(f"{checked.instance.name}: {row.property} is proved ({how}): there is no counterexample")
            case Open(reason, depth):
                click.echo(f"{checked.instance.name}: {row.property} is open to depth {depth}: {reason}")
    if checked.outcome.stopped:
        return Exit.INTERRUPTED
    return Exit.OPEN if any(isinstance(row.verdict, Open) for row in rows) else Exit.AS_EXPECTED


def _print_trace(instance: Instance, prop: Property, run: Trace, format_: str, *, shortest: bool) -> None:
    from uncork.render import itf, mermaid, text

    system = instance.system
    meta = {"instance": instance.name, "refutes": [prop.name], "shortest": shortest}
    if format_ == "text":
        text.show_trace(text.console(), instance.name, system, prop, run, shortest=shortest)
    elif format_ == "itf":
        click.echo(itf.dumps(run, meta), nl=False)
    elif format_ == "mermaid":
        click.echo(mermaid.chart(system, prop, run), nl=False)
    elif format_ == "schedule":
        from uncork.logs.write import schedule

        for line in schedule(instance, run, prop.name):
            click.echo(line, nl=False)
    else:
        plain = {**meta, "steps": run.steps, "states": run.states, "loop": run.loop}
        click.echo(json.dumps(plain, indent=1))


@cli.command()
@click.argument("instance")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--steps", type=click.IntRange(1, 1_000_000), default=40, show_default=True)
def simulate(instance: str, seed: int, steps: int) -> None:
    """Print a random fair run of an instance: each step is drawn from all that may happen."""
    from uncork.render import text

    found = from_name(instance)
    run = tracing.random_run(found, steps, seed)
    text.show_run(text.console(), f"{found.name}, seed {seed}", found.system, run)


# -- export ------------------------------------------------------------------------------------------------------------
@cli.command()
@click.argument("format_", metavar="FORMAT", type=click.Choice(["tla", "promela", "dot", "json"]))
@click.argument("instance")
@click.option("--property", "property_", help="promela: the property to state, by its full name or the first of a row.")
@click.option("--config", is_flag=True, help="tla: print the configuration (.cfg) and not the module.")
def export(format_: str, instance: str, property_: str | None, config: bool) -> None:
    """Print an instance in another tool's language.

    FORMAT is tla (for TLC), promela (for SPIN: without --property, to explore), dot (for Graphviz: what a small
    instance reaches) or json (all there is, with expressions as trees). What could not be said is told on standard
    error; what would be wrong is refused.
    """
    if property_ is not None and format_ != "promela":
        raise click.UsageError("--property is for promela: tla and json have every property, and dot has none")
    if config and format_ != "tla":
        raise click.UsageError("--config is for tla")
    found = from_name(instance)
    system = found.system
    stated = properties(found.machine, system)
    if format_ == "promela":
        from uncork.export import promela

        text, notes = promela.program(system, None if property_ is None else _property(stated, property_))
        for note in notes:
            click.echo(note, err=True)
    elif format_ == "dot":
        from uncork.export import dot

        text = dot.graph(system)
    elif format_ == "json":
        from uncork.export import data

        text = data.dumps(system, stated, covers(found.machine, system))
    else:
        from uncork.export import tla

        text = tla.module(system, stated, covers(found.machine, system))[config]
    click.echo(text, nl=False)


def _property(stated: Sequence[Property], name: str) -> Property:
    for prop in stated:
        if name in (prop.name, prop.row):
            return prop
    raise InstanceError(f"there is no property {name!r}{did_you_mean(name, [*ROWS, *(p.name for p in stated)])}")
