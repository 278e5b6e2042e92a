"""The documentation: the site is built without a warning, loads nothing from elsewhere, and its commands do as it says.

How a page says what is run:

- A command is a line of an indented block, or of a fenced one of no language, that begins with `uncork ` or `make `,
  and goes on after a backslash. It exits with 0, or as a comment at its end says: `# exit 13`. Of `make` it is seen
  that the target exists.
- A fence of `text` after it is its output, with a line `...` for what is left out.
- A fence with a title is a file of the reader's: `my_policy.py`, with `, at its end` to add to it.
- `<!-- test: run COMMAND -->` before a block: in place of its next command this one is run, which is quicker.

The commands of a page are run in their order, in a folder of their own.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from commands import program
from repository import ROOT
from uncork.cli import cli
from uncork.conform.harness.command import exec_
from uncork_nvme.instance import from_name

PAGES = {
    page.relative_to(ROOT).as_posix(): page for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
SECONDS = 120
"""How long a command may take, on a machine that does other things too."""

NOT_RUN = {
    "uncork repair propolis-2026": "minutes; test_repair searches a part of it",
    "uncork repair propolis-2026 --sqs 1,2": "minutes; test_repair searches a part of it",
    "uncork frontier --plot frontier.svg": "minutes; test_frontier searches a part of it",
    "uncork conform qemu": "480 schedules; test_conform has some, and the others of its block are run",
    "uncork validate LOG --device propolis-2026 --guest linux --sqs 1 --sq-size 4 --cq-size 4": "LOG stands for a file",
    "uncork validate LOG --device propolis-2026 --guest linux --sqs 1 --sq-size 1024 --cq-size 1024": "so here",
    "uncork check --expect expected.csv --watch": "goes on until Ctrl-C; test_watch has it",
    "uncork sweep --db sweep.db --cluster tcp://HOST:8786 ...": "HOST stands for a machine; test_sweep has a cluster",
    "uncork export tla INSTANCE > NAME.tla": "a pattern; test_export_tla has TLC's distributed mode",
}
"""The commands of the pages that are not run, and why."""

NEEDS = {
    "uncork conform qemu": "qemu-system-x86_64",
    "uncork conform exec qemu": "qemu-system-x86_64",
    "uncork conform exec --device": "cc",
}
"""Commands that are run only where a program is."""


@dataclass(frozen=True)
class Command:
    """A command of a page; `run` is what is run in its place."""

    line: str
    exit: int
    run: str


@dataclass(frozen=True)
class Output:
    """What the page shows of what the last command printed."""

    text: str


@dataclass(frozen=True)
class Content:
    """A file of the reader's, or a part of one."""

    name: str
    where: str
    text: str


Part = Command | Output | Content

