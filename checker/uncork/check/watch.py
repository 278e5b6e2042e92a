"""`uncork check --watch`: checks again whenever the user saves a file of a policy, device or guest."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import InstanceError, forget
from uncork_nvme.names import files
from uncork_properties.expected import ExpectationError

from uncork.check.once import Asked, beside, once
from uncork.command.selection import Filters
from uncork.core.sorts import SlipError
from uncork.decide.exits import Exit

_LOOK = 500
"""Milliseconds after which the files are compared even without a notification."""

Seen = dict[Path, tuple[int, bytes] | None]
"""The time of modification and the content of every file; None for a missing file."""


def watch(asked: Asked) -> int:
    """Checks until Ctrl-C. An error in a file is printed on one line; the next saved version is checked again."""
    files = _files(asked)
    if not any(file.suffix == ".py" for file in files):
        raise click.UsageError(
            "--watch waits for a file of your own: --policy path/to/file.py:function, or --device or --guest"
        )
    for file in files:
        if not file.is_file():
            raise InstanceError(f"there is no file {file}")
    why = f"watching {_named(files)}; Ctrl-C ends"
    while True:
        seen = _look(files)
        click.echo(f"== {time.strftime('%H:%M:%S')} {why}")
        forget()
        if _told(lambda: once(asked)) == Exit.INTERRUPTED:
            return Exit.INTERRUPTED
        _wait(seen)
        now = _look(files)
        why = f"{_named([file for file in files if now[file] != seen[file]] or files)} was saved"
        with contextlib.suppress(ExpectationError):  # the next check reports it
            files += [file for file in _files(asked) if file not in files]


def _files(asked: Asked) -> list[Path]:
    """Returns the files of what is checked, with those beside them that they import, and the file of expectations."""
    if asked.names or (asked.expect and asked.filters == Filters()):
        own = [file for instance in asked.instances()[0] for file in instance.files]
    else:
        own = files([*asked.filters.policies, *asked.filters.devices, *asked.filters.guests])
    read = [each for file in dict.fromkeys(own) for each in beside(file)]
    return list(dict.fromkeys([*read, *([Path(asked.expect)] if asked.expect else [])]))


def _told(what: Callable[[], int | None]) -> int | None:
    """Calls `what`; prints an error in a file on one line and returns None."""
    try:
        return what()
    except (InstanceError, ChoiceError, ExpectationError, SlipError) as error:
        click.echo("Error: " + ": ".join(line.strip() for line in str(error).splitlines()), err=True)
        return None


def _wait(seen: Seen) -> None:
    """Returns when a file differs from `seen`. Folders are watched, because editors replace files."""
    from watchfiles import watch as changes  # only needed for --watch

    folders = {file.resolve().parent for file in seen}
    for _ in changes(
        *folders, watch_filter=None, debounce=200, rust_timeout=_LOOK, yield_on_timeout=True, recursive=False
    ):
        if _look(seen) != seen:
            return


def _look(files: Iterable[Path]) -> Seen:
    return {file: _state(file) for file in files}


def _state(file: Path) -> tuple[int, bytes] | None:
    try:
        return file.stat().st_mtime_ns, file.read_bytes()
    except OSError:
        return None


def _named(files: Iterable[Path]) -> str:
    return ", ".join(map(str, files))
