"""The example of a project downstream, as a stranger has it: uncork from its wheel, its action, its pre-commit hook."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from commands import program
from junitparser import JUnitXml
from repository import ROOT
from sarif_schema import SCHEMA
from uncork.engines import compiling

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "downstream"
LIVE, CONTROL = "return ite(cq.permits >= cq.sqs, cq.tail - 1, cq.head)", "    return cq.tail\n"
BREAKS = {  # what is changed in the policy file, the exit code that the README has for it, and what is told
    "nothing": ("", "", 0, ""),
    "a queue hangs": (LIVE, "return cq.tail", 13, "refuted 28+0 steps (uncorked SQ0), expected proved"),
    "the control does not": (CONTROL, "    return cq.tail - 1\n", 10, "proved, expected refuted"),
}


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def done(*command: str | Path, cwd: Path, env: Mapping[str, str] = os.environ) -> str:
    ended = run(*command, cwd=cwd, env=env)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which all that uncork depends on is installed, and uncork itself is not."""
    folder = tmp_path_factory.mktemp("dependencies")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.suffix != ".pth" and not path.name.startswith("uncork"):
            (folder / path.name).symlink_to(path)
    made = {**os.environ, "PYTHONPATH": str(folder), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}
    if code := compiling.kept():
        made["UNCORK_CODE"] = str(code)  # the same code, and so the same files
    assert run(sys.executable, "-S", "-c", "import click, z3, rich", cwd=folder, env=made).returncode == 0
    assert "uncork" in run(sys.executable, "-S", "-c", "import uncork", cwd=folder, env=made).stderr
    return made


