"""Options, budgets, progress and files, shared by all commands.

Every command imports this module. Modules that few commands need (`tempfile`, `own`) are therefore imported where they
are used.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from uncork.command import complete
from uncork.core import numbers

if TYPE_CHECKING:
    from uncork.engines import Budget


class Command(click.Command):
    """A command that refuses empty values, repeated options (unless their values add up) and numbers in other digits.

    Otherwise an unset shell variable, or a second value that replaces the first, would silently check something else.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parses the words of a command line. Raises `click.UsageError` for a word that must be a mistake."""
        if not ctx.resilient_parsing:
            given, _, order = self.make_parser(ctx).parse_args(list(args))
            for param, times in Counter(order).items():
                if times > 1 and not param.multiple:
                    raise click.UsageError(f"{param.get_error_hint(ctx)} is given {times} times: give it once", ctx)
                values = given.get(param.name or "")
                for value in values if isinstance(values, (list, tuple)) else [values]:
                    if isinstance(value, str) and (wrong := _wrong(value, param.type)):
                        raise click.BadParameter(wrong, ctx, param)
        return super().parse_args(ctx, args)


def _wrong(value: str, type_: click.ParamType[Any]) -> str:
    """Returns what is wrong with a value for an option of a type; the empty string if nothing is."""
    if not value.strip():
        return "it is empty (a variable that is not set?): write a value, or leave it out."
    try:
        if isinstance(type_, click.types.IntParamType):
            numbers.whole(value)
        if isinstance(type_, click.types.FloatParamType) and (
            set(value) - set("0123456789.eE-") or not math.isfinite(float(value))
        ):
            return f"{value!r} is not a number in the digits 0 to 9, such as 0.5"
    except ValueError as error:
        return str(error)
    return ""


class ListType(click.ParamType[list[Any]]):
    """A list of values separated by commas. Commas in brackets do not separate."""

    def __init__(self, element: Callable[[str], Any] = str, name: str = "str") -> None:
        self.element, self.name = element, f"{name},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any]:
        """Returns the values of an option. Fails with `click.BadParameter` if a value is missing or malformed."""
        parts = [each.strip() for each in _apart(value)]
        if not all(parts):
            self.fail(f"{value!r} lacks a value before or after a comma: write it, or drop the comma", param, ctx)
        try:
            return [self.element(each) for each in parts]
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _apart(value: str) -> list[str]:
    parts, depth = [""], 0
    for char in value:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


OUTPUT = click.Path(dir_okay=False, allow_dash=True)
JSON = click.option("--json", "json_", type=OUTPUT, help="Write it as JSON; - is standard output.")
NAMES, NUMBERS = ListType(), ListType(numbers.whole, "int")
_F = TypeVar("_F", bound=Callable[..., Any] | click.Command)


def _joined(_: click.Context, __: click.Parameter, lists: Iterable[list[Any]]) -> list[Any] | None:
    return list(dict.fromkeys(each for values in lists for each in values)) or None


def listed(*names: str, of: ListType = NAMES, default: str | None = None, **more: Any) -> Callable[[_F], _F]:
    """An option with values separated by commas. Repeated options add up. None if the option is not given."""
    return click.option(
        *names, type=of, multiple=True, callback=_joined, default=None if default is None else [default], **more
    )


def filtered(command: Callable[..., int]) -> Any:
    """Adds the options that filter instances to a command. The command gets them as `filters`."""

    @functools.wraps(command)
    def given(
        *,
        policy: list[str] | None,
        device: list[str] | None,
        guest: list[str] | None,
        sqs: list[int] | None,
        sq_size: list[int] | None,
        cq_size: list[int] | None,
        overrides: tuple[str, ...],
        events: str | None,
        **rest: Any,
    ) -> int:
        from uncork.command.selection import Filters

        chosen = (*overrides, *((f"events={events}",) if events else ()))
        filters = Filters(policy or (), device or (), guest or (), sqs or (), sq_size or (), cq_size or (), chosen)
        return command(filters=filters, **rest)

    for option in reversed((
        listed(
            "--policy",
            help="Policies. Write your own as path/to/file.py:function.",
            shell_complete=complete.several_policies,
        ),
        listed(
            "--device",
            help="Devices, or all. Write your own as path/to/file.py:name.",
            shell_complete=complete.several_devices,
        ),
        listed("--guest", help="Guests, or all; your own likewise.", shell_complete=complete.several_guests),
        listed("--sqs", of=NUMBERS, help="Numbers of SQs on the CQ."),
        listed("--sq-size", of=NUMBERS, help="Entries of each SQ."),
        listed("--cq-size", of=NUMBERS, help="Entries of the CQ."),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="NAME=VALUE",
            shell_complete=complete.overrides,
            help="Override a choice (see: uncork show). Repeatable.",
        ),
        click.option(
            "--events",
            metavar="NAME+...",
            help="Events in the life of queues: --set events=...",
            shell_complete=complete.events,
        ),
    )):  # fmt: skip
        given = option(given)
    return given


def budgeted(command: Any) -> Any:
    """Adds the options of a budget to a command."""
    for option in (
        click.option(
            "--max-seconds",
            type=click.FloatRange(min=0),
            callback=_patience,
            help="Give up an instance after this many seconds.",
        ),
        click.option(
            "--max-memory", type=click.IntRange(min=1), help="MiB for an instance. Default: 3/4 of this machine's."
        ),
        click.option("--max-states", type=click.IntRange(min=1), help="Give up an instance after this many states."),
    ):
        command = option(command)
    return command


def _patience(_: click.Context, __: click.Parameter, seconds: float | None) -> float | None:
    """Applies the time budget to the loading of user policies too, and names the policy that used it up."""
    if seconds is not None:
        from uncork_nvme.own import policy

        policy.patience(seconds + 0.5)
    return seconds


@contextlib.contextmanager
def progress() -> Iterator[Any]:
    """Yields a function that takes the ticks of a run and shows them on a terminal."""
    from uncork.render.terminal.progress import progress as shown

    with shown() as watch:
        yield watch


def budget(states: int | None, mebibytes: int | None, seconds: float | None, instances: int) -> Budget:
    """Returns the budget of one of several instances that share this machine's memory."""
    from uncork.engines import Budget

    if mebibytes is None:
        jobs = min(os.cpu_count() or 1, instances)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4 // max(jobs, 1)
    else:
        memory = mebibytes * 2**20
    return Budget(states, memory, seconds)


