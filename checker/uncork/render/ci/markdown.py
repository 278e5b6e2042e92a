"""Writes a job summary in Markdown: what is not as expected and why, the verdicts, and a chart of every such run.

GitHub shows a summary of up to 1 MiB, and a chart of up to 50,000 characters. Anything beyond is left out, and the text
says what.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from uncork.render import mermaid, story
from uncork.render.ci.results import MODEL, Case, InstanceResult, Results

LIMIT = 2**20
"""The most bytes of a summary."""
CHART = 50_000
"""The most characters of a chart."""
_FEW = 12
"""Tables of more instances are folded."""
_ROOM = 20_000
"""Bytes kept free for the sentences that say what is left out, and for other output of the job."""


def dumps(results: Results, limit: int = LIMIT, chart: int = CHART) -> str:
    """Returns the content of the file."""
    room = limit - min(_ROOM, limit // 4)
    parts = ["\n\n".join(["## uncork check", *map(_plain, (results.summary, *results.notes))]) + "\n"]
    if results.unchecked:
        left = len(results.unchecked)
        parts.append(f"\nInterrupted: {left} of {left + len(results.told)} instances were not checked.\n")
    wrong = list(_wrong(results))
    if wrong:
        told = _first(room // 5, ["\n### Not as expected\n", *wrong], "{} more findings are left out of this list.")
        parts.append(told)
    table = _first(room // 2, _table(results), "{} more instances are left out of this table.")
    few = len(results.told) <= _FEW
    parts.append(table if few else f"\n<details><summary>Every verdict</summary>\n{table}\n</details>\n")
    left = room - sum(_size(part) for part in parts)
    parts.append(_first(left, ["", *_charts(results, chart)], "{} more charts are left out: see uncork trace."))
    return "".join(parts)


def _first(room: int, parts: Sequence[str], left_out: str) -> str:
    """Returns as many parts as fit, and a sentence with the number of the rest."""
    used, out = 0, ""
    for number, part in enumerate(parts):
        used += _size(part)
        if used > room:
            return out + "\n" + left_out.format(f"{len(parts) - number:,}") + "\n"
        out += part
    return out


def _size(part: str) -> int:
    return len(part.encode())


def _table(results: Results) -> list[str]:
    rows = [
        name for name in results.rules if any(case.property == name for told in results.told for case in told.cases)
    ]
    if not rows:
        return [""]
    head = "\n| " + " | ".join(["instance", *rows, "states", "time"]) + " |\n"
    lines = []
    for told in results.told:
        by_row = {case.property: _cell(case) for case in told.cases}
        name = _code(told.name) + (" **!**" if told.model else "")
        cells = [name, *(by_row.get(row, "") for row in rows), f"{told.states:,}", f"{told.seconds:.1f} s"]
        lines.append("| " + " | ".join(cells) + " |\n")
    return [head + "|---" * (len(rows) + 1) + "|---:|---:|\n", *lines]


def _cell(case: Case) -> str:
    if not case.problems:
        return _plain(case.verdict)
    return f"**{_plain(case.verdict)}**, expected {_plain(case.expected)}"


def _wrong(results: Results) -> Iterable[str]:
    """Yields what is wrong with every instance: the cause of each run, and the properties that it refutes."""
    for told in results.told:
        for problem in told.model:
            yield f"\n- {_code(told.name)}: {MODEL}: {_plain(problem.message)}\n"
        for those in _by_run(case for case in told.cases if case.problems):
            run = those[0].run
            said = [f"{case.property}: {_plain(problem.message)}\n" for case in those for problem in case.problems]
            if run:
                rows = "".join(f"  - {each}" for each in said)
                yield f"\n- {_code(told.name)}: {_plain(run.cause.text)}\n{rows}"
            else:
                yield "".join(f"\n- {_code(told.name)}: {each}" for each in said)


def _by_run(cases: Iterable[Case]) -> list[list[Case]]:
    """The cases that a run refutes, together; the others one by one."""
    found: list[list[Case]] = []
    for case in cases:
        like = (those for those in found if case.run and those[0].run and those[0].run.trace == case.run.trace)
        if (those := next(like, None)) is not None:
            those.append(case)
        else:
            found.append([case])
    return found


def _charts(results: Results, most: int) -> Iterable[str]:
    """Yields a chart for every run that unexpectedly refutes properties, with the names of these properties."""
    for told in results.told:
        refuting = [case for case in told.cases if case.run and any(problem.refutes for problem in case.problems)]
        for those in _by_run(refuting):
            yield _chart(told, those[0], [each.property for each in those], most)


def _chart(told: InstanceResult, case: Case, names: Sequence[str], most: int) -> str:
    run = case.run
    assert run is not None
    cause, headline = _plain(run.cause.text), _plain(story.headline(run.prop, run.trace))
    ending = _plain(story.ending(run.trace))
    return (
        f"\n<details><summary>{_code(told.name)}: not {', '.join(names)}</summary>\n\n{cause}\n\n{headline}\n\n"
        f"```mermaid\n{mermaid.chart(run.system, run.prop, run.trace, most)}```\n\n"
        + (f"{ending[:1].upper()}{ending[1:]}.\n\n" if ending else "")
        + f"{_code(f'uncork trace {_shell(told.name)} --property {case.property} --all')} has every change of it.\n\n"
        "</details>\n"
    )


def _shell(name: str) -> str:
    return name if re.fullmatch(r"[\w./:=,+-]+", name) else "'" + name.replace("'", "'\\''") + "'"


def _plain(words: str) -> str:
    """Escapes text: nothing is taken for Markdown, HTML, the end of a cell, or a user's name."""
    words = " ".join(words.split())
    return re.sub(r"[\\`*_{}\[\]|~@#!]", lambda found: f"&#{ord(found[0])};", html.escape(words, quote=False))


def _code(words: str) -> str:
    return f"<code>{_plain(words)}</code>"
