"""Options as they are read, and the files that they name as they are written."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from uncork.command import options
from uncork.command.options import ListType


def test_commas_in_brackets_do_not_end_a_name() -> None:
    assert ListType().convert("tail, head+min(occupied,max(n,1)),never", None, None) == [
        *("tail", "head+min(occupied,max(n,1))", "never"),
    ]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "there.xml"
    file.write_text("before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(click.FileError, match="No space left"):
            options.write(str(file), "after")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("there.xml", "before")]
    options.write(str(file), "after")
    assert file.read_text() == "after"


def test_writing_to_what_is_no_file_does_not_replace_it() -> None:
    options.write("/dev/null", "nothing")
    assert not Path("/dev/null").is_file()
