"""Proofs of devices of one's own: with parts and lemmas of their own, which are checked and never trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import uncork
from proofs import ANY, ONE
from repository import ROOT
from uncork.core.sorts import SlipError
from uncork.core.verdict import Refuted
from uncork.engines import unwatched
from uncork.prove import proof
from uncork_nvme.choices import InstanceError
from uncork_nvme.instance import Design, forget

BITS = (ROOT / "examples" / "devices" / "bits.py").read_text()
HEAD = "from uncork_nvme import *\n"
NAMED = 'mine = DEVICES["arm-recheck"].but("mine", "A device.", {Mine: {}})\n'


@pytest.fixture(autouse=True)
def _anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    forget()
    yield
    forget()


def written(text: str, policy: str = "head", **overrides: str) -> Design:
    """The design of a device `mine` in a file with this text."""
    Path("mine.py").write_text(text)
    return Design("mine.py:mine", "linux", policy, overrides)


def proved(of: Design, several: bool = ONE) -> proof.Part:
    return proof._part(of, several, 2, unwatched)


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


LEMMA = BITS[BITS.index("@lemma") : BITS.index("mine =")]
WITHOUT = changed(BITS, LEMMA, "")


@pytest.mark.slow
@pytest.mark.parametrize("several", [ONE, pytest.param(ANY, marks=pytest.mark.deep)])
def test_a_lemma_of_ones_own_makes_a_proof(several: bool) -> None:
    found = proved(written(BITS), several)
    assert found.live
    assert not found.judgement.untrue
    assert "the bit says who sleeps of SQ0" in {lemma.name for lemma in found.judgement.kept}


@pytest.mark.slow
def test_without_it_the_step_is_named_that_the_proof_does_not_follow() -> None:
    found = proved(written(WITHOUT))
    assert found.proved == ["safety"]
    _, against = found.rows["uncorked"]
    names = {failure.obligation.name for failure in against}
    assert "consecution: a doorbell or a cork of SQ0, after deliver(SQ0)" in names


FALSE = {
    "that a step breaks": ("all_of(w.bit == w.asleep for w in q.workers)", "all_of(w.bit for w in q.workers)",
                           "wake(SQ0)"),
    "that is wrong at the beginning": ("all_of(w.bit == w.asleep for w in q.workers)", "q.corked", ""),
    "that says that nothing is so": ("all_of(w.bit == w.asleep for w in q.workers)", "q.corked & ~q.corked", ""),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.deep] if k else []) for k, case in enumerate(FALSE)]
)
def test_a_false_lemma_is_reported_and_proves_nothing(case: str) -> None:
    old, new, step = FALSE[case]
    found = proved(written(changed(BITS, old, new)))
    assert found.proved == proved(written(WITHOUT)).proved
    assert {failure.obligation.step for failure in found.judgement.untrue} >= {step}
    assert all("the bit says" not in lemma.name for lemma in found.judgement.kept)


@pytest.mark.slow
@pytest.mark.deep
def test_a_false_lemma_does_not_hide_that_a_design_hangs() -> None:
    """The lemma would make the proof: it says that a corked SQ is always kicked."""
    hangs = HEAD + "class Mine(Kicks):\n    def kicks(self, site):\n        return site == 'post'\n" + NAMED
    hangs += "@lemma\ndef kicked(m, q):\n    'It is never corked.'\n    return ~q.corked\n"
    of = written(hangs)
    found = proved(of)
    assert "uncorked" not in found.proved
    assert {"kicked of SQ0"} == {failure.obligation.about for failure in found.judgement.untrue}
    real = proof.failing(of, ONE, ["uncorked"], unwatched)
    assert any(isinstance(row.verdict, Refuted) for each in real for row in each.rows)


@pytest.mark.slow
@pytest.mark.parametrize("several", [ONE, pytest.param(ANY, marks=pytest.mark.deep)])
def test_a_part_of_ones_own_is_proved_without_a_lemma(several: bool) -> None:
    kicks = HEAD + "class Mine(Kicks):\n    def kicks(self, site):\n        return True\n" + NAMED
    none = {f"kick_on_{site}": "no" for site in ("doorbell", "post", "reserve", "remit")}
    assert proved(written(kicks, **none), several).live
    forget()
    twin = proved(written(kicks.replace("True", "site != 'doorbell'"), **none), several)
    assert "uncorked" not in twin.proved


REFUSED = {
    "a lemma about another SQ": (
        "@lemma\ndef wrong(m, q):\n    'Far.'\n    return ~m.cq.threads[1].asleep\n",
        r"looks at sq1.worker.at: it may look at its own SQ",
    ),
    "a lemma about a choice within a step": (
        "from uncork_nvme.anysize import Expr, Range\n"
        "@lemma\ndef wrong(m, q):\n    'Chosen.'\n    return Expr('var', (), Range(0, 9), 'anything.way') >= 0\n",
        "looks at anything.way",
    ),
    "a lemma that is no condition": ("@lemma\ndef wrong(m, q):\n    'A number.'\n    return m.held\n", "a condition"),
    "a lemma without words": ("@lemma\ndef wrong(m, q):\n    return q.corked\n", "has no docstring"),
    "a lemma with a mistake": ("@lemma\ndef wrong(m, q):\n    'Typo.'\n    return q.crked\n", "did you mean 'corked'"),
    "a step that looks at other SQs": (
        "@step('timer {}')\ndef look(m, q):\n    'Looks.'\n    return when(m.sqs[0].corked, q(corked=q.corked))\n"
        "class Mine(Park):\n    def steps(self, m, q, w):\n        yield from super().steps(m, q, w)\n"
        "        yield look(m, q)\n" + NAMED,
        r"look\(SQ1\) looks at sq0.corked.*Use --sqs one",
    ),
    "a step that counts the SQs": (
        "@step('timer {}')\ndef look(m, q):\n    'Looks.'\n    return when(m.held > len(m.sqs), q(corked=q.corked))\n"
        "class Mine(Park):\n    def steps(self, m, q, w):\n        yield from super().steps(m, q, w)\n"
        "        yield look(m, q)\n" + NAMED,
        r"len\(m.sqs\) means nothing.*write m.count",
    ),
    "a step that asks which SQ it is": (
        "class Mine(Park):\n    def also(self, q):\n        return [q(wakeups=1)] if q.number else []\n" + NAMED,
        r"q.number means nothing",
    ),
    "a step of one's own that writes a CQE": (
        "@step('backend {}')\ndef put(m, q):\n    'Writes.'\n    return when(q.in_flight > 0, m.cq.put(q))\n"
        "class Mine(Park):\n    def steps(self, m, q, w):\n        yield from super().steps(m, q, w)\n"
        "        yield put(m, q)\n" + NAMED,
        r"put\(SQ0\) writes a CQE",
    ),
    "a part that picks who is kicked": (
        "class Mine(Kicks):\n    def choose(self, sqs, capacity):\n        yield ()\n" + NAMED,
        "Mine changes choose",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_proof_cannot_speak_of_is_refused(case: str) -> None:
    text, says = REFUSED[case]
    plain = 'mine = DEVICES["arm-recheck"].but("mine", "A device.", {})\n'
    with pytest.raises((SlipError, InstanceError), match=says):
        proof.argued(written(HEAD + text + ("" if "mine =" in text else plain)), several=ANY, least=2)


@pytest.mark.slow
@pytest.mark.deep
def test_prove_tells_of_a_false_lemma_and_where_a_design_really_fails() -> None:
    false = changed(BITS, "all_of(w.bit == w.asleep for w in q.workers)", "all_of(w.bit for w in q.workers)")
    written(false)
    done = uncork("prove", "head", "--device", "mine.py:mine", "--sqs", "one")
    told = " ".join(done.stdout.split())
    assert done.returncode == 30, done.stdout + done.stderr
    assert "your lemma 'the bit says who sleeps of SQ0' is not kept: it fails after wake(SQ0)" in told
    assert "not refuted at the small sizes searched" in told
