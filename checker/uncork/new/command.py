"""The command that writes a starting file: `uncork new`."""

from __future__ import annotations

import os
import shlex
from importlib.resources import files

import click

from uncork.command.options import Command, writable, write

KINDS = {
    "device": "check --device {}:mine --guest linux --sqs 1",
    "guest": "check --guest {}:mine --device propolis-2026 --sqs 1",
    "policy": "check --policy {}:mine --device propolis-2026 --guest linux --sqs 1",
}
"""What can be begun, and the command that checks it."""


@click.command(cls=Command)
@click.argument("kind", type=click.Choice([*KINDS]))
@click.argument("file", type=click.Path(dir_okay=False))
def new(kind: str, file: str) -> None:
    """Write a commented starting file for a device, guest or policy of your own, which can be checked at once.

    FILE ends in .py, and must not exist.
    """
    if not file.endswith(".py"):
        raise click.UsageError(
            f"FILE is Python, so its name has to end in .py: uncork new {kind} {shlex.quote(file)}.py"
        )
    if os.path.lexists(file):
        raise click.ClickException(f"{file} exists, and is not overwritten: name another file")
    writable([file])
    command = f"uncork {KINDS[kind].format(shlex.quote(file))}"
    template = (files("uncork.new") / "templates" / f"{kind}.txt").read_text(encoding="utf-8")
    write(file, template.replace("COMMAND", command))
    click.echo(f"{file} is written. Check it: {command}")
