"""The command that checks certificates: `uncork verify`."""

from __future__ import annotations

from pathlib import Path

import click

from uncork.command.options import Command
from uncork.decide.exits import Exit


@click.command(cls=Command)
@click.argument("certificate", type=click.Path(exists=True))
def verify(certificate: str) -> int:
    """Check certificates that `uncork prove` or `uncork check` wrote.

    The certificate has to be about the installed model. For a proof for all sizes, Z3 and cvc5 have to prove every
    obligation. A proof by exhaustive search is checked by a program that shares no code with the engine.
    """
    from uncork.render.terminal.text import Page  # rich

    path, to = Path(certificate), Page()
    if (path / "manifest.json").is_file():
        from uncork.prove import certificate as by_lemmas  # z3

        found = by_lemmas.verify(path)
        for claim in found.claims:
            to.say(claim, "bold green")
        to.say("; ".join(f"{solver}: {count:,} obligations, all proved" for solver, count in found.proved.items()))
    else:
        from uncork.check import certificate as by_states  # numpy

        for each in by_states.verify(path):
            to.say(f"{each.instance}: {', '.join(each.rows)} proved", "bold green", whole=True)
    return Exit.AS_EXPECTED
