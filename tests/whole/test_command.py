"""What holds of every command: it is listed as it tells of itself, and its errors say what to write instead."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from commands import uncork
from uncork.cli import cli

pytestmark = pytest.mark.slow  # they start programs


@pytest.mark.parametrize("width", [40, 80, 100, 1000])
def test_every_command_is_listed_once_in_full_as_it_tells_of_itself(width: int) -> None:
    """None is imported to list them, so the list has their sentences written down."""
    with click.Context(cli, terminal_width=width, max_content_width=width) as context:
        formatter = context.make_formatter()
        cli.format_commands(context, formatter)
        names = cli.list_commands(context)
    assert sorted(names) == sorted(cli.commands)
    listed = " ".join(formatter.getvalue().split())
    for name, command in cli.commands.items():
        assert command.name == name
        sentence = " ".join((command.help or "").split("\n\n")[0].split())
        assert listed.count(f" {name} {sentence}") == 1, name


HINTS = {
    ("check", "--policy", "tial"): "did you mean 'tail'?",
    ("check", "--set", "kick_on_remitt=yes"): "did you mean 'kick_on_remit'?",
    ("check", "--set", "kick_on_remit=maybe"): "it is one of no, yes",
    ("show", "arm-rechek"): "did you mean 'arm-recheck'?",
    ("trace", "propolis-2025/linux/tail/n1"): "write n1-sq3-cq3",
    ("trace", "nowhere.itf.json"): "there is no file",
    ("check", "--policy", "mine.py:x"): "there is no file mine.py",
    ("check", "--policy", "mine.py"): "there is no file mine.py",
    ("check", "propolis-2025/linux/tail/n1"): "write n1-sq3-cq3",
    ("check", "one/two/three.py"): "is read as FILE",
    ("check", "--device", "qemu", "--set", "memory=tso", "--set", "used_by=guest"): "used_by=guest is described with",
    ("prove", "arm-on-cork", "--device", "arm-recheck", "--set", "memory=arm"): "the lemmas speak of memory=sc",
}


@pytest.mark.parametrize("args", HINTS, ids=" ".join)
def test_errors_say_what_to_write(args: tuple[str, ...]) -> None:
    done = uncork(*args)
    assert done.returncode == 2
    assert HINTS[args] in done.stderr


@pytest.mark.parametrize(
    "line",
    ["show tail", "show tial", "check propolis-2025/linux/tail/n1-sq2-cq2 --json -", "check -"],
)
def test_a_command_of_the_tests_is_the_command_of_users(line: str, tmp_path: Path) -> None:
    """Which imports uncork: that of the tests is forked from a process that has."""
    users = subprocess.run(
        [Path(sys.executable).with_name("uncork"), *line.split()], capture_output=True, text=True, cwd=tmp_path
    )
    ours = uncork(*line.split(), cwd=tmp_path)
    assert ours.returncode == users.returncode
    assert ours.stderr == users.stderr
    untimed = [re.sub(r"[\d.]+ s\b|(?<=\"seconds\": )[\d.e-]+", "", said.stdout) for said in (users, ours)]
    assert untimed[0] == untimed[1]
