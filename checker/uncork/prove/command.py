"""The command that proves designs for queues of every size: `uncork prove`."""

from __future__ import annotations

from pathlib import Path

import click
from uncork_nvme.choices import parse_all
from uncork_nvme.instance import Design

from uncork.command import complete
from uncork.command.options import Command, progress
from uncork.decide.exits import Exit
from uncork.decide.gate import worst


@click.command(cls=Command)
@click.argument("policy", shell_complete=complete.policies)
@click.option("--device", required=True, help="A device.")
@click.option("--guest", default="linux", show_default=True, help="A guest.")
@click.option("--sqs", type=click.Choice(["one", "two", "three", "any", "both"]), default="both", show_default=True)
@click.option(
    "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override a choice (see: uncork show). Repeatable."
)
@click.option("--certificate", type=click.Path(file_okay=False), help="Write the proof obligations to this folder.")
def prove(policy: str, device: str, guest: str, sqs: str, overrides: tuple[str, ...], certificate: str | None) -> int:
    """Prove a design for every queue size: with one SQ, and with any number of them.

    Two workers of an SQ, or more, stand for any number of them. With parts or lemmas of your own a design is proved
    with one, two or three SQs, and not with any number. If the proof fails, uncork names the step that breaks it and
    searches small sizes for a counterexample.
    """
    from uncork.prove import certificate as files
    from uncork.prove import proof, show  # imports z3 and rich: slow
    from uncork.render.terminal.text import Page

    design = Design(device, guest, policy, parse_all(overrides))
    if certificate is not None:
        files.prepare(certificate, design.files)
    to, codes, proved = Page(), [], []
    uncovered = proof.owned(design) if sqs == "both" else ""
    for side in [sqs] if sqs != "both" else ["one", "two" if uncovered else "any"]:
        several, of = side == "any", proof.SQS.index(side) + 1 if side in proof.SQS else 1
        with progress() as watch:
            parts = proof.prove(design, several, watch, of)
            lacking = show.unproved(parts)
            real = list(proof.failing(design, several, lacking, watch, of)) if lacking else []
        codes.append(show.report(to, design, parts, real))
        proved.append(parts[-1])
    if uncovered:
        to.say(f"open: more SQs are not covered. {uncovered}", "magenta")
        codes.append(Exit.OPEN)
    if certificate is not None:
        files.write(Path(certificate), design, proved)
        to.say(f"certificate: {certificate} (uncork verify checks it)", whole=True)
    return worst(codes)
