"""The commands that describe the catalogue: `uncork list`, `uncork show` and `uncork diff`."""

from __future__ import annotations

import click

from uncork.command import complete
from uncork.command.options import JSON, Command, filtered, write
from uncork.command.selection import Filters


@click.command("list", cls=Command)
@click.argument("kind", required=False, type=click.Choice(["policies", "devices", "guests", "properties", "instances"]))
@filtered
def list_(kind: str | None, filters: Filters) -> int:
    """List policies, devices, guests, properties or instances.

    Instances are those that `uncork check` checks with the same options; without options the default matrix. Without
    KIND: everything but instances; with options, instances.
    """
    if filters == Filters():
        from uncork.describe.show import listing  # imports rich and the catalogue

        listing(kind)
        return 0
    if kind not in (None, "instances"):
        raise click.UsageError(f"these options choose instances, not {kind}: uncork list instances, or leave them out")
    from uncork.command.instances import chosen  # as above

    for instance in chosen((), filters):
        click.echo(instance.name)
    return 0


@click.command(cls=Command)
@click.argument("name", required=False, shell_complete=complete.subjects)
@click.option("--steps", is_flag=True, help="Print the guard and the updates of each step, and all choices.")
def show(name: str | None, *, steps: bool) -> None:
    """Explain a policy, device, guest, property, choice, step or instance: what it is, its source, its steps.

    Of a device, guest, design or instance: its program, a line a step, with the source function it was read in.
    Without NAME: every choice that --set can override, with its values.
    """
    from uncork.describe.show import explain  # as above

    explain(name, steps=steps)


@click.command(cls=Command)
@click.argument("one", metavar="A", shell_complete=complete.components)
@click.argument("other", metavar="B", shell_complete=complete.components)
@JSON
def diff(one: str, other: str, *, json_: str | None) -> None:
    """Show what differs between A and B: settings, steps and recorded verdicts.

    A and B are two devices, guests or policies, or two designs or instances: device/guest/policy or
    device/guest/policy/n1-sq3-cq3. Choices follow after another slash: device/choice=value,...
    """
    from uncork.describe.difference import difference  # as above
    from uncork.describe.show_difference import show as shown

    found = difference(one, other)
    if json_ != "-":
        shown(found)
    if json_:
        import json

        write(json_, json.dumps(found.data, indent=2) + "\n")
