"""What commands share: lists as options, budgets, progress, files written whole."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from uncork.engines import Budget


class ListType(click.ParamType[list[Any]]):
    """Values separated by commas, but for commas in brackets."""

    def __init__(self, element: type = str) -> None:
        self.element, self.name = element, f"{element.__name__},..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any]:
        """The values of an option."""
        if isinstance(value, list):
            return value
        try:
            return [self.element(each.strip()) for each in _apart(value) if each.strip()]
        except ValueError:
            self.fail(f"{value!r}: whole numbers, separated by commas", param, ctx)


def _apart(value: str) -> list[str]:
    parts, depth = [""], 0
    for char in value:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


NAMES, NUMBERS = ListType(), ListType(int)


def filtered(command: Callable[..., int]) -> Any:
    """Adds the filters of instances to a command, which gets them as `filters`."""

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
        from uncork.selection import Filters

        chosen = (*overrides, *((f"events={events}",) if events else ()))
        filters = Filters(policy or (), device or (), guest or (), sqs or (), sq_size or (), cq_size or (), chosen)
        return command(filters=filters, **rest)

    for option in reversed((
        click.option("--policy", type=NAMES, help="Policies; your own is path/to/file.py:function."),
        click.option("--device", type=NAMES, help="Devices; all of the catalogue: all."),
        click.option("--guest", type=NAMES, help="Guests; all of the catalogue: all."),
        click.option("--sqs", type=NUMBERS, help="Numbers of SQs on the CQ."),
        click.option("--sq-size", type=NUMBERS, help="Entries of each SQ."),
        click.option("--cq-size", type=NUMBERS, help="Entries of the CQ."),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="NAME=VALUE",
            help="Override a choice (see: uncork show). Repeatable.",
        ),
        click.option("--events", metavar="NAME+...", help="What happens to queues besides their use: --set events=..."),
    )):  # fmt: skip
        given = option(given)
    return given


def budgeted(command: Any) -> Any:
    """Adds the options of a budget to a command."""
    for option in (
        click.option("--max-seconds", type=click.FloatRange(min=0), help="Stop an instance after so many seconds."),
        click.option(
            "--max-memory", type=click.IntRange(min=1), help="MiB for an instance. Default: 3/4 of what there is."
        ),
        click.option("--max-states", type=click.IntRange(min=1), help="Stop an instance after so many states."),
    ):
        command = option(command)
    return command


@contextlib.contextmanager
def progress() -> Iterator[Any]:
    """Takes the ticks of a run, and shows them on a terminal."""
    from uncork.render.progress import progress as shown

    with shown() as show_progress:
        yield lambda tick: show_progress(tick.done, tick.total, tick.current, tick.progress)


def budget(states: int | None, mebibytes: int | None, seconds: float | None, instances: int) -> Budget:
    """A budget for each of so many instances, which share the machine's memory."""
    from uncork.engines import Budget

    if mebibytes is None:
        jobs = min(os.cpu_count() or 1, instances)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4 // max(jobs, 1)
    else:
        memory = mebibytes * 2**20
    return Budget(states, memory, seconds)


# -- files -------------------------------------------------------------------------------------------------------------
def own_file(policy: str) -> Path | None:
    """The file of a policy of the user's own; None for one of the catalogue, or a formula."""
    path, colon, _ = policy.rpartition(":")
    return Path(path) if colon else None


def writable(outputs: Iterable[str | None], inputs: Iterable[str | Path | None] = ()) -> None:
    """Tries before any work that files can be written at its end: each is another one, and none is an input.

    None is what was not given. Raises `click.ClickException`.
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
            return  # a pipe or a device: what it takes is known when it is written
        with tempfile.TemporaryFile(dir=target.parent) as file:
            file.write(b"any")


def _mark(path: str | Path) -> object:
    """What all names of a file have in common, links among them."""
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def told(path: str | Path) -> Iterator[None]:
    """Says of what goes wrong with a file which file that is: `click.FileError`."""
    try:
        yield
    except OSError as error:
        raise click.FileError(str(path), error.strerror or str(error)) from None


@contextlib.contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A file to write, which takes the place of another at the end, or never; what is no file is written straight."""
    target = Path(os.path.realpath(path))
    with told(path):
        if target.exists() and not target.is_file():
            yield target
            return
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
    """Writes a text file whole or not at all; `-` is standard output."""
    if path == "-":
        click.echo(content, nl=False)
        return
    with whole(path) as file:
        file.write_text(content, encoding="utf-8", errors="backslashreplace")