@pytest.fixture(scope="module")
def uncork(stranger: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a wheel in an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    done(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    venv.create(folder / "venv")
    bin_ = folder / "venv" / "bin"
    install = [sys.executable, "-m", "pip", "--python", bin_ / "python", "install", "--no-compile"]
    done(*install, next(folder.glob("uncork-*.whl")), cwd=folder, env=stranger)
    where = done(bin_ / "python", "-c", "import uncork, uncork_nvme; print(uncork.__file__)", cwd=folder, env=stranger)
    assert where.startswith(str(folder / "venv" / "lib"))
    return bin_ / "uncork"


def copied(to: Path) -> Path:
    """The example, elsewhere."""
    return Path(shutil.copytree(EXAMPLE, to))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copied(tmp_path / "project")


def change(project: Path, before: str, after: str) -> None:
    file = project / "doorbell.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))


def test_the_example_passes_and_fails_as_its_readme_says(
    stranger: dict[str, str], uncork: Path, tmp_path: Path
) -> None:
    for number, case in enumerate(BREAKS.values()):
        _passes_or_fails(stranger, uncork, copied(tmp_path / f"project{number}"), *case)


def _passes_or_fails(
    stranger: dict[str, str], uncork: Path, project: Path, before: str, after: str, code: int, message: str
) -> None:
    change(project, before, after)
    outputs = ["--junit", "j.xml", "--sarif", "s.json", "--markdown", "m.md"]
    ended = run(uncork, "check", "--expect", "expected.csv", *outputs, cwd=project, env=stranger)
    assert ended.returncode == code, ended.stderr
    assert message in ended.stdout + ended.stderr
    failures = [
        failure.message
        for suite in JUnitXml.fromfile(str(project / "j.xml"))
        for test in suite
        for failure in test.result
    ]
    log = json.loads((project / "s.json").read_text())
    jsonschema.validate(log, SCHEMA)
    (told,) = log["runs"]
    assert told["invocations"][0]["exitCode"] == code
    assert bool(failures) == bool(told["results"]) == bool(code)
    summary = (project / "m.md").read_text()
    assert ("```mermaid" in summary) == (code == 13)
    if code:
        assert any(each.startswith(message) for each in failures)
        assert any(message in result["message"]["text"] for result in told["results"])
        assert message in summary
        (where,) = {json.dumps(result["locations"][0]["physicalLocation"]) for result in told["results"]}
        at = json.loads(where)
        line = (project / at["artifactLocation"]["uri"]).read_text().splitlines()[at["region"]["startLine"] - 1]
        assert line.startswith("def event_idx" if code == 13 else "def before_the_fix")


def test_a_device_of_ones_own_needs_no_clone(stranger: dict[str, str], uncork: Path, tmp_path: Path) -> None:
    """Its file is written and loaded by the wheel, also in the processes that check several instances."""
    (tmp_path / "device").mkdir()
    done(uncork, "new", "device", "device/mine.py", cwd=tmp_path, env=stranger)
    asked = ("--device", "device/mine.py:mine", "--guest", "linux", "--sqs", "1", "--sq-size", "2,3")
    told = done(uncork, "check", *asked, cwd=tmp_path, env=stranger)
    assert "AS EXPECTED 2 instances, 8 verdicts: 8 proved" in " ".join(told.split())
    assert not list(tmp_path.rglob("__pycache__"))


# -- the action --------------------------------------------------------------------------------------------------------
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
_INPUT = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")


@dataclass
class Job:
    """What GitHub would run of the action, with the files that it gives to steps."""

    folder: Path
    workspace: Path
    inputs: Mapping[str, str]
    env: Mapping[str, str]

    def run(self, step: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Runs a step, in the shell and with the environment that GitHub documents."""
        assert step["shell"] == "bash"
        given = {name: self.filled(value) for name, value in step.get("env", {}).items()}
        script = self.folder / "script.sh"
        script.write_text(step["run"])
        environment = {
            **{name: value for name, value in self.env.items() if not name.startswith("UNCORK_")},
            "PATH": f"{Path(sys.executable).parent}:{self.env['PATH']}",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "RUNNER_TEMP": str(self.folder),
            **given,
        }
        cwd = self.workspace / self.filled(step.get("working-directory", "."))
        return run("bash", "--noprofile", "--norc", "-eo", "pipefail", script, cwd=cwd, env=environment)

    def filled(self, value: str) -> str:
        """A value of the file with the inputs in it."""
        return _INPUT.sub(lambda found: self.inputs.get(found[1], ACTION["inputs"][found[1]]["default"]), value)

    @property
    def outputs(self) -> dict[str, str]:
        """What the steps gave to others."""
        lines = (self.folder / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def summary(self) -> str:
        """What the job shows."""
        return (self.folder / "summary.md").read_text()


INSTALL, CHECK = (step for step in ACTION["runs"]["steps"] if "run" in step)


@pytest.fixture
def job(tmp_path: Path, project: Path) -> Job:
    """The job of the example's workflow, on a runner that has the uncork at hand."""
    bin_ = tmp_path / "runner" / "uncork-venv" / "bin"
    bin_.mkdir(parents=True)
    (bin_ / "python").symlink_to(sys.executable)
    (bin_ / "uncork").symlink_to(program())
    workflow = yaml.safe_load((project / ".github" / "workflows" / "doorbell.yml").read_text())
    (step,) = [step for step in workflow["jobs"]["check"]["steps"] if "uncork" in step["uses"]]
    assert set(step["with"]) <= set(ACTION["inputs"])
    return Job(tmp_path / "runner", project, step["with"], os.environ)


@pytest.mark.deep
def test_the_action_installs_itself_and_runs_the_workflow_of_the_example(stranger: dict[str, str], job: Job) -> None:
    shutil.rmtree(job.folder / "uncork-venv")
    job.env = {name: value for name, value in stranger.items() if name != "UNCORK_CODE"}
    ended = job.run(INSTALL)
    assert ended.returncode == 0, ended.stderr
    assert list(job.folder.glob("uncork-venv/lib/python*/site-packages/uncork"))
    for case in ("nothing", "a queue hangs"):
        before, after, code, message = BREAKS[case]
        change(job.workspace, before, after)
        for name in ("summary.md", "output"):
            (job.folder / name).unlink(missing_ok=True)
        ended = job.run(CHECK)
        assert ended.returncode == code, ended.stderr
        outputs = job.outputs
        assert outputs["exit-code"] == str(code)
        assert job.summary == Path(outputs["summary"]).read_text()
        assert message in job.summary
        assert bool(JUnitXml.fromfile(outputs["junit"]).failures) == bool(code)
        assert bool(json.loads(Path(outputs["sarif"]).read_text())["runs"][0]["results"]) == bool(code)
        declared = {name: each["value"] for name, each in ACTION["outputs"].items()}
        assert declared == {name: f"${{{{ steps.check.outputs.{name} }}}}" for name in outputs}


def test_inputs_of_the_action_are_words_and_never_code(job: Job) -> None:
    assert not [step for step in (INSTALL, CHECK) if "${{" in step["run"]]
    odd = "mine $(touch owned) it's.py"
    (job.workspace / odd).write_text("def f(cq):\n    return cq.tail - 1\n")
    (job.workspace / "out").mkdir()
    job.inputs = {
        "policy": f"{odd}:f",
        "device": "propolis-2026",
        "guest": "linux",
        "args": "--sqs 1 --sq-size 2 --set 'kick_on_remit=yes' --property \"uncorked\"",
        "sarif": "out/hangs.sarif",
    }
    ended = job.run(CHECK)
    assert ended.returncode == 0, ended.stderr
    assert not (job.workspace / "owned").exists()
    assert job.outputs["sarif"] == str(job.workspace / "out" / "hangs.sarif")
    assert "kick&#95;on&#95;remit=yes" in job.summary


def test_the_action_takes_a_device_of_ones_own_without_a_policy(job: Job) -> None:
    text = 'from uncork_nvme import DEVICES\nmine = DEVICES["propolis-2025"].but("mine", "", {})\n'
    (job.workspace / "device.py").write_text(text)
    job.inputs = {"device": "device.py:mine", "guest": "linux", "args": "--sqs 1 --sq-size 3"}
    assert job.run(CHECK).returncode == 13
    results = json.loads(Path(job.outputs["sarif"]).read_text())["runs"][0]["results"]
    at = results[0]["locations"][0]["physicalLocation"]
    assert (at["artifactLocation"]["uri"], at["region"]["startLine"]) == ("device.py", 2)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"policy": "tial"}, "did you mean 'tail'?"),
        ({"policy": " "}, "it is empty"),
        ({"args": "--sqs '1"}, "a quote is not closed"),
        ({"policy": "tail", "args": "--sqs ''"}, "it is empty"),
        ({"policy": "", "device": "qemu"}, "no policy and no file of expectations is named"),
        ({"expect": "expected.csv", "args": "--expect expected.csv"}, "'--expect' is given 2 times"),
        ({"expect": "expected.csv", "args": "--markdown mine.md"}, "its path"),
        ({"expect": "expected.csv", "args": "--sarif=mine.json"}, "the input sarif"),
        ({"expect": "expected.csv", "args": "--junit mine.xml"}, "the input junit"),
        ({"expect": "expected.csv", "args": "--watch"}, "never ends"),
        ({"expect": "expected.csv", "args": "--help"}, "nothing was checked (exit code 2)"),
    ],
    ids=str,
)
def test_bad_input_of_the_action_is_no_pass(job: Job, inputs: dict[str, str], says: str) -> None:
    job.inputs = inputs
    ended = job.run(CHECK)
    assert ended.returncode == 2
    assert says in ended.stdout + ended.stderr + job.summary
    assert "Traceback" not in ended.stderr
    assert "nothing was checked" in job.summary
    assert job.outputs == {"exit-code": "2"}


