"""Devices and guests of one's own in every command: those of examples/devices, elsewhere, as a user has them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import uncork
from hostile import Bad, bad, holds, names
from repository import ROOT
from uncork import api
from uncork.check import places
from uncork.engines import REDUCTIONS, explicit
from uncork.engines.explicit import reduction
from uncork.new.command import KINDS
from uncork_nvme.catalogue import find_device
from uncork_nvme.instance import InstanceError, forget, from_name
from uncork_properties.catalogue import covers, properties

EXAMPLES = {path.name: path.read_text() for path in sorted((ROOT / "examples" / "devices").glob("*.py"))}
AT = "linux/{}/n1-sq2-cq2"
LIVE, HANGS = f"watchdog.py:mine/{AT.format('tail')}", f"coalescing.py:mine/{AT.format('tail-1')}"
SMALL = "--guest linux --sqs 1 --sq-size 2"
EXPECTED = (
    "device,guest,policy,sqs,sq_size,cq_size,safety,uncorked,drains,progress\n"
    "watchdog.py:mine,linux,tail,1,2,2,proved,proved,proved,proved\n"
    "coalescing.py:mine,linux,tail-1,1,2,2,proved,refuted,refuted,refuted\n"
)


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    forget()
    yield
    forget()


def row(line: str, says: str, exit: int = 0, **files: str) -> Bad:
    given = {name.replace("_", "."): text for name, text in files.items()}
    return bad(line, exit, says, {**EXAMPLES, "e.csv": EXPECTED, **given}, seconds=60)


ROWS = [
    row(f"check --device completer.py:mine {SMALL}", "AS EXPECTED 1 instance, 4 verdicts: 4 proved"),
    row(
        f"check --device completer.py:without_the_kick {SMALL.replace('2', '3')}", "NOT AS EXPECTED 1 of 1 instance", 13
    ),
    row(f"check --device coalescing.py:mine {SMALL}", "uncorked: refuted", 13),
    row(f"check --device watchdog.py:mine {SMALL}", "AS EXPECTED 1 instance, 4 verdicts: 4 proved"),
    row(f"check --device watchdog.py:mine {SMALL} --property safety --markdown -", "watchdog.py:mine"),
    row("check --expect e.csv", "AS EXPECTED 2 instances, 8 verdicts: 5 proved, 3 refuted"),
    row("check --expect e.csv coalescing.py", "AS EXPECTED 1 instance, 4 verdicts"),
    row("check --expect e.csv completer.py", "nothing to check: no policy, device or guest is of completer.py"),
    row(f"check --device watchdog.py:mien {SMALL}", "watchdog.py has no 'mien' (did you mean 'mine'?)", 2),
    row(f"check --device watchdog.py:mine {SMALL} --json watchdog.py", "watchdog.py is read from it", 2),
    row(f"trace {HANGS} --property uncorked", "and has slept since step"),
    row(f"trace {LIVE}", "there is no counterexample"),
    row(f"simulate {LIVE} --steps 3", "submits 1"),
    row(f"cost {LIVE}", "Doorbells per completion: the least to the greatest"),
    row(f"measure {LIVE} --time 1 --runs 2", "watchdog.py:mine"),
    row(f"export tla {LIVE}", "sq0_timer"),
    row(f"export promela {LIVE}", "expire"),
    row(f"export json {LIVE}", '"sq0.timer"'),
    row(f"show {LIVE}", "watchdog of each SQ"),
    row("show watchdog.py:mine", "watchdog of each SQ"),
    row("show watchdog.py:mien", "watchdog.py has no 'mien'", 2),
    row(f"list --device watchdog.py:mine {SMALL}", "watchdog.py:mine/linux/tail/n1-sq2-cq2"),
    row("list devices --device watchdog.py:mine", "these options choose instances, not devices", 2),
    row("museum openvmm-config --device completer.py:mine", "n1-sq2-cq2/events=config: uncorked refuted", 13),
    row("museum openvmm-reset --device completer.py:mine", "n1-sq2-cq2/events=reset: proved (where the fix of openvmm"),
    row(
        *("conform qemu --guest mine.py:mine", "does not know the steps of Mine", 2),
        mine_py="from uncork_nvme import *\nclass Mine(Driver):\n    pass\n"
        'mine = GUESTS["linux"].but("mine", "A guest.", {Mine: {}})\n',
    ),
    row("museum completer.py:mine", "a device of your own goes with --device completer.py:mine", 2),
    row("prove tail --device watchdog.py:mine --sqs any", "a design is proved for one, two or three SQs", 2),
    row("prove head --device completer.py:mine --sqs one", "live for every queue size and one SQ"),
    row(f"report --device coalescing.py:mine {SMALL} --output r.html", "1 run, each replayed"),
    row(f"sweep --db s.db --device watchdog.py:mine,completer.py:mine {SMALL} --jobs 2", "2 instances, 2 different"),
    row("validate e.csv --device watchdog.py:mien --guest linux --sqs 1 --sq-size 2 --cq-size 2", "not JSON", 2),
    row(f"check --device watchdog.py:mine {SMALL} --set cork=self-kick --property safety", "1 proved"),
]


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_a_command_takes_a_device_of_ones_own(
    row: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    holds(row, tmp_path, monkeypatch, capfd)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The examples, elsewhere."""
    shutil.copytree(ROOT / "examples" / "devices", tmp_path / "dev")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- what is told of it ------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_results_name_the_line_where_the_device_is_declared(project: Path) -> None:
    ended = uncork(*f"check --device dev/coalescing.py:mine {SMALL} --sarif s.json --junit j.xml".split(), cwd=project)
    assert ended.returncode == 13, ended.stderr
    (run,) = json.loads((project / "s.json").read_text())["runs"]
    assert len(run["results"]) == 3
    for result in run["results"]:
        at = result["locations"][0]["physicalLocation"]
        file = project / at["artifactLocation"]["uri"]
        assert file == project / "dev" / "coalescing.py"
        assert "DEVICES[" in file.read_text().splitlines()[at["region"]["startLine"] - 1]
    assert "dev/coalescing.py:mine" in (project / "j.xml").read_text()


