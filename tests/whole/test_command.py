"""What holds of every command: it is listed as it tells of itself, and its errors say what to write instead."""

from __future__ import annotations

import click
import pytest
from commands import uncork
from uncork.cli import cli

pytestmark = pytest.mark.slow  # they start programs


@pytest.mark.parametrize("width", [40, 80, 100, 1000])
def test_commands_are_listed_as_each_tells_of_itself(width: int) -> None:
    """None is imported to list them, so the list has their sentences written down."""
    with click.Context(cli, terminal_width=width, max_content_width=width) as context:
        listed = [context.make_formatter() for _ in range(2)]
        cli.format_commands(context, listed[0])
        click.Group(commands=[command for _, command in sorted(cli.commands.items())]).format_commands(
            context, listed[1]
        )
    assert listed[0].getvalue() == listed[1].getvalue()
    assert all(command.name == name for name, command in cli.commands.items())


HINTS = {
    ("check", "--policy", "tial"): "did you mean 'tail'?",
    ("check", "--set", "kick_on_remitt=yes"): "did you mean 'kick_on_remit'?",
    ("check", "--set", "kick_on_remit=maybe"): "it is one of no, yes",
    ("show", "arm-rechek"): "did you mean 'arm-recheck'?",
    ("trace", "propolis-2025/linux/tail/n1"): "write n1-sq3-cq3",
    ("trace", "nowhere.itf.json"): "there is no file",
    ("check", "--policy", "mine.py:x"): "there is no file mine.py",
    ("check", "--device", "spdk-poll", "--set", "memory=tso"): "set threads to many",
    ("prove", "arm-on-cork", "--device", "arm-recheck", "--set", "memory=tso"): "the lemmas speak of memory=sc",
}


@pytest.mark.parametrize("args", HINTS, ids=" ".join)
def test_errors_say_what_to_write(args: tuple[str, ...]) -> None:
    done = uncork(*args)
    assert done.returncode == 2
    assert HINTS[args] in done.stderr