def test_the_paths_of_the_action_are_those_of_the_repository(job: Job) -> None:
    folder = job.workspace / "device"
    folder.mkdir()
    for name in ("doorbell.py", "expected.csv"):
        (job.workspace / name).rename(folder / name)
    (folder / "doorbell.py").write_text((folder / "doorbell.py").read_text().replace(LIVE, "return cq.tail"))
    expected = folder / "expected.csv"
    expected.write_text(expected.read_text() + "propolis-2026,linux,tail,1,2,2,proved,proved,proved,proved\n")
    job.inputs = {**job.inputs, "working-directory": "device"}
    ended = job.run(CHECK)
    assert ended.returncode == 13, ended.stderr
    text = Path(job.outputs["sarif"]).read_text()
    log = json.loads(text)
    jsonschema.validate(log, SCHEMA)
    (told,) = log["runs"]
    first = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in told["results"]}
    assert first == {"device/doorbell.py", "uncork_nvme/policies.py"}
    assert text.count("file://") == 1  # where the repository is
    assert told["originalUriBaseIds"]["%SRCROOT%"]["uri"] == job.workspace.as_uri() + "/"


# -- the hook ----------------------------------------------------------------------------------------------------------
def test_a_file_is_checked_if_a_policy_of_it_is_asked_for(project: Path) -> None:
    def check(*args: str) -> subprocess.CompletedProcess[str]:
        return run(program(), "check", *args, cwd=project)

    change(project, LIVE, "return cq.tail")
    (project / "other.py").write_text("x = 1\n")
    unrelated = check("--expect", "expected.csv", "other.py")
    assert unrelated.returncode == 0
    assert "nothing to check" in unrelated.stderr
    assert check("--expect", "expected.csv", "other.py", "doorbell.py").returncode == 13
    assert check("--expect", "expected.csv", "expected.csv").returncode == 13
    assert check("--policy", "tail", "doorbell.py").returncode == 2