def test_each_step_of_a_run_has_the_place_of_the_device(project: Path) -> None:
    found = api.trace(f"dev/{HANGS}", "uncorked")
    assert found is not None
    where = {place.file.name for place in places.of_steps(found.instance, found.run)}
    assert where == {"coalescing.py", "guests.py", "policies.py"}


@pytest.mark.slow
def test_certificates_are_about_the_file_as_it_was(project: Path) -> None:
    asked = f"check --device dev/watchdog.py:mine {SMALL} --certificate certificates"
    assert uncork(*asked.split(), cwd=project).returncode == 0
    (certificate,) = (project / "certificates").iterdir()
    verified = uncork("verify", str(certificate), cwd=project)
    assert verified.returncode == 0, verified.stderr
    assert f"dev/{LIVE}: safety, uncorked, drains, progress proved" in verified.stdout
    file = project / "dev" / "watchdog.py"
    file.write_text(file.read_text().replace("when(q.timer,", "when(q.timer & q.corked,"))
    assert uncork("verify", str(certificate), cwd=project).returncode == 23


# -- logs --------------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_log_is_a_run_with_the_steps_of_ones_own_or_without_them(project: Path) -> None:
    told = uncork("record", f"dev/{LIVE}", "--steps", "150", cwd=project).stdout.splitlines(keepends=True)
    header, lines = told[0], told[1:]
    own = [line for line in lines if '"event": "expire"' in line]
    assert len(own) > 3

    def validated(*log: str) -> tuple[int, str]:
        (project / "log.jsonl").write_text("".join(log))
        ended = uncork("validate", "log.jsonl", "--no-nearest", cwd=project)
        return ended.returncode, ended.stdout + ended.stderr

    assert validated(header, *lines)[0] == 0
    unseen = [line for line in lines if line not in own]
    assert validated(header, *unseen)[0] == 23  # the header says that each is logged
    assert validated(header.replace('"expire", ', ""), *unseen)[0] == 0
    code, said = validated(header, *(line.replace('"event": "expire"', '"event": "expyre"') for line in lines))
    assert (code, "there is no event 'expyre'" in said) == (2, True)
    other = header.replace("watchdog.py:mine/linux/tail/", "completer.py:mine/linux/head/").replace('"expire", ', "")
    code, said = validated(other, *lines)
    assert (code, "there is no event 'expire'" in said) == (2, True)


# -- reductions --------------------------------------------------------------------------------------------------------
ABSOLUTE = """
from uncork_nvme import DEVICES, Reader, ite


class Absolute(Reader):
    def event(self, q):
        return ite(q.head == 0, q.head - 1, q.head)


mine = DEVICES["propolis-2026"].but("absolute", "A device that does otherwise at slot 0.", {Absolute: {}})
"""
FIRST = """
from uncork_nvme import DEVICES, Reader


class First(Reader):
    def event(self, q):
        return q.head - 1 if q.number == 0 else q.head


mine = DEVICES["propolis-2026"].but("first", "A device that does otherwise for SQ0.", {First: {}})
"""
REFUSED = {"absolute": (ABSOLUTE, "n1-sq2-cq2", "sq0.head"), "first": (FIRST, "n2-sq2-cq2", "permutation")}


