"""Writes verdicts as JUnit XML: one suite per instance, one case per property, and one for the model itself.

All properties of an instance share one search: its time is at the case of the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from uncork.render.ci.results import MODEL, Case, InstanceResult, Problem, Results
from uncork.render.terminal import trace

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def dumps(results: Results) -> str:
    """Returns the content of the file."""
    whole = JUnitXml("uncork check")
    for told in results.told:
        whole.add_testsuite(_suite(told, results.notes))
    for name in results.unchecked:
        left = TestCase(MODEL, _clean(name))
        left.result = [Skipped("interrupted before it was checked")]
        suite = TestSuite(_clean(name))
        suite.add_testcase(left)
        whole.add_testsuite(suite)
    whole.update_statistics()
    made = whole.tostring()
    return (made.decode() if isinstance(made, bytes) else str(made)) + "\n"


def _suite(told: InstanceResult, notes: Sequence[str]) -> TestSuite:
    suite = TestSuite(_clean(told.name))
    suite.add_property("states", str(told.states))
    suite.add_property("depth", str(told.depth))
    for note in notes:
        suite.add_property("note", _clean(note))
    model = TestCase(MODEL, _clean(told.name), round(told.seconds, 3))
    model.result = [_failure(problem) for problem in told.model]
    suite.add_testcases([model, *(_case(told, case) for case in told.cases)])
    return suite


def _case(told: InstanceResult, case: Case) -> TestCase:
    made = TestCase(case.property, _clean(told.name), 0)
    if case.verdict == "open":
        made.result = [Skipped(_clean(f"open {case.why}"))]
    elif case.problems:
        why = f". {case.run.cause.text}" if case.run else ""
        made.result = [_failure(problem, _story(told, case), why) for problem in case.problems]
    else:
        compared = "as expected" if case.expected else "not compared"
        made.system_out = _clean(" ".join(filter(None, (f"{case.verdict}, {compared}.", case.why))))
    return made


def _failure(problem: Problem, story: str = "", why: str = "") -> Failure:
    made = Failure(_clean(f"{problem.message}{why}"), problem.kind)
    made.text = _clean(story or problem.message)
    return made


def _story(told: InstanceResult, case: Case) -> str:
    run = case.run
    if run is None:
        return ""
    return trace.trace_text(told.name, run.system, run.prop, run.trace, shortest=run.shortest)


def _clean(words: str) -> str:
    """Returns text without the characters that XML forbids."""
    return _NOT_XML.sub("\ufffd", words)
