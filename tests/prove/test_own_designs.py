"""Proofs of devices of one's own: with parts and lemmas of their own, which are checked and never trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import uncork
from proofs import ANY, ONE
from repository import ROOT
from uncork.core.sorts import SlipError
from uncork.core.verdict import Refuted
from uncork.engines import unwatched
from uncork.engines.deductive import obligations
from uncork.engines.deductive.prove import Solver
from uncork.prove import proof
from uncork_nvme.anysize import AnySize
from uncork_nvme.choices import InstanceError
from uncork_nvme.instance import Design, forget

BITS = (ROOT / "examples" / "devices" / "bits.py").read_text()
HEAD = "from uncork_nvme import *\n"
NAMED = 'mine = DEVICES["arm-recheck"].but("mine", "A device.", {Mine: {}})\n'

pytestmark = pytest.mark.usefixtures("own_files")


def written(text: str, policy: str = "head", **overrides: str) -> Design:
    """The design of a device `mine` in a file with this text."""
    Path("mine.py").write_text(text)
    return Design("mine.py:mine", "linux", policy, overrides)


def proved(of: Design, sqs: int = 1) -> proof.Part:
    return proof._part(of, False, 2, unwatched, sqs)


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


LEMMA = BITS[BITS.index("@lemma") : BITS.index("mine =")]
WITHOUT = changed(BITS, LEMMA, "")


@pytest.mark.slow
def test_a_lemma_of_ones_own_makes_a_proof() -> None:
    found = proved(written(BITS))
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
def test_a_part_of_ones_own_is_proved_without_a_lemma() -> None:
    kicks = HEAD + "class Mine(Kicks):\n    def kicks(self, site):\n        return True\n" + NAMED
    none = {f"kick_on_{site}": "no" for site in ("doorbell", "post", "reserve", "remit")}
    assert proved(written(kicks, **none)).live
    forget()
    twin = proved(written(kicks.replace("True", "site != 'doorbell'"), **none))
    assert "uncorked" not in twin.proved


REFUSED = {
    "a lemma about a choice within a step": (
        "from uncork_nvme.anysize import Expr, Range\n"
        "@lemma\ndef wrong(m, q):\n    'Chosen.'\n    return Expr('var', (), Range(0, 9), 'anything.way') >= 0\n",
        "looks at anything.way",
    ),
    "a lemma that is no condition": ("@lemma\ndef wrong(m, q):\n    'A number.'\n    return m.held\n", "a condition"),
    "a lemma without words": ("@lemma\ndef wrong(m, q):\n    return q.corked\n", "has no docstring"),
    "a lemma with a mistake": ("@lemma\ndef wrong(m, q):\n    'Typo.'\n    return q.crked\n", "did you mean 'corked'"),
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
        proof.argued(written(HEAD + text + ("" if "mine =" in text else plain)), several=ONE, least=2)


HUNG = 'mine = DEVICES["hand-over"].but("mine", "A device that hangs with several SQs.", {Mine: {}})\n'
STOPS = 'mine = GUESTS["linux"].but("mine", "A guest that stops with several SQs.", {Mine: {}})\n'
SEVERAL = {
    "a step about two SQs": (
        "class Mine(Permits):\n    def returns(self, m, q, w):\n        yield from super().returns(m, q, w)\n"
        "        for r in m.sqs:\n            if r is not q:\n                yield settle(m, q, w, r)\n"
        "@step('worker {}')\ndef settle(m, q, w, r):\n    'Gives its permit back without a kick.'\n"
        "    free = (w.at == 'remit') & m.cq.unlocked & ~q.corked & ~r.corked\n"
        "    return when(free, m.cq(available=m.cq.available + 1), q.popping_is(False), w.leaves())\n" + HUNG
    ),
    "a step that depends on which SQ it is": (
        "class Mine(Spent):\n    def delivered(self, q, condition):\n"
        "        return super().delivered(q, condition) if q.label != 'SQ2' else q(wakeups=q.wakeups)\n" + HUNG
    ),
    "a guest that sees the CQE of another SQ": (
        "class Mine(Driver):\n    @property\n    def consumes_at(self):\n"
        "        return (*super().consumes_at, 'stuck')\n"
        "    def steps(self, m):\n        yield from super().steps(m)\n        yield from (stop(m, q) for q in m.sqs)\n"
        "@step('consumer', of='poll')\ndef stop(m, q):\n    'Stops.'\n    cq = m.cq\n"
        "    return when((cq.consumer == 'poll') & (cq.unread(q) > 0) & ~cq.shows(q), cq(consumer='stuck'))\n" + STOPS
    ),
    "a lemma": 'mine = DEVICES["hand-over"].but("mine", "A device.", {})\n'
    "@lemma\ndef wrong(m, q):\n    'It is never corked.'\n    return ~q.corked\n",
}


@pytest.mark.parametrize("case", SEVERAL)
def test_several_sqs_of_a_design_with_parts_or_lemmas_of_ones_own_are_refused(case: str) -> None:
    Path("mine.py").write_text(HEAD + SEVERAL[case])
    guest = case.startswith("a guest")
    of = Design("hand-over" if guest else "mine.py:mine", "mine.py:mine" if guest else "linux", "tail-1")
    with pytest.raises(SlipError, match=r"is proved for one, two or three SQs, and not for any number"):
        proof.argued(of, several=ANY, least=2)


DELIVERS = (
    "class Mine(Spent):\n    def delivered(self, q, condition):\n"
    "        return super().delivered(q, condition) if q.label != 'SQ1' else q(wakeups=q.wakeups)\n"
    'mine = DEVICES["mmio"].but("mine", "A device.", {Mine: {}})\n'
)


@pytest.mark.slow
def test_a_number_of_sqs_is_proved_each_by_itself() -> None:
    """Here nobody wakes SQ1, and that a proof of SQ0 goes through says nothing of it."""
    of = written(HEAD + changed(DELIVERS, "'SQ1'", "'SQ9'"), "tail", kick_on_remit="yes")
    assert proved(of, 2).claim == "live for every queue size and two SQs"
    forget()
    found = proved(written(HEAD + DELIVERS, "tail", kick_on_remit="yes"), 2)
    assert found.proved == ["safety"]
    unproved = {failure.obligation.of for failure in found.judgement.failures}
    assert {"uncorked SQ1", "drains SQ1"} <= unproved and "uncorked SQ0" not in unproved


QUEUES = changed(changed(BITS, 'DEVICES["arm-recheck"]', 'DEVICES["qemu"]'), "class Bits(Spent)", "class Bits(Kept)")


@pytest.mark.slow
@pytest.mark.deep
def test_where_completions_queue_each_sq_is_proved_too() -> None:
    """Its twin has EventIdx at the tail: then completions stay queued, and `drains` is not proved."""
    text = changed(QUEUES, "any_of, ite", "any_of, ite, Kept")
    assert proved(written(text), 2).claim == "live for every queue size and two SQs"
    forget()
    assert proved(written(text, "tail"), 2).proved == ["safety", "uncorked", "progress"]


@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.parametrize("case", [case for case in SEVERAL if "step" in case])
def test_what_hangs_with_three_sqs_is_proved_with_two_only(case: str) -> None:
    of = written(HEAD + SEVERAL[case], "tail-1")
    assert proved(of, 2).live
    assert "uncorked" not in proved(of, 3).proved
    assert proof.failing(of, False, ["uncorked", "drains", "progress"], unwatched, 3)


@pytest.mark.slow
@pytest.mark.deep
def test_a_lemma_is_stated_of_each_sq() -> None:
    assert proved(written(BITS), 2).live
    forget()
    assert proved(written(WITHOUT), 2).proved == ["safety"]
    forget()
    found = proved(written(HEAD + SEVERAL["a lemma"], "tail-1"), 2)
    assert {"wrong of SQ0", "wrong of SQ1"} == {failure.obligation.about for failure in found.judgement.untrue}


@pytest.mark.parametrize("sqs", [2, 3])
def test_with_several_sqs_the_order_of_cqes_is_not_looked_at(sqs: int) -> None:
    Path("mine.py").write_text(HEAD + SEVERAL["a guest that sees the CQE of another SQ"])
    guest = Design("hand-over", "mine.py:mine", "tail-1")
    with pytest.raises(SlipError, match="a guest with a part of your own is proved with one SQ only"):
        proof.argued(guest, several=False, least=2, sqs=sqs)
    forget()
    spies = "class Mine(Permits):\n    def reserves(self, m, q, w):\n        yield from super().reserves(m, q, w)\n"
    spies += "        yield spy(m, q, w)\n@step('worker {}')\ndef spy(m, q, w):\n    'Looks.'\n"
    spies += "    return when((w.at == 'reserve') & ~m.cq.shows(q), w(at='remit'))\n" + HUNG
    with pytest.raises(
        InstanceError, match=r"spy\(SQ0\) looks at sq0.ledger.unread: with several SQs the order of CQEs"
    ):
        proof.argued(written(HEAD + spies, "tail-1"), several=False, least=2, sqs=sqs)


STEPS = "    def steps(self, m, q, w):\n        yield from super().steps(m, q, w)\n"
UNREAD = "    unread = q.outstanding > q.pending + q.in_flight\n"
BESIDES = {
    "a step that takes a CQE": (
        "class Mine(ArmRecheck):\n" + STEPS + "        yield reap(m, q)\n@step('consumer', of='poll')\n"
        "def reap(m, q):\n    'Takes a CQE of this SQ, which has one.'\n"
        + UNREAD
        + "    return when((m.cq.consumer == 'poll') & unread, m.cq.take(q), q(outstanding=q.outstanding - 1))\n"
        + NAMED,
        r"reap\(SQ0\) takes a CQE",
    ),
    "a step that is named as the guest's": (
        "class Mine(ArmRecheck):\n" + STEPS + "        yield consume(m, q, 1)\n@step('backend {}')\n"
        "def consume(m, q, number):\n    'Forgets a cork.'\n"
        + UNREAD
        + "    return when(q.corked & unread & ~m.cq.shows(q), q(corked=False))\n"
        + NAMED,
        r"consume\(SQ0, 1\) looks at sq0.ledger.unread",
    ),
    "kicks of some under the name of kicks of all": (
        "from uncork_nvme.parts.room.kicks import AsManyAsRoom\nclass Mine(AsManyAsRoom):\n    named = ('all',)\n"
        + NAMED,
        "Mine is made of AsManyAsRoom, and the choices ask for Kicks",
    ),
    "workers that are dealt under the name of others": (
        "from uncork_nvme.parts.crew import GivenAnew\nclass Mine(GivenAnew):\n    named = ('spent',)\n"
        'mine = DEVICES["arm-recheck"].but("mine", "A device.", {Mine: {"workers": 2}})\n',
        "Mine is made of GivenAnew, and the choices ask for Spent",
    ),
    "kicks that say they hand permits over": (
        "class Mine(Kicks):\n    hands_over = True\n"
        "    def of_sq(self, size, cq_size, sqs):\n"
        "        line = {'granted': var(Bool(), 'g'), 'before': var(Nat(9), 'b')}\n"
        "        return line | super().of_sq(size, cq_size, sqs)\n" + NAMED,
        "Mine changes hands_over",
    ),
}


@pytest.mark.parametrize("case", BESIDES)
def test_what_the_machine_of_all_sizes_would_have_in_another_way_is_refused(case: str) -> None:
    """Of each of these some property was proved with two SQs that the explicit engine refutes."""
    text, says = BESIDES[case]
    with pytest.raises((SlipError, InstanceError), match=says):
        proof.argued(written(HEAD + text), several=False, least=2, sqs=2)


@pytest.mark.parametrize("sqs", [0, 4])
def test_numbers_of_sqs_that_are_not_followed_are_refused(sqs: int) -> None:
    with pytest.raises(SlipError, match="is about one, two or three SQs, or any number"):
        proof.argued(Design("mmio", "linux", "tail"), several=False, least=2, sqs=sqs)


def test_several_sqs_of_a_device_with_settings_of_ones_own_are_not() -> None:
    of = written(HEAD + 'mine = DEVICES["hand-over"].but("mine", "A device.", {})\n')
    assert proof.argued(of, several=ANY, least=2)


def test_the_sq_of_a_proof_is_that_of_a_machine_with_one_sq() -> None:
    of = written(HEAD + "class Mine(Spent):\n    pass\n" + NAMED)
    fixed = of.at(1, 2, 3).machine
    followed = AnySize(fixed.parts, fixed.policy, several=ONE)
    for m in (fixed, followed):
        assert [(q.label, q.name, q.number) for q in m.sqs] == [("SQ0", "sq0", 0)]
        assert m.count == 1


def test_nothing_is_proved_of_a_guest_that_takes_a_cqe_without_a_look() -> None:
    """CQEs are counted in a proof: below 0 their number is not that of the ring."""
    guest = HEAD + "class Mine(Driver):\n    def steps(self, m):\n        yield from super().steps(m)\n"
    guest += "        yield blind(m, m.sqs[0])\n@step('consumer', of='poll')\ndef blind(m, q):\n    'Takes.'\n"
    guest += "    return when(m.cq.consumer == 'poll', m.cq.take(q), q(outstanding=q.outstanding - 1))\n" + STOPS
    Path("mine.py").write_text(guest)
    argument, _ = proof.argued(Design("hand-over", "mine.py:mine", "tail-1"), several=ONE, least=2)
    (lemma,) = [each for each in argument.lemmas if each.name == "CQEs of SQ0"]
    assert lemma.basis
    broken = [
        action.name
        for action in argument.system.actions
        if Solver(argument).broken(list(obligations.consecution(action, [lemma])))
    ]
    assert broken == ["blind(SQ0)"]


@pytest.mark.slow
def test_prove_says_that_more_sqs_of_a_device_of_ones_own_are_not_covered() -> None:
    named = 'mine = DEVICES["mmio"].but("mine", "A device.", {Mine: {"kick_on_remit": "yes"}})\n'
    written(HEAD + "class Mine(Kicks):\n    pass\n" + named)
    done = uncork("prove", "tail", "--device", "mine.py:mine")
    told = " ".join(done.stdout.split())
    assert done.returncode == 30, done.stdout + done.stderr
    assert "live for every queue size and one SQ" in told
    assert "live for every queue size and two SQs" in told
    assert "open: more SQs are not covered. Mine: with parts" in told
    refused = uncork("prove", "tail", "--device", "mine.py:mine", "--sqs", "any")
    assert refused.returncode == 2
    assert "Use --sqs one, two or three" in " ".join(refused.stderr.split())


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
