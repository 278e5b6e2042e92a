"""Shell completion: what is offered, that it is quick, and that a shell takes it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class
from repository import ROOT
from uncork.cli import cli
from uncork.command.complete import Bash
from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.museum import BUGS
from uncork_nvme.policies import POLICIES
from uncork_properties.catalogue import ROWS
from uncork_properties.matrix import instances

VARIABLE = "_UNCORK_COMPLETE"


def offered(line: str, incomplete: str = "") -> list[str]:
    """What is offered for a word behind others."""
    found = Bash(cli, {}, "uncork", VARIABLE).get_completions(line.split(), incomplete)
    return [each.type if each.type != "plain" else each.value for each in found]


def starting(known: object, with_: str) -> list[str]:
    return [name for name in known if name.startswith(with_)]  # type: ignore[attr-defined]  # names, or by name


@pytest.mark.parametrize(
    ("line", "incomplete", "wanted"),
    [
        ("", "re", ["report", "repair", "record"]),
        ("check --device", "propolis", starting(DEVICES, "propolis")),
        ("check --device", "mmio,a", ["mmio,arm-recheck", "mmio,all"]),
        ("check --guest", "", [*GUESTS, "all"]),
        ("check --policy", "tail", starting(POLICIES, "tail")),
        ("check --policy", "./mine.py", ["file"]),
        ("check --property", "safety,un", ["safety,uncorked"]),
        ("check --set", "kick_on_p", ["kick_on_post="]),
        ("check --set", "cq_full=", ["cq_full=permits", "cq_full=ignore-in-flight", "cq_full=queue", "cq_full=ignore"]),
        ("check --set", "events=delete+cr", ["events=delete+create"]),
        ("check --events", "delete+cr", ["delete+create"]),
        ("trace", "mmio/linux/tail/n3", ["mmio/linux/tail/n3-sq2-cq2"]),
        ("trace", "./counter", ["file"]),
        ("trace", "nothing-like-it", ["file"]),
        ("trace x --beside", "kick_on_p", ["kick_on_post="]),
        ("show", "prog", starting(ROWS, "prog")),
        ("museum", "qemu-2", starting([bug.name for bug in BUGS], "qemu-2")),
        ("diff qemu", "openvmm-", starting(DEVICES, "openvmm-")),
        ("list", "p", ["policies", "properties"]),
        ("trace", "--be", ["--beside"]),
    ],
)
def test_what_is_offered(line: str, incomplete: str, wanted: list[str]) -> None:
    assert wanted
    assert [each for each in offered(line, incomplete) if each in wanted] == wanted
    assert all(each == "file" or each.startswith(incomplete) for each in offered(line, incomplete))


def test_every_instance_of_the_default_matrix_is_offered() -> None:
    assert {each.name for each in instances()} <= set(offered("trace"))


PROGRAM = "import sys; sys.argv = ['uncork']; from uncork.cli import main\ntry: main()\nfinally: print(*sys.modules)"


@pytest.mark.parametrize("words", ["uncork tra", "uncork check --device propolis", "uncork trace hand-over/"])
def test_nothing_slow_is_imported(words: str) -> None:
    environment = {**os.environ, VARIABLE: "zsh_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    offered, _, modules = done.stdout.strip().rpartition("\n")
    assert words.split()[-1] in offered
    slow = {"numba", "numpy", "llvmlite", "z3", "rich", "textual"} & set(modules.split())
    assert "uncork.command.complete" in modules.split() and not slow


# -- the shells --------------------------------------------------------------------------------------------------------
def test_words_that_bash_takes_apart_are_joined_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for words, at, wanted in (
        ("uncork check --set cq_full = pe", 5, (["check", "--set"], "cq_full=pe", "plain,permits")),
        ("uncork check --set cq_full =", 4, (["check", "--set"], "cq_full=", "plain,permits")),
        ("uncork check --device mm", 3, (["check", "--device"], "mm", "plain,mmio")),
        ("uncork check --set cq_full = queue --device mm", 7, (["check", "--set", "cq_full=queue", "--device"], "mm",
                                                                "plain,mmio")),
    ):  # fmt: skip
        monkeypatch.setenv("COMP_WORDS", words.replace(" ", "\n"))
        monkeypatch.setenv("COMP_CWORD", str(at))
        args, incomplete, line = wanted
        bash = Bash(cli, {}, "uncork", VARIABLE)
        assert bash.get_completion_args() == (args, incomplete)
        assert line in bash.complete().splitlines()


def documented(shell: str) -> str:
    found = re.search(rf"^\| {shell} \| .* \| `(.*)` \|$", (ROOT / "docs" / "guide.md").read_text(), re.MULTILINE)
    assert found, shell
    return found[1]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_documented_line_asks_for_what_there_is(shell: str) -> None:
    assert f"{VARIABLE}={shell}_source uncork" in documented(shell)
    kind = get_completion_class(shell)
    assert kind is not None
    assert f"{VARIABLE}={shell}_complete" in kind(cli, {}, "uncork", VARIABLE).source()


@pytest.mark.slow
def test_bash_takes_the_documented_line(tmp_path: Path) -> None:
    (tmp_path / "uncork").write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "import sys; sys.argv[0] = \'uncork\'; '
                                     f'from uncork.cli import main; main()" "$@"\n')  # fmt: skip
    (tmp_path / "uncork").chmod(0o755)
    script = (
        f"{documented('bash')}\nCOMP_WORDS=(uncork check --set cq_full = pe); COMP_CWORD=5\n"
        '_uncork_completion uncork; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    paths = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env={**os.environ, "PATH": paths}, cwd=tmp_path
    )
    assert done.stdout == "permits\n", done.stderr
