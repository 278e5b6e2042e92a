"""Certificates of proofs for all sizes: two solvers accept them, and any change is rejected."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from proofs import once
from uncork.core.system import System
from uncork.core.trace import ReplayError
from uncork.engines import unwatched
from uncork.engines.deductive import certificate
from uncork.prove import certificate as certificates
from uncork.prove import proof
from uncork_nvme.anysize import AnySize
from uncork_nvme.instance import Design, InstanceError

ONE, ANY = False, True


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proof") / "certificate"
    baseline = Design("mmio", "linux", "tail")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof, "_part", once)
        parts = [proof.prove(baseline, several, unwatched)[-1] for several in (ONE, ANY)]
    certificates.write(folder, baseline, parts)
    return folder


def copied(written: Path, to: Path) -> Path:
    folder = to / "copy"
    shutil.copytree(written, folder)
    return folder


@pytest.mark.slow
def test_a_certificate_is_checked_by_two_solvers(written: Path) -> None:
    found = certificates.verify(written)
    assert found.claims == [
        "live for every queue size and one SQ",
        "safety proved for every queue size and any number of SQs",
    ]
    assert set(found.proved) == {"z3", "cvc5"}
    assert len(set(found.proved.values())) == 1


TAMPERED = {
    "a goal made easier": ("one/rank.smt2", "(assert (not ", "(assert (not (or true ", "is not what the model"),
    "an obligation left out": ("one/rank.smt2", "(check-sat)", "", "is not what the model"),
    "another policy": ("manifest.json", '"linux",', '"spdk",', "is not what the model"),
    "a lemma left out": ("manifest.json", '    "permits",', "", "is not what the model"),
    "a lemma made up": ("manifest.json", '    "permits",', '"all is well",', "there is no lemma 'all is well'"),
    "a claim too much": ("manifest.json", "safety proved", "live", "its obligations show"),
    "a size too few": ("manifest.json", '"least": 2', '"least": 3', "is not what the model"),
    "a property less": ("manifest.json", '    "progress"', '    "drains"', "parts 0 proved 3 is .*, but its oblig"),
    "a property that is none": ("manifest.json", '"unproved": []', '"unproved": ["all"]', "no obligation is of a prop"),
    "a number of obligations": ("manifest.json", '"obligations": ', '"obligations": 1', "parts 0 obligations is"),
    "another file": ("manifest.json", '"rank.smt2": "', '"rank.smt2": "0', "parts 0 files rank.smt2 is"),
    "more than there is": ("manifest.json", '"claims"', '"holds": true, "claims"', "holds is true, but its oblig"),
    "a claim twice": ("manifest.json", '"design"', '"claims": ["live"], "design"', "'claims' is there twice"),
    "another form": ("manifest.json", '"format": 1', '"format": 2', "format 2 is not known"),
    "another uncork": ("manifest.json", '"uncork": "', '"uncork": "9', "it is of uncork '9.*prove it again"),
    "sizes that there are not": ("manifest.json", '"least": 2', '"least": 70000', "is none of a proof's"),
    "the same part twice": ("manifest.json", '"sqs": "any"', '"sqs": 1', "or a second one"),
}


SHOWN = certificates._shown


@cache
def shown(of: str, several: bool, least: int, lemmas: tuple[str, ...], unproved: tuple[str, ...]) -> certificates.Shown:
    return SHOWN(DESIGNS[of], several, least, lemmas, unproved, 1)


DESIGNS: dict[str, Design] = {}


@pytest.mark.slow
@pytest.mark.parametrize("what", TAMPERED)
def test_a_certificate_that_was_tampered_with_is_rejected(
    what: str, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the model asks for is the same in most of them, and is made once."""

    def made(
        design: Design, several: bool, least: int, lemmas: list[str], unproved: list[str], sqs: int
    ) -> certificates.Shown:
        assert sqs == 1
        DESIGNS[design.name] = design
        return shown(design.name, several, least, tuple(lemmas), tuple(unproved))

    monkeypatch.setattr(certificates, "_shown", made)
    name, old, new, why = TAMPERED[what]
    folder = copied(written, tmp_path)
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    with pytest.raises((ReplayError, InstanceError), match=why):
        certificates.verify(folder, ["z3"])


@pytest.mark.slow
def test_a_certificate_with_a_file_too_many_or_too_few_is_rejected(written: Path, tmp_path: Path) -> None:
    folder = copied(written, tmp_path)
    (folder / "more.smt2").write_text("")
    with pytest.raises(ReplayError, match="no file of the proof"):
        certificates.verify(folder)
    (folder / "more.smt2").unlink()
    (folder / "one" / "safety.smt2").unlink()
    with pytest.raises(ReplayError, match="is missing"):
        certificates.verify(folder)


@pytest.mark.slow
def test_a_certificate_of_yesterdays_model_is_rejected(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = proof.system

    def tomorrow(name: str, machine: AnySize) -> System:
        found = today(name, machine)
        return replace(found, actions=found.actions[:-1])

    monkeypatch.setattr(proof, "system", tomorrow)
    with pytest.raises(ReplayError, match="the certificate has changed, or the model has"):
        certificates.verify(written)


@pytest.mark.slow
@pytest.mark.parametrize("solver", certificate.SOLVERS)
def test_a_false_obligation_is_answered_with_sat(solver: str, written: Path) -> None:
    text = (written / "need-event.smt2").read_text()
    slip = text.replace("bvult ((_ extract", "bvule ((_ extract", 1)
    assert [answer.said for answer in certificate.ask(solver, text)] == ["unsat"]
    answers = certificate.ask(solver, slip)
    assert [answer.said for answer in answers] == ["sat"]
    with pytest.raises(ReplayError, match="does not prove 'need-event"):
        certificates._all_proved("here", slip, answers)


def test_nothing_that_is_not_a_certificate_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InstanceError, match="is no certificate"):
        certificates.write(tmp_path / "mine", Design("mmio", "linux", "tail"), [])