@pytest.mark.parametrize("installs", [False, pytest.param(True, marks=pytest.mark.deep)])
def test_pre_commit_runs_the_hook_of_the_example(
    installs: bool, stranger: dict[str, str], tmp_path: Path, project: Path
) -> None:
    """Of the uncork that is here, in the words of the hook; and of one that pre-commit installs, as they ask it to."""
    git = {
        **(stranger if installs else {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}),
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    source = tmp_path / "uncork"
    parts = ["model", "properties", "checker", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"]
    source.mkdir()
    for part in parts:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)
    for folder in (source, project):
        done("git", "init", "--quiet", cwd=folder, env=git)
        done("git", "add", ".", cwd=folder, env=git)
        done("git", "commit", "--quiet", "--no-verify", "--message", "all", cwd=folder, env=git)
    commit = done("git", "rev-parse", "HEAD", cwd=source, env=git).strip()
    config = project / ".pre-commit-config.yaml"
    content = re.sub(r"\n +args: .*", "", config.read_text())  # which are the hook's own
    content = re.sub(r"repo: \S+", f"repo: {source}", content)
    content = re.sub(r"rev: \S+", f"rev: {commit}", content)
    if not installs:
        (own,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
        (known,) = yaml.safe_load(content)["repos"]
        (named,) = known["hooks"]
        assert own["language"] == "python"
        content = json.dumps({"repos": [{"repo": "local", "hooks": [{**own, **named, "language": "system"}]}]})
    config.write_text(content)
    hook = [sys.executable, "-m", "pre_commit"]
    skipped = done(*hook, "run", "--verbose", "--files", ".pre-commit-config.yaml", cwd=project, env=git)
    assert "no files to check" in skipped
    change(project, LIVE, "return cq.tail")
    failed = run(*hook, "run", "--files", "doorbell.py", cwd=project, env=git)
    assert failed.returncode == 1
    assert "- exit code: 13" in failed.stdout
    assert "expected proved" in failed.stdout
