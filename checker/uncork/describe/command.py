"""The commands that describe the catalogue: `uncork list` and `uncork show`."""

from __future__ import annotations

import click

from uncork.command.options import Command


@click.command("list", cls=Command)
@click.argument("kind", required=False, type=click.Choice(["policies", "devices", "guests", "properties", "instances"]))
def list_(kind: str | None) -> None:
    """List policies, devices, guests, properties or instances.

    Instances are those of the default matrix. Without KIND: everything but instances.
    """
    from uncork.describe.show import listing  # imports rich and the catalogue

    listing(kind)


@click.command(cls=Command)
@click.argument("name", required=False)
def show(name: str | None) -> None:
    """Explain a policy, device, guest, property, choice, step or instance: what it is, its source, its steps.

    Without NAME: every choice that --set can override, with its values.
    """
    from uncork.describe.show import explain  # as above

    explain(name)
