"""Several engines asked the same: they agree, and if one of them is wrong the contradiction is found."""

from __future__ import annotations

import pytest
from toys import draw, never
from uncork.core.trace import Trace
from uncork.core.verdict import Open, Proved, Refuted
from uncork.decide import agreement, many
from uncork.decide.agreement import contradictions
from uncork.decide.exits import Exit
from uncork.decide.gate import judge
from uncork.engines import explicit
from uncork_nvme.instance import from_name
from uncork_properties.catalogue import ROWS

HANGS, LIVE = "propolis-2025/linux/tail/n1-sq2-cq2", "propolis-2026/linux/tail-1/n1-sq2-cq2"

SYSTEM = draw("a go b", "b on c")
SHORT, LONG = (Refuted(Trace(({"toy.at": "a"},) * n, ("go",) * (n - 1))) for n in (2, 3))


@pytest.mark.parametrize(
    ("verdicts", "contradict"),
    [
        ({"explicit": Proved("so"), "sweeps": SHORT}, True),
        ({"explicit": SHORT, "induction": Proved("so")}, True),
        ({"explicit": SHORT, "single steps": LONG}, True),
        ({"explicit": LONG, "single steps": Open("spent", 2)}, True),
        ({"explicit": LONG, "single steps": Open("spent", 1)}, False),
        ({"explicit": SHORT, "single steps": SHORT}, False),
        ({"explicit": SHORT, "sweeps": LONG}, False),
        ({"explicit": Proved("so"), "sweeps": Open("spent", 8), "induction": Open("spent", 0)}, False),
    ],
    ids=str,
)
def test_verdicts_that_contradict_one_another_are_told_from_others(verdicts, *, contradict: bool) -> None:
    assert bool(list(contradictions(never(SYSTEM, "b"), verdicts))) is contradict


@pytest.mark.slow
@pytest.mark.parametrize("rows", [("safety", "drains"), pytest.param(tuple(ROWS), marks=pytest.mark.deep)], ids=str)
@pytest.mark.parametrize("name", [HANGS, LIVE])
def test_all_engines_agree_on_a_machine(name: str, rows: tuple[str, ...]) -> None:
    (checked,) = many.check([from_name(name)], rows, engine="all")
    assert checked.disagreements == ()
    assert judge(checked, None) == [] or name == HANGS


def test_an_engine_that_lies_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = explicit.check

    def lie(*args, **kwargs):
        outcome = real(*args, **kwargs)
        return agreement.replace(outcome, verdicts=tuple((p, Proved("a lie")) for p, _ in outcome.verdicts))

    monkeypatch.setattr(explicit, "check", lie)
    monkeypatch.setattr(agreement, "_DOUBTED", agreement._SOUGHT)
    (checked,) = many.check([from_name(HANGS)], ("drains",), engine="all")
    findings = [finding for finding in judge(checked, None) if finding.exit is Exit.DISAGREE]
    assert findings
    assert "explicit says proved (a lie), sweeps says refuted" in findings[0].message
