"""Writes unexpected verdicts as SARIF 2.1.0: one rule per property, traces as code flows through the deciding code.

A message begins with the cause, because what shows a list of results shows its beginning. An open verdict is a result
of kind `open`, not a failure.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import quote

from uncork.core.sorts import plain
from uncork.render import story
from uncork.render.ci.results import MODEL, Case, InstanceResult, Place, Problem, Results, Run

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT, _INSTALLED = "%SRCROOT%", "UNCORK"


def dumps(results: Results) -> str:
    """Returns the content of the file."""
    rules = list(results.rules)
    found = [
        _result(results, rules.index(name), told, name, case, problem)
        for told in results.told
        for name, case, problems in [
            (MODEL, None, told.model),
            *((case.property, case, case.problems) for case in told.cases),
        ]
        for problem in problems
    ]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "uncork",
                "version": results.version,
                "semanticVersion": results.version,
                "rules": [_rule(name, doc) for name, doc in results.rules.items()],
            }
        },
        "originalUriBaseIds": {
            _ROOT: {"uri": results.root.as_uri().rstrip("/") + "/"},
            _INSTALLED: {"description": {"text": "Where uncork is installed: what is built in."}},
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not results.unchecked,
                "exitCode": results.exit,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": _message(f"{name}: interrupted before it was checked")}
                    for name in results.unchecked
                ]
                + [{"level": "note", "message": _message(note)} for note in results.notes],
            }
        ],
        "results": found,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _rule(name: str, doc: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": doc},
        "help": {"text": f"uncork show {name} explains it; uncork trace INSTANCE --property {name} prints the run."}
        if name != MODEL
        else {"text": "A proof says little of a model that never corks, or that is another one than was recorded."},
        "defaultConfiguration": {"level": "error"},
    }


def _result(
    results: Results, rule: int, told: InstanceResult, name: str, case: Case | None, problem: Problem
) -> dict[str, Any]:
    run = case.run if case else None
    said = f"{told.name}: {name}: {problem.message}"
    made: dict[str, Any] = {
        "ruleId": name,
        "ruleIndex": rule,
        **({"kind": "open", "level": "none"} if problem.kind == "open" else {"kind": "fail", "level": "error"}),
        "message": _message(f"{run.cause.text} ({said})" if run else f"{said}."),
        "locations": [_location(results, told.place)],
        "partialFingerprints": {
            "uncorkRow/v1": hashlib.sha256(f"{told.name}\n{name}\n{problem.kind}".encode()).hexdigest()
        },
    }
    if told.related:
        made["relatedLocations"] = [
            {"id": number, **_location(results, place, place.what)} for number, place in enumerate(told.related, 1)
        ]
    if run:
        made["codeFlows"] = [_flow(results, run, told.place)]
    return made


def _flow(results: Results, run: Run, place: Place) -> dict[str, Any]:
    trace = run.trace
    decisive = {*run.cause.steps, *(line.number for line in story.wakers(run.system, run.prop, trace))}
    steps: list[dict[str, Any]] = []
    for line, decided in zip(story.lines(run.system, trace), run.places, strict=True):
        before, after = trace.states[line.number - 1], trace.after(line.number - 1)
        said = f"{line.number}. {line.actor}: {line.did}" + "".join(f"; {ring}" for ring in line.rings)
        steps.append(
            {
                "executionOrder": line.number,
                "nestingLevel": int(line.in_loop),
                "importance": "essential" if line.number in decisive else "important",
                "location": _location(results, decided, said),
                "state": {
                    name: {"text": plain(value)} for name, value in after.items() if before[name] != value
                },
            }
        )  # fmt: skip
    if not steps:
        steps = [{"location": _location(results, place, "already the first state")}]
    ending = story.ending(trace)
    return {
        "message": _message(
            " ".join([run.cause.text, story.headline(run.prop, trace), *([f"It goes on: {ending}."] if ending else [])])
        ),
        "threadFlows": [
            {
                "initialState": {name: {"text": plain(value)} for name, value in trace.states[0].items()},
                "locations": steps,
            }
        ],
    }


def _location(results: Results, place: Place, told: str = "") -> dict[str, Any]:
    bases = ((_ROOT, results.root), (_INSTALLED, results.installed))
    artifact = {"uri": place.file.as_uri()}
    for name, folder in reversed(bases):
        if place.file.is_relative_to(folder):
            artifact = {"uri": quote(place.file.relative_to(folder).as_posix()), "uriBaseId": name}
    return {
        "physicalLocation": {"artifactLocation": artifact, "region": {"startLine": place.line}},
        **({"message": _message(told)} if told else {}),
    }


def _message(words: str) -> dict[str, str]:
    """Escapes text: nothing is taken for a link."""
    return {"text": re.sub(r"\[(?=[^\]]*\]\()", r"\\[", words)}