@pytest.mark.parametrize("which", REFUSED)
def test_a_reduction_that_a_part_of_ones_own_breaks_is_not_made(which: str, project: Path) -> None:
    text, sizes, broken = REFUSED[which]
    (project / "mine.py").write_text(text)
    known, mine = (from_name(f"{device}/linux/tail/{sizes}") for device in ("propolis-2026", "mine.py:mine"))
    made = []
    for instance in (known, mine):
        asked = properties(instance.machine, instance.system), covers(instance.machine, instance.system)
        made.append(reduction.reduce(instance.system, *asked, REDUCTIONS))
    before, after = made
    assert len(after.refusals) > len(before.refusals)
    if which == "absolute":
        assert broken in before.normalise and broken not in after.normalise
        asked = properties(mine.machine, mine.system)
        one, other = (explicit.check(mine.system, asked, reductions=each) for each in (REDUCTIONS, frozenset[str]()))
        assert [type(v) for _, v in one.verdicts] == [type(v) for _, v in other.verdicts]


# -- the tutorial ------------------------------------------------------------------------------------------------------
QUEUE = ROOT / "examples" / "queue"


def test_the_tutorials_device_is_that_of_the_examples() -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text()
    fences = re.findall(r'^```python title="my_queue\.py(?:, at its end)?"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL)
    assert "".join(fences) == (QUEUE / "my_queue.py").read_text()
    source = (QUEUE / "queue.c").read_text()
    for excerpt in re.findall(r"^```c\nvoid.*?^```$", page, re.MULTILINE | re.DOTALL):
        assert excerpt.removeprefix("```c\n").removesuffix("```") in source
    found = find_device(f"{QUEUE}/my_queue.py:mine")
    for function in re.findall(r"(\w+)(?:, |$)", found.source.partition(": ")[2]):
        assert re.search(rf"\b{function}\(struct device \*d", source), function


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_the_tutorials_c_compiles() -> None:
    compiled = subprocess.run(["cc", "-std=c11", "-Wall", "-Werror", "-fsyntax-only", QUEUE / "queue.c"], check=False)
    assert compiled.returncode == 0


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("where", ["while it is loaded", "while its machine is built"])
def test_ctrl_c_is_no_mistake_of_the_file(where: str, project: Path) -> None:
    loops = "print('runs', flush=True)\nwhile True:\n    pass\n"
    part = (
        f"class Mine(Park):\n    def check(self):\n{''.join(f'        {line}{chr(10)}' for line in loops.splitlines())}"
    )
    device = 'mine = DEVICES["propolis-2026"].but("mine", "", {Mine: {}})\n'
    text = loops if where == "while it is loaded" else part + device
    (project / "mine.py").write_text("from uncork_nvme import *\n" + text)
    command = [sys.executable, "-m", "uncork", "check", "--device", "mine.py:mine"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None and running.stderr is not None
    assert running.stderr.readline() == "runs\n"
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    assert "Traceback" not in running.stderr.read()


# -- from Python -------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_script_takes_names_and_instances_of_ones_own(project: Path) -> None:
    own = api.instance(f"dev/{LIVE}")
    found = api.check(own, f"dev/{HANGS}", rows=["safety", "uncorked"])
    assert [[row.verdict.word for row in each.rows] for each in found] == [["proved"] * 2, ["proved", "refuted"]]
    with pytest.raises(InstanceError, match="no 'mien'"):
        api.repair("dev/watchdog.py:mien")


# -- starting files ----------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_starting_file_checks_at_once_with_the_command_that_is_told(kind: str, tmp_path: Path) -> None:
    made = uncork("new", kind, "my file.py", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    said = re.fullmatch(r"my file\.py is written\. Check it: uncork (.+)\n", made.stdout)
    assert said is not None
    text = (tmp_path / "my file.py").read_text()
    assert f"    uncork {said[1]}\n" in text
    assert max(map(len, text.splitlines())) <= 120
    ended = uncork(*shlex.split(said[1]), "--sq-size", "2", cwd=tmp_path)
    assert ended.returncode in ((0,) if kind == "device" else (0, 13)), ended.stderr
    again = uncork("new", kind, "my file.py", cwd=tmp_path)
    assert (again.returncode, "is not overwritten" in again.stderr) == (2, True)
    assert (tmp_path / "my file.py").read_text() == text


@pytest.mark.slow
def test_no_other_file_is_written(tmp_path: Path) -> None:
    for name, says in (("a", "has to end in .py"), ("no/a.py", "there is no folder"), ("", "it is empty")):
        ended = uncork("new", "device", name, cwd=tmp_path)
        assert (ended.returncode, says in ended.stderr) == (2, True), ended.stderr
    assert not list(tmp_path.iterdir())
    assert sys.modules.get("mine") is None
