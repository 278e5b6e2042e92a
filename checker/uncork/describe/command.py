"""The commands that tell what there is: `uncork list` and `show`."""

from __future__ import annotations

import click

from uncork.command.options import Command


@click.command("list", cls=Command)
@click.argument("kind", required=False, type=click.Choice(["policies", "devices", "guests", "properties", "instances"]))
def list_(kind: str | None) -> None:
    """List what there is.

    Policies, devices, guests, properties, instances of the default matrix (all but the last by default).
    """
    from uncork.describe.show import listing  # rich, and all there is to list

    listing(kind)


@click.command(cls=Command)
@click.argument("name", required=False)
def show(name: str | None) -> None:
    """Explain a policy, device, guest, property, choice, step or instance: what it is, its source, its steps.

    Without NAME: every choice that --set can override, with its values.
    """
    from uncork.describe.show import explain  # as above

    explain(name)
