"""What `uncork check` writes for other programs says what its table says, in a form that they take."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from commands import uncork
from junitparser import JUnitXml, TestCase
from sarif_schema import SCHEMA
from uncork.check import files as outputs
from uncork.check.show import Report
from uncork.core.sorts import plain
from uncork.decide import many
from uncork.decide.exits import Exit
from uncork.decide.one import cells as cells_of
from uncork.engines import Budget
from uncork.render import mermaid
from uncork.render.ci import junit, markdown, sarif
from uncork.render.ci.results import Results
from uncork_nvme.instance import Instance, from_name
from uncork_properties.catalogue import ROWS
from uncork_properties.expected import Expected, recorded, word

HANGS, LIVE = "propolis-2025/linux/tail/n1-sq3-cq3", "propolis-2026/linux/tail-1/n1-sq2-cq2"
VACUOUS = "propolis-2025/linux/tail/n1-sq2-cq4/early_free=no"


def results(
    names: Sequence[str],
    expected: dict[str, tuple[Instance, Expected]] | None = None,
    budget: Budget | None = None,
    left: Sequence[str] = (),
) -> Results:
    """What is gathered of these instances, and of others that an interruption left out."""
    instances = [from_name(name) for name in (*names, *left)]
    report = Report(instances, list(ROWS), expected or {})
    found = list(many.check(instances[: len(names)], budget=budget, jobs=1))
    return outputs.gather(report, found, Exit.INTERRUPTED if left else report.code(found))


@pytest.fixture(scope="module")
def unexpected() -> Results:
    return results([HANGS, LIVE])


@pytest.fixture(scope="module")
def as_expected() -> Results:
    return results([HANGS, LIVE], recorded())


def cases(found: Results) -> dict[tuple[str, str], TestCase]:
    return {(case.classname, case.name): case for suite in JUnitXml.fromstring(junit.dumps(found)) for case in suite}


def run_of(found: Results) -> dict[str, Any]:
    log = json.loads(sarif.dumps(found))
    jsonschema.validate(log, SCHEMA)
    (run,) = log["runs"]
    return dict(run)


CAUSE = (
    "At step 27 the guest's head moves 0 -> 2. CQ EventIdx is 2 (written at step 25: the tail), which 0 -> 2 does not "
    "pass: no doorbell at step 28. SQ0, corked at step 26, sleeps on."
)
"""Why `HANGS` is refuted."""


# -- JUnit -------------------------------------------------------------------------------------------------------------
def test_junit_has_a_case_a_row_and_fails_what_is_not_as_expected(unexpected: Results) -> None:
    found = cases(unexpected)
    assert set(found) == {(name, row) for name in (HANGS, LIVE) for row in ("model", *ROWS)}
    failed = {key: case.result for key, case in found.items() if case.result}
    assert set(failed) == {(HANGS, row) for row in ("uncorked", "drains", "progress")}
    (failure,) = failed[HANGS, "uncorked"]
    assert failure.type == "liveness"
    assert failure.message == f"refuted 28+0 steps (uncorked SQ0), expected proved. {CAUSE}"
    assert "Who could have woken it" in failure.text  # the whole trace: a log is read where uncork is not
    whole = JUnitXml.fromstring(junit.dumps(unexpected))
    assert (whole.tests, whole.failures, whole.skipped) == (10, 3, 0)
    assert whole.time == pytest.approx(sum(told.seconds for told in unexpected.told), abs=0.01)


def test_nothing_fails_where_all_is_as_expected(as_expected: Results) -> None:
    assert not any(case.result for case in cases(as_expected).values())
    assert run_of(as_expected)["results"] == []
    assert "mermaid" not in markdown.dumps(as_expected)
    assert "Not as expected" not in markdown.dumps(as_expected)


def test_what_is_open_or_was_not_checked_is_skipped() -> None:
    found = results([HANGS], budget=Budget(states=100))
    skipped = [case for case in cases(found).values() if case.is_skipped]
    assert {case.name for case in skipped} >= {"uncorked", "drains"}
    assert not any(case.is_failure for case in cases(found).values())
    open_ = [each for each in run_of(found)["results"] if each["kind"] == "open"]
    assert {each["level"] for each in open_} == {"none"}
    assert found.exit == Exit.OPEN

    interrupted = results([LIVE], left=[HANGS])
    assert cases(interrupted)[HANGS, "model"].is_skipped
    run = run_of(interrupted)
    assert not run["invocations"][0]["executionSuccessful"]
    assert "1 of 2 instances were not checked" in markdown.dumps(interrupted)


@pytest.mark.parametrize(
    ("done", "verdicts", "said"),
    [
        ([], "0 instances, 0 verdicts", "2 of 2 instances not checked, 0 only in part"),
        ([LIVE], "1 instance, 4 verdicts: 4 open", "1 of 2 instances not checked, 1 only in part"),
    ],
)
def test_what_an_interruption_left_is_counted(
    done: Sequence[str], verdicts: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [from_name(name) for name in (LIVE, HANGS)]
    found = list(many.check([from_name(name) for name in done], budget=Budget(states=100), jobs=1))
    Report(asked, list(ROWS), {}).show(found, quiet=True, interrupted=True)
    assert capsys.readouterr().out == f"INTERRUPTED   {verdicts}   {said}   exit 130\n"


def printed(
    names: Sequence[str], capsys: pytest.CaptureFixture[str], expected: dict[str, tuple[Instance, Expected]]
) -> str:
    """What is printed of these instances."""
    found = list(many.check([from_name(name) for name in names]))
    Report([each.instance for each in found], list(ROWS), expected).show(found, quiet=False, interrupted=False)
    return capsys.readouterr().out


SIZES = ("n1-sq2-cq2", "n1-sq2-cq3", "n1-sq3-cq2")
MMIO = [f"mmio/{guest}/tail/{size}" for guest in ("linux", "lazy") for size in SIZES]


def test_what_is_not_as_expected_comes_first_with_the_command_that_shows_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, table = printed([*MMIO, HANGS], capsys, {}).split("\n\n")[1:3]
    assert first.splitlines() == [
        HANGS,
        "  uncorked: refuted 28+0 steps (uncorked SQ0), expected proved",
        "  drains:   refuted 28+0 steps (drains SQ0), expected proved",
        "  progress: refuted 28+0 steps (progress SQ0), expected proved",
        "  At step 27 the guest's head moves 0 -> 2. CQ EventIdx is 2 (written at step",
        "  25: the tail), which 0 -> 2 does not pass: no doorbell at step 28. SQ0, corked",
        "  at step 26, sleeps on.",
        f"  why  uncork trace {HANGS}",
    ]
    assert table.splitlines()[0] == "✓ live (proved)   ✗N hangs, a run of N steps   ! not as expected"
    assert "✗28!" in table


def test_a_vacuous_proof_has_its_reason_in_the_legend(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed([*MMIO, VACUOUS], capsys, {})
    assert "✓!" in said
    (reason,) = [each for each in said.split("\n! ")[1:] if each.startswith("vacuous: no run")]
    assert VACUOUS in "".join(reason.split("\n")[:3])


def test_the_run_that_trace_opens_is_of_the_property_that_the_table_counts() -> None:
    """Here `uncorked` is refuted by 20+26 steps, and `drains` by 30."""
    instance = from_name("propolis-2026/linux/tail-1/n2-sq2-cq2")
    checked, row = many.counterexample(instance, list(ROWS))
    assert word(cells_of(checked)) == "HANGS 30"
    assert row is not None
    assert (row.property, row.verdict.steps) == ("drains", (30, 0))


def test_an_empty_proof_fails_the_model() -> None:
    found = results([VACUOUS])
    assert [key for key, case in cases(found).items() if case.is_failure] == [(VACUOUS, "model")]
    assert [each["ruleId"] for each in run_of(found)["results"]] == ["model"]
    assert "model: vacuous: no run" in markdown.dumps(found)


# -- SARIF -------------------------------------------------------------------------------------------------------------
def test_sarif_has_a_rule_a_property_and_the_trace_as_a_code_flow(unexpected: Results) -> None:
    run = run_of(unexpected)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [*ROWS, "model"]
    assert [each["ruleId"] for each in run["results"]] == ["uncorked", "drains", "progress"]
    assert all(run["tool"]["driver"]["rules"][each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])
    (flow,) = run["results"][0]["codeFlows"][0]["threadFlows"]
    told = unexpected.told[0].cases[1].run
    assert told is not None
    state = {name: each["text"] for name, each in flow["initialState"].items()}
    assert [step["executionOrder"] for step in flow["locations"]] == list(range(1, 29))
    for step in flow["locations"]:
        state |= {name: each["text"] for name, each in step["state"].items()}
    assert state == {name: plain(value) for name, value in told.trace.states[-1].items()}
    assert run["results"][0]["message"]["text"].startswith(f"{CAUSE} ({HANGS}: uncorked: refuted 28+0 steps")
    essential = {step["executionOrder"] for step in flow["locations"] if step["importance"] == "essential"}
    assert {25, 26, 27, 28} < essential < set(range(1, 29))


def test_each_step_stands_where_it_is_decided(unexpected: Results) -> None:
    def line(location: dict[str, Any]) -> str:
        at = location["physicalLocation"]
        path = Path(at["artifactLocation"]["uri"].removeprefix("file://"))
        root = unexpected.root if "uriBaseId" in at["artifactLocation"] else Path("/")
        lines = (root / path).read_text().splitlines()
        return "".join(lines[at["region"]["startLine"] - 1 :][:2])

    first = run_of(unexpected)["results"][0]
    assert "def tail(cq" in line(first["locations"][0])
    steps = first["codeFlows"][0]["threadFlows"][0]["locations"]
    shown = {step["location"]["message"]["text"].split(". ")[1].split(":")[0]: line(step["location"]) for step in steps}
    assert '"linux"' in shown["submitter SQ0"]
    assert '"propolis-2025"' in shown["worker SQ0"]
    armed = [step for step in steps if "cq.event" in step["state"]]
    assert armed
    assert all("def tail(cq" in line(step["location"]) for step in armed)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: run["results"][0].pop("message"),
        lambda run: run["results"][0].update(level="fatal"),
        lambda run: run["results"][0]["codeFlows"][0]["threadFlows"][0].update(locations=[]),
        lambda run: run["results"][0]["locations"][0]["physicalLocation"]["region"].update(startLine=0),
    ],
)
def test_the_sarif_schema_rejects_a_wrong_report(unexpected: Results, spoil: Callable[[dict[str, Any]], Any]) -> None:
    log = json.loads(sarif.dumps(unexpected))
    spoil(log["runs"][0])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(log, SCHEMA)


def test_nothing_in_a_message_is_taken_for_a_link(unexpected: Results) -> None:
    told = replace(unexpected.told[0], name="a[b](http://c)")
    found = run_of(replace(unexpected, told=(told,)))["results"][0]
    assert r" (a\[b](http://c): " in found["message"]["text"]


# -- Markdown ----------------------------------------------------------------------------------------------------------
def test_the_summary_has_a_table_and_a_chart_of_each_unexpected_run(unexpected: Results) -> None:
    text = markdown.dumps(unexpected)
    assert "| **refuted 28+0**, expected proved |" in text
    assert text.count("```mermaid\nsequenceDiagram\n") == 1  # one run refutes all three
    assert "not uncorked, drains, progress" in text
    assert text.count("->>") == 28
    assert f"uncork trace {HANGS} --property uncorked" in text
    plain_cause = html.escape(CAUSE, quote=False)
    assert f"- <code>{HANGS}</code>: {plain_cause}\n  - uncorked: refuted 28+0 steps" in text
    assert f"progress</summary>\n\n{plain_cause}\n" in text
    assert text.index("### Not as expected") < text.index("| <code>") < text.index("```mermaid")


def test_a_long_table_of_a_summary_is_folded(as_expected: Results) -> None:
    assert "<details>" not in markdown.dumps(as_expected)
    folded = markdown.dumps(replace(as_expected, told=as_expected.told * 7))
    assert folded.count("<details><summary>Every verdict</summary>\n\n| instance |") == 1


def test_a_refutation_that_is_longer_than_recorded_is_told_and_not_drawn() -> None:
    instance = from_name(HANGS)
    wanted = Expected({"uncorked": "refuted 27+0", "drains": "refuted", "progress": "refuted"}, None, None, frozenset())
    found = results([HANGS], {HANGS: (instance, wanted)})
    assert found.exit == Exit.CHANGED
    assert "**refuted 28+0**, expected refuted 27+0" in markdown.dumps(found)
    assert "mermaid" not in markdown.dumps(found)


@pytest.mark.parametrize("most", [1_300, 1_700])
def test_a_chart_that_is_too_long_is_cut_in_the_middle_and_says_so(unexpected: Results, most: int) -> None:
    run = unexpected.told[0].cases[1].run
    assert run is not None
    whole = mermaid.chart(run.system, run.prop, run.trace)
    cut = mermaid.chart(run.system, run.prop, run.trace, most)
    assert len(whole) > most >= len(cut)
    (note,) = [line for line in cut.splitlines() if "left out" in line]
    first, last = (int(word) for word in note.split() if word.isdigit())
    kept = [int(line.split(": ")[1].split(".")[0]) for line in cut.splitlines() if "->>" in line]
    assert kept == [*range(1, first), *range(last + 1, 29)]
    assert 28 in kept
    assert mermaid.chart(run.system, run.prop, run.trace, len(whole)) == whole


def test_a_chart_with_a_loop_keeps_its_box() -> None:
    trace = "propolis-2026/linux/tail-1/n2-sq2-cq2/kick_on_post=yes,kick_on_remit=yes"
    run = results([trace]).told[0].cases[3].run
    assert run is not None
    assert run.trace.loop
    whole = mermaid.chart(run.system, run.prop, run.trace)
    for most in range(1_000, len(whole), 200):
        lines = [line.strip() for line in mermaid.chart(run.system, run.prop, run.trace, most).splitlines()]
        assert lines.index("loop for ever") < lines.index("end")
        assert any("left out" in line for line in lines)
        assert sum(len(line) for line in lines) <= most


def test_a_summary_that_is_too_long_is_cut_and_says_so(unexpected: Results) -> None:
    many = replace(unexpected, told=unexpected.told[:1] * 300)
    assert len(markdown.dumps(many).encode()) <= markdown.LIMIT
    text = markdown.dumps(many, limit=100_000)
    assert len(text.encode()) <= 100_000
    for said in ("more instances are left out of this table", "more findings are left out", "more charts are left out"):
        assert said in text
    table = [line for line in text.splitlines() if line.startswith("| <code>")]
    assert f"{300 - len(table)} more instances are left out" in text
    assert "left out" not in markdown.dumps(unexpected)
    assert text.count("<details>") == text.count("</details>")


# -- files -------------------------------------------------------------------------------------------------------------
ODD = "we|ird <b>`_[x](y)\x01.py"


def test_a_policy_with_an_odd_name_is_told_of_in_every_format_at_once(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "device"
    folder.mkdir()
    (folder / ODD).write_text("def f(cq):\n    return cq.tail\n")
    args = ["--device", "propolis-2025", "--guest", "linux", "--sqs", "1", "--sq-size", "2", "--policy", f"{ODD}:f"]
    done = uncork("check", *args, "--junit", "j.xml", "--sarif", "s.json", "--markdown", "-", cwd=folder)
    assert done.returncode == 13, done.stderr
    assert {path.name for path in folder.iterdir()} == {ODD, "j.xml", "s.json"}
    suites = JUnitXml.fromfile(str(folder / "j.xml"))
    assert suites.failures == 3
    log = json.loads((folder / "s.json").read_text())
    jsonschema.validate(log, SCHEMA)
    at = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    uri = "device/we%7Cird%20%3Cb%3E%60_%5Bx%5D%28y%29%01.py"  # from the root of the repository
    assert at["artifactLocation"] == {"uri": uri, "uriBaseId": "%SRCROOT%"}
    assert at["region"] == {"startLine": 1}
    assert done.stdout.startswith("## uncork check\n")
    assert "<b>" not in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("| <code>") and line.count("|") != 8]
    assert "we&#124;ird &lt;b&gt;&#96;&#95;&#91;x&#93;(y)" in done.stdout


@pytest.mark.parametrize(
    "args",
    [
        ["--junit", "-", "--sarif", "-"],
        ["--markdown", "/nonexistent/summary.md"],
        ["--json", "same", "--sarif", "same"],
        ["--watch"],
        ["some.py"],
    ],
    ids=" ".join,
)
def test_outputs_that_cannot_be_written_are_refused_at_once(tmp_path: Path, args: list[str]) -> None:
    done = uncork("check", *args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr
    assert not done.stdout
    assert not list(tmp_path.iterdir())