REPOSITORY = {"counterexamples", "examples", "properties"}
"""What of the repository is in the folder of a page."""
_SAID: dict[str, tuple[int, str]] = {}
"""The exit codes and the output of commands that found no file of a page's and left none: so they are on every page."""

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+)(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\s*$")
_LINE = re.compile(r"(?:uncork|make) |[A-Z]+=\S+$")


def parts(markdown: str) -> Iterator[Part]:
    """What a page says to type, write and expect, in its order."""
    instead: list[str] = []
    shell: list[str] = []
    lines = iter(markdown.splitlines())
    for line in lines:
        if said := re.fullmatch(r"\s*<!-- test: run (.+) -->", line):
            instead.append(said[1])
        elif fence := _FENCE.match(line):
            block = list(_inside(lines, fence["indent"], fence["ticks"]))
            if fence["title"]:
                name, _, where = fence["title"].partition(", ")
                yield Content(name, where, "".join(f"{each}\n" for each in block))
            elif fence["language"] == "text":
                yield Output("\n".join(block))
            elif not fence["language"]:
                yield from _commands(block, instead, shell)
        elif re.match(r" {4}", line):
            while line.endswith("\\"):
                line = line[:-1].rstrip() + " " + next(lines).strip()
            yield from _commands([line], instead, shell)


def _inside(lines: Iterator[str], indent: str, ticks: str) -> Iterator[str]:
    for line in lines:
        if line.strip() == ticks:
            return
        yield line.removeprefix(indent)
    raise AssertionError("a fence is not closed")


def _commands(block: list[str], instead: list[str], shell: list[str]) -> Iterator[Command]:
    for line in map(str.strip, block):
        if not _LINE.match(line):
            continue
        if not line.startswith(("uncork ", "make ")):
            shell.append(line)
            continue
        command, comment, said = line.partition(" #")
        exits = re.search(r"\bexit (\d+)", said) if comment else None
        command = command.strip()
        run = "; ".join([*shell, instead.pop(0) if instead else command])
        yield Command(command, int(exits[1]) if exits else 0, run)


def problems(markdown: str, folder: Path) -> list[str]:
    """What of a page is not as it says, after all of it was done in `folder`."""
    found: list[str] = []
    printed: str | None = None
    for name in REPOSITORY:
        (folder / name).symlink_to(ROOT / name)
    for part in parts(markdown):
        if isinstance(part, Content):
            _written(part, folder)
        elif isinstance(part, Output):
            if printed is not None and not shows(part.text, printed):
                found.append(f"the page shows:\n{part.text}\nand printed is:\n{printed}")
        elif part.line in NOT_RUN or any(
            part.line.startswith(command) and not shutil.which(program) for command, program in NEEDS.items()
        ):
            printed = None
        else:
            code, printed = _run(part, folder)
            if code != part.exit:
                found.append(f"{part.line}: exit {code}, and the page says {part.exit}\n{printed}")
    return found


def _run(command: Command, folder: Path) -> tuple[int, str]:
    paths = os.pathsep.join([str(program().parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths}
    if command.line.startswith("make "):
        targets = re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return (0 if set(shlex.split(command.run)[1:]) <= set(targets) else 2), ""
    here = {path.name for path in folder.iterdir()}
    if here == REPOSITORY and command.run in _SAID:
        return _SAID[command.run]
    done = subprocess.run(
        ["bash", "-c", command.run], cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    said = done.returncode, done.stdout + done.stderr
    if {path.name for path in folder.iterdir()} == REPOSITORY:
        _SAID[command.run] = said
    return said


def _written(part: Content, folder: Path) -> None:
    target = folder / part.name
    if part.where == "at its end":
        target.write_text(target.read_text() + part.text)
    else:
        assert not part.where, f"a file is {part.where}: write `at its end`"
        target.write_text(part.text)


def shows(page: str, printed: str) -> bool:
    """Whether what a page shows was printed: line by line, with anything where it has `...`, whatever time it took."""
    wanted = [_plain(piece) for piece in re.split(r"^\.\.\.$", page, flags=re.MULTILINE)]
    lines, at = _plain(printed), 0
    if len(wanted) == 1:
        return wanted[0] == lines
    *_, last = wanted
    for number, piece in enumerate(wanted):
        if number == 0:
            found = 0 if lines[: len(piece)] == piece else None
        elif number == len(wanted) - 1:
            found = (
                len(lines) - len(last)
                if len(lines) - len(last) >= at and lines[len(lines) - len(last) :] == last
                else None
            )
        else:
            found = next((n for n in range(at, len(lines)) if lines[n : n + len(piece)] == piece), None)
        if found is None:
            return False
        at = found + len(piece)
    return True


def _plain(text: str) -> list[str]:
    """Lines that do not tell how long it took, nor how a table was laid out because of that."""
    rows: list[list[str]] = []
    first: int | None = None
    for line in text.splitlines():
        if not line.strip():
            first = None
            continue
        cells = re.split(r"\s{2,}", re.sub(r"\b\d+(\.\d+)? s\b", "T s", line.strip()).replace("─", ""))
        if re.fullmatch(r"\S+\s*", line) and first is not None and len(rows) == first + 1:
            rows[first][0] += cells[0]  # a name that went on to the next line
            continue
        if line[0] != " " and len(cells) > 1:
            first = len(rows)
        rows.append(cells)
    return ["  ".join(cells) for cells in rows]


# -- the pages ---------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("page", [name for name, path in PAGES.items() if list(parts(path.read_text()))])
def test_commands_do_what_the_page_says(page: str, tmp_path: Path) -> None:
    assert problems(PAGES[page].read_text(), tmp_path) == []


def test_what_is_not_run_is_in_a_page() -> None:
    known = {part.line for path in PAGES.values() for part in parts(path.read_text()) if isinstance(part, Command)}
    assert known >= NOT_RUN.keys()
    assert len(known - NOT_RUN.keys()) > 40


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_sentences_exist(page: str) -> None:
    text = re.sub(r"^(```+).*?^\1$", "", PAGES[page].read_text(), flags=re.MULTILINE | re.DOTALL)
    for said in re.findall(r"`uncork ([^`]+)`", text):
        name, *rest = shlex.split(said)
        if name.startswith("-"):
            continue
        command = exec_ if (name, *rest[:1]) == ("conform", "exec") else cli.commands[name]
        known = {option for parameter in command.params for option in parameter.opts}
        for word in rest:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, said
            elif re.search(r"/n\d+-sq\d+-cq\d+", word):
                from_name(word)


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("    uncork show tial\n", "exit 2, and the page says 0"),
        ("    uncork show tail   # exit 13\n", "exit 0, and the page says 13"),
        ("    make tests\n", "exit 2, and the page says 0"),
        ("```\nuncork show tial\n```\n", "exit 2"),
        ("<!-- test: run uncork show tial -->\n\n    uncork show tail\n", "exit 2"),
        ("    uncork show tail\n\n```text\ntail: The head.\n...\n```\n", "the page shows:\ntail: The head."),
        ("    uncork show tail\n\n```text\ntail: The tail: the guest never rings\n```\n", "and printed is"),
        ('```python title="p.py"\ndef p(cq):\n    return cq.tial\n```\n\n    uncork show p.py:p/x\n', "exit 2"),
    ],
)
def test_a_page_that_is_wrong_is_seen(page: str, says: str, tmp_path: Path) -> None:
    assert says in "\n".join(problems(page, tmp_path))


@pytest.mark.parametrize(
    ("page", "printed", "same"),
    [
        ("a  1  0.5 s", "a   1   12.0 s", True),
        ("a  1  0.5 s", "a   2   0.5 s", False),
        ("long-na  proved  1 s\nme/x", "long-  proved  10 s\nname/x", True),
        ("long-na  proved  1 s\nme/x", "long-  proved  10 s\nname/y", False),
        ("...\nb\n...", "a\nb\nc", True),
        ("b\n...", "a\nb\nc", False),
        ("...\nc", "a\nb\nc", True),
        ("...\nb", "a\nb\nc", False),
        ("a\n...\nc", "a\nb\nc", True),
        ("a\nc", "a\nb\nc", False),
    ],
)
def test_outputs_are_compared_but_for_times(page: str, printed: str, same: bool) -> None:
    assert shows(page, printed) is same


# -- the site ----------------------------------------------------------------------------------------------------------
def _build(site: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site), *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )


BROKEN = """
from mkdocs.structure.files import File, InclusionLevel


def on_files(files, *, config):
    content = "[gone](nowhere.md)"
    files.append(File.generated(config, "broken.md", content=content, inclusion=InclusionLevel.NOT_IN_NAV))
    return files
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The site with a page more, which has a broken link; and what was said as it was built."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "broken.py").write_text(BROKEN)
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    (handler,) = (each["mkdocstrings"]["handlers"]["python"] for each in config["plugins"] if "mkdocstrings" in each)
    for places, key in ((config, "hooks"), (config, "watch"), (handler, "paths")):
        places[key] = [str(ROOT / name) for name in places[key]]
    config["docs_dir"] = str(ROOT / config["docs_dir"])
    config["hooks"].append(str(folder / "broken.py"))
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config))
    return folder / "site", _build(folder / "site", "--config-file", str(folder / "mkdocs.yml"))


class Loads(HTMLParser):
    """What a page has the browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag != "a" and not (tag == "link" and given.get("rel") in ("canonical", "next", "prev")):
            self.fetched += [value for key in ("src", "href", "data") if (value := given.get(key))]


@pytest.mark.deep
def test_the_site_is_built(tmp_path: Path) -> None:
    done = _build(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_broken_link_fails_the_build_and_nothing_else_does(
    site: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, done = site
    assert done.returncode != 0
    (warning,) = re.findall("^WARNING.*|^ERROR.*", done.stdout + done.stderr, re.MULTILINE)
    assert "broken.md" in warning and "nowhere.md" in warning


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere(site: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = site
    pages = sorted(folder.rglob("*.html"))
    assert len(pages) >= len(PAGES)
    for page in pages:
        loads = Loads()
        loads.feed(page.read_text())
        assert not [url for url in loads.fetched if url.startswith(("http:", "https:", "//"))], page
    for sheet in folder.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", sheet.read_text()), sheet
    command_line = (folder / "reference" / "cli.html").read_text()
    assert all(f'id="uncork-{name}"' in command_line for name in cli.commands)
    assert "Sentinel" not in command_line
    assert 'id="uncork_nvme.policies.CQView"' in (folder / "reference" / "nvme.html").read_text()
    assert "<svg" in (folder / "index.html").read_text()
