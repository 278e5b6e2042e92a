"""Finds the instances that a command is about."""

from __future__ import annotations

from collections.abc import Sequence

import click
from uncork_nvme.instance import Instance

from uncork.command import idle, selection
from uncork.command.selection import Filters


def chosen(names: Sequence[str], filters: Filters) -> list[Instance]:
    """Returns the named instances and the filtered ones. Prints which combinations were left out, and why.

    Raises `InstanceError` or `ChoiceError` for unknown names, or if no instance is named.
    """
    found, left_out = selection.named(names, filters)
    for reason in [*(f"left out: {each}" for each in left_out), *idle.told(filters, found)]:
        click.echo(reason, err=True)
    return found
