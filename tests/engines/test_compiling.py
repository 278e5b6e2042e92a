"""The compiled hot loops: kept between runs and never stale."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from uncork.engines import compiling, listening
from uncork.engines.compiling import compiled, inlined

INSTANCE = "propolis-2025/linux/tail/n2-sq2-cq2"


@inlined
def more(number: int, by: int) -> int:
    return number + by


@compiled
def added(numbers: Any, by: int) -> int:
    total = 0
    for k in range(numbers.size):
        total += more(numbers[k], by)
    return total


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where code is kept, for this test."""
    monkeypatch.setattr(compiling, "kept", lambda: tmp_path)
    return tmp_path


def made(name: str = "added") -> Any:
    """The function as a new process has it: its code is looked for again."""
    return compiled(globals()[name].__wrapped__)


def test_code_is_kept_by_the_types_of_its_arguments(place: Path) -> None:
    assert made()(np.arange(4, dtype=np.int32), 1) == 10
    assert made()(np.arange(4, dtype=np.uint8), 2) == 14
    kept = {file.name: file.stat().st_mtime_ns for file in place.iterdir()}
    assert len(kept) == 2
    assert made()(np.arange(5, dtype=np.uint8), 0) == 10
    assert {file.name: file.stat().st_mtime_ns for file in place.iterdir()} == kept


@pytest.mark.parametrize("harm", [lambda old: old[:-1], lambda old: old[:40] + b"x" + old[41:], lambda _: b""])
def test_a_file_that_is_cut_short_or_damaged_is_made_anew(place: Path, harm: Any) -> None:
    assert made()(np.arange(4), 1) == 10
    (file,) = place.iterdir()
    harmed = harm(file.read_bytes())
    file.write_bytes(harmed)
    assert made()(np.arange(4), 1) == 10
    found = file.read_bytes()
    assert found != harmed
    assert hashlib.sha256(found[32:]).digest() == found[:32]


def test_code_of_another_source_is_not_used_and_goes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made()(np.arange(4), 1)
    (before,) = place.iterdir()
    monkeypatch.setattr(compiling, "_depends", lambda: b"another version")
    made()(np.arange(4), 1)
    (after,) = place.iterdir()
    assert before != after


def test_who_listens_hears_that_a_loop_is_compiled_and_only_then(place: Path) -> None:
    heard: list[str] = []
    with listening(heard.append):
        compiling.foretell()
        assert len(heard) == 1
        made()(np.arange(4), 1)
        assert len(heard) == 2 and len(set(heard)) == 1
        made()(np.arange(4), 1)
        compiling.foretell()
    made()(np.arange(4, dtype=np.uint8), 1)
    assert len(heard) == 2
    assert "once after an install" in heard[0]


def test_who_listens_hears_when_numba_begins_and_ends(place: Path) -> None:
    """Of two loops, one of which calls the other: the end is told once, after both."""
    (place / "loops.py").write_text(
        "from uncork.engines.compiling import with_numba\n"
        "@with_numba\ndef inner(x: int) -> int:\n    return x + 1\n"
        "@with_numba\ndef outer(x: int) -> int:\n    return inner(x) + 1\n"
    )
    program = (
        "import sys\nfrom uncork.engines import listening\nheard = []\n"
        "with listening(heard.append):\n    import loops\n    assert loops.outer(1) == 3\n"
        "print(*[said[:19] or 'the end' for said in heard], sep=', ')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(place), *sys.path]), "UNCORK_CODE": str(place)}
    said = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["compiling the loops, compiling the loops, the end", ""]


def test_what_is_waited_for_is_shown_on_a_terminal_until_the_search_begins() -> None:
    program = (
        "from uncork import engines\nfrom uncork.render.terminal.progress import progress\n"
        "with progress() as watch:\n"
        "    watch(engines.Tick(0, 2, 'an instance'))\n    engines.waiting('compiling the loops')\n"
        "    watch(engines.Tick(0, 2, 'an instance'))\n    print('here')\n"
        "    watch(engines.Tick(1, 2, 'an instance'))\n"
    )
    for terminal in ("1", "0"):
        environment = {**os.environ, "TTY_COMPATIBLE": terminal, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        assert ("compiling the loops" in done.stderr) is (terminal == "1")


def test_what_code_depends_on_is_the_source_of_every_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    depends = compiling._depends.__wrapped__
    before, read = depends(), Path.read_bytes
    assert depends() == before
    for changed in ("kernel.py", "loops.py", "compiling.py", "_version.py"):  # the last is numba's
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", lambda path, c=changed: read(path) + b"#" * (path.name == c))
            assert depends() != before, changed


def test_a_check_whose_code_is_kept_imports_no_numba() -> None:
    program = (
        "import sys; from uncork.decide import many; from uncork_nvme.instance import from_name\n"
        f"print(*[type(row.verdict).__name__ for row in next(iter(many.check([from_name({INSTANCE!r})]))).rows])\n"
        "print('numba' in sys.modules)"
    )
    for _ in range(2):  # the first may have to compile
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        words, imported = done.stdout.splitlines()
        assert words == "Proved Refuted Refuted Refuted"
    assert imported == "False"


def test_an_array_whose_elements_are_apart_is_refused() -> None:
    with pytest.raises(TypeError, match="do not follow one another"):
        added(np.arange(8)[::2], 1)
