"""The command line. A command is imported when it is called, so that it waits only for its own imports.

Importing all commands would make `uncork --help` ten times slower.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import MutableMapping
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from uncork import __version__
from uncork.command.options import Command
from uncork.decide import apart, signals
from uncork.decide.exits import Exit


class _Place(NamedTuple):
    """The package whose module `command` defines a command, and the first sentence of the command's help."""

    package: str
    help: str
    name: str = ""


_COMMANDS = {
    "cost": _Place(
        "cost",
        "Compute exact costs of instances: doorbells per completion, and how long a corked SQ waits.",
    ),
    "measure": _Place(
        "measure",
        "Simulate instances under a load, at sizes too large to search: doorbells, time corked, time to resume.",
    ),
    "repair": _Place(
        "design",
        "Find every minimal set of changes that makes DEVICE live, and show why each change is needed.",
    ),
    "frontier": _Place(
        "design",
        "Show the live designs that no other beats: CQ doorbells per completion against the worst wait.",
    ),
    "sweep": _Place("sweep", "Decide many instances, on all cores or on a cluster, and keep the verdicts in a file."),
    "conform": _Place(
        "conform",
        "Run a real QEMU beside its model, step by step, and compare; or run the schedule in FILE again.",
    ),
    "report": _Place(
        "report",
        "Check as `uncork check` does, and write verdicts and counterexamples to one HTML file, to step through.",
    ),
    "validate": _Place(
        "validate",
        "Check that LOG of a real device is a run of the model; steps missing from LOG may happen between its events.",
    ),
    "record": _Place("trace", "Print a run of the model as a log that `uncork validate` reads."),
    "explore": _Place(
        "explore",
        "Walk through an instance in the terminal: take steps, take them back, jump to its counterexamples.",
    ),
    "list": _Place("describe", "List policies, devices, guests, properties or instances.", "list_"),
    "show": _Place(
        "describe",
        "Explain a policy, device, guest, property, choice, step or instance: what it is, its source, its steps.",
    ),
    "diff": _Place("describe", "Show what differs between A and B: settings, steps and recorded verdicts."),
    "check": _Place(
        "check",
        "Check the default matrix or the filtered instances, and compare the verdicts with the expected ones.",
    ),
    "museum": _Place(
        "museum", "Check the museum of bugs of real devices and drivers: each is refuted, and its fix is proved."
    ),
    "prove": _Place("prove", "Prove a design for every queue size: with one SQ, and with any number of them."),
    "verify": _Place("verify", "Check certificates that `uncork prove` or `uncork check` wrote."),
    "trace": _Place(
        "trace", "Print the shortest counterexample of an instance, or a stored one; both are replayed first."
    ),
    "simulate": _Place("trace", "Print a random fair run of an instance: each step is drawn from the enabled ones."),
    "new": _Place(
        "new",
        "Write a commented starting file for a device, guest or policy of your own, which can be checked at once.",
    ),
    "export": _Place("export", "Print an instance in another tool's language."),
}
"""The commands by name."""
_GROUPS = {
    "Check": ("check", "trace", "explore", "report", "new"),
    "Understand": ("list", "show", "diff", "simulate", "museum"),
    "Choose": ("repair", "frontier", "cost", "measure"),
    "Every size": ("prove", "verify"),
    "Real devices": ("validate", "record", "conform"),
    "Many": ("sweep", "export"),
}
"""The commands by what they are for, in the order in which they are listed."""


class _Group(click.Group):
    """The commands of the table. A command is imported when it is called; listing imports none."""

    command_class = Command

    def list_commands(self, _: click.Context) -> list[str]:
        """Returns the names of all commands, group by group."""
        return [name for names in _GROUPS.values() for name in names]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Completes the name of a command, of which none is imported, or an option."""
        names = (name for name in self.list_commands(ctx) if name.startswith(incomplete))
        found = [CompletionItem(name, help=_COMMANDS[name].help) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """Returns the command of a name; None if there is none."""
        return _found(name) if name in _COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands in groups, with what each does in full."""
        width = max(map(len, _COMMANDS))
        for group, names in _GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name.ljust(width), _COMMANDS[name].help) for name in names])

    @property
    def commands(self) -> MutableMapping[str, click.Command]:
        """All commands, imported."""
        return {name: _found(name) for name in _COMMANDS}

    @commands.setter
    def commands(self, _: Any) -> None:
        pass  # the table is fixed


def _found(name: str) -> click.Command:
    place = _COMMANDS[name]
    found = getattr(importlib.import_module(f"uncork.{place.package}.command"), place.name or name)
    assert isinstance(found, click.Command)
    return found


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="uncork")
def cli() -> None:
    """Can a submission queue stay corked for ever? Checks NVMe doorbell-buffer devices, guests and EventIdx policies.

    An INSTANCE is named device/guest/policy/n1-sq3-cq3 (one SQ of 3 entries, a CQ of 3). Overridden choices follow
    after another slash: .../n1-sq3-cq3/choice=value,...
    """


def main(*, forks: bool = False) -> None:
    """Runs the command line and ends the process: bad input is 2, a bug of uncork 70, Ctrl-C 130.

    With `forks` it goes on in a second process before it runs a file of the user's own devices or guests (`apart`).
    """
    with signals.heard(), apart.ready() if forks else contextlib.nullcontext():
        code = _run()
    code = signals.code() if code == Exit.INTERRUPTED else code
    apart.tell(code)
    sys.exit(code)


def _run() -> int:
    code: int = Exit.AS_EXPECTED
    try:
        code = cli.main(standalone_mode=False) or Exit.AS_EXPECTED
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        _drop_output()  # a reader such as head closed the pipe
    except RecursionError:
        click.echo("Error: too large: its expressions are too deep. Take fewer SQs, or --set kick_size=all", err=True)
        code = Exit.USAGE
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            _drop_output()
            click.echo(f"Error: standard output: {error.strerror}", err=True)
            return Exit.USAGE
        code = _told(error)
    return code


def _told(error: Exception) -> Exit:
    """Prints an error of the input, or a traceback for a bug of uncork. Returns the exit code."""
    import traceback  # only needed for errors

    from uncork_nvme.choices import ChoiceError, InstanceError
    from uncork_properties.expected import ExpectationError

    from uncork.core.sorts import SlipError
    from uncork.core.trace import ReplayError
    from uncork.export import Inexpressible

    if isinstance(error, ReplayError):
        click.echo(f"Error: rejected: {error}", err=True)
        return Exit.REPLAY
    if isinstance(error, (InstanceError, ChoiceError, ExpectationError, SlipError, Inexpressible)):
        click.echo(f"Error: {error}", err=True)
        return Exit.USAGE
    traceback.print_exception(error)
    click.echo("Error: this is a bug of uncork, not an error in your input", err=True)
    return Exit.INTERNAL


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