# -- files -------------------------------------------------------------------------------------------------------------
def writable(outputs: Iterable[str | None], inputs: Iterable[str | Path | None] = ()) -> None:
    """Checks that all outputs can be written: they are different files, and none is an input.

    Called before any work. None stands for an output that was not given. Raises `click.ClickException`.
    """
    named = [path for path in outputs if path is not None and path != "-"]
    for path in named:
        _try(path)
    marks = [_mark(path) for path in named]
    if len(set(marks)) < len(marks):
        raise click.UsageError("two outputs would be written to one file")
    read = {_mark(path): path for path in inputs if path is not None and os.path.isfile(path)}
    for path, mark in zip(named, marks, strict=True):
        if mark in read:
            raise click.FileError(path, f"{read[mark]} is read from it: write to another file")


def _try(path: str) -> None:
    if not path:
        raise click.UsageError("an output has an empty name: leave the option out, or name a file")
    target = Path(os.path.realpath(path))
    with told(path):
        if not os.path.isdir(target.parent):
            raise click.FileError(path, f"there is no folder {target.parent}")
        try:
            there = os.stat(target)
        except FileNotFoundError:
            there = None
        if there and stat.S_ISDIR(there.st_mode):
            raise click.FileError(path, "this is a folder")
        if there and not stat.S_ISREG(there.st_mode):
            if not os.access(target, os.W_OK):
                raise click.FileError(path, os.strerror(errno.EACCES))
            return  # a pipe or a device: only writing shows whether it works
        import tempfile

        with tempfile.TemporaryFile(dir=target.parent) as file:
            file.write(b"any")


def _mark(path: str | Path) -> object:
    """Returns a key that is equal for all names of a file, symbolic and hard links included."""
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def told(path: str | Path) -> Iterator[None]:
    """Turns an `OSError` into a `click.FileError` that names the file."""
    try:
        yield
    except OSError as error:
        raise click.FileError(str(path), error.strerror or str(error)) from None


@contextlib.contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Opens a file that replaces `path` at the end; never on errors. Pipes and devices are written directly."""
    target = Path(os.path.realpath(path))
    with told(path):
        if target.exists() and not target.is_file():
            yield target
            return
        import tempfile

        made, name = tempfile.mkstemp(dir=target.parent, suffix=target.suffix)
        try:
            os.close(made)
            yield Path(name)
            os.chmod(name, 0o644)
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write(path: str, content: str) -> None:
    """Writes a text file whole or not at all. `-` is standard output."""
    if path == "-":
        click.echo(content, nl=False)
        return
    with whole(path) as file:
        file.write_text(content, encoding="utf-8", errors="backslashreplace")
