"""The command that walks through a machine in a terminal: `uncork explore`."""

from __future__ import annotations

import sys

import click
from uncork_nvme.instance import from_name

from uncork.command import complete
from uncork.command.options import Command
from uncork.decide.exits import Exit
from uncork.explore.known import counterexamples, stored_as


@click.command(cls=Command)
@click.argument("instance", shell_complete=complete.instances)
@click.option(
    "--from",
    "from_",
    type=click.Path(dir_okay=False, exists=True),
    help="Begin along this run: an ITF trace as `uncork trace --format itf` writes it.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random runs of key r.")
def explore(instance: str, from_: str | None, seed: int) -> int:
    """Walk through an instance in the terminal: take steps, take them back, jump to its counterexamples.

    The screen shows every enabled step with its meaning, and the state of every property. A fair scheduler can run
    until an SQ is corked. The run can be saved for `uncork trace` and --from.
    """
    of = from_name(instance)
    begun = stored_as(of, from_) if from_ else None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo("Error: explore needs a terminal (uncork simulate and uncork trace do not)", err=True)
        return Exit.USAGE
    from uncork.explore.screens import Explorer  # textual

    known = [*([begun] if begun else []), *counterexamples(of)]
    shown = Explorer(of, known, seed=seed, begin=begun is not None)
    shown.run()
    return Exit.INTERNAL if shown.return_code else Exit.AS_EXPECTED
