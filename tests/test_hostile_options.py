"""What is typed that cannot be meant: empty filters, options given twice, numbers that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile import Bad, bad, holds, names

ROWS: list[Bad] = [
    bad("check --policy tial", 2, "there is no policy 'tial'"),
]


@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_bad_options_are_refused(
    row: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    holds(row, tmp_path, monkeypatch, capfd)
