"""What commands share: lists as options, budgets, progress, files written whole."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from uncork_nvme import own

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
        click.option(
            "--max-seconds",
            type=click.FloatRange(min=0),
            callback=_patience,
            help="Stop an instance after so many seconds.",
        ),
        click.option(
            "--max-memory", type=click.IntRange(min=1), help="MiB for an instance. Default: 3/4 of what there is."
        ),
        click.option("--max-states", type=click.IntRange(min=1), help="Stop an instance after so many states."),
    ):
        command = option(command)
    return command


def _patience(_: click.Context, __: click.Parameter, seconds: float | None) -> float | None:
    """The budget of time holds for policies of the user's own, too; they are told of before it is said to be spent."""
    if seconds is not None:
        own.patience(seconds + 0.5)
    return seconds


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


def write(path: str, content: str) -> None:
    """Writes a file whole or not at all; `-` is standard output, and what is no file (a pipe) is written straight."""
    if path == "-":
        click.echo(content, nl=False)
        return
    target = Path(path).resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_text(content, encoding="utf-8", errors="backslashreplace")
            return
        with tempfile.NamedTemporaryFile(
            "w", dir=target.parent, delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            try:
                file.write(content)
                file.flush()
                os.chmod(file.name, 0o644)
                os.replace(file.name, target)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise click.FileError(path, error.strerror or str(error)) from None


def writable(paths: Iterable[str]) -> None:
    """Checks before any work that files can be written at its end; raises `click.ClickException`."""
    named = [Path(path).resolve() for path in paths if path != "-"]
    for path in named:
        if not path.parent.is_dir():
            raise click.FileError(str(path), f"there is no folder {path.parent}")
        if path.is_dir():
            raise click.FileError(str(path), "this is a folder")
    if len(set(named)) < len(named):
        raise click.UsageError("two outputs would be written to one file")
