"""Proves designs for queues of every size: what `uncork prove` and `uncork verify` do, without a word of output."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.resources import files as resources
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from uncork_nvme.anysize import AnySize
from uncork_nvme.choices import parse
from uncork_nvme.instance import Design, InstanceError, find_policy, system
from uncork_properties.catalogue import properties
from uncork_properties.proof import argument

from uncork import __version__, runner, signals
from uncork.core.argument import Argument
from uncork.core.property import Property
from uncork.core.trace import ReplayError
from uncork.core.verdict import Refuted
from uncork.engines import Budget
from uncork.engines.deductive import Failure, Judgement, certificate, judge, shown
from uncork.patience import patiently
from uncork.runner import Checked

LEAST = (2, 3)
"""The least sizes of the CQ that are tried: a design may be good from 3 entries up."""
REAL = {False: ((1, 2, 2), (1, 3, 2), (1, 3, 3)), True: ((2, 2, 2), (2, 2, 3), (3, 2, 2))}
"""Sizes at which a design that is not proved is looked at: does it fail there? By whether it has several SQs."""

SMALL = 3_000_000
"""States after which such a look ends."""

Watch = Callable[[str], None]


def argued(design: Design, *, several: bool, least: int) -> tuple[Argument, list[Property]]:
    """The proof for a design, with one SQ or any number, and the properties that it is about."""
    machine = AnySize(design.at(1, 2, 2).choices, find_policy(design.policy), several=several, least=least)
    found = system(design.name, machine)
    return argument(machine, found), properties(machine, found)


@dataclass(frozen=True)
class Part:
    """What was found for one SQ, or for several, with a CQ of at least so many entries.

    `rows` tells of each property that was tried whether it is proved and, where it is not, what failed.
    """

    several: bool
    least: int
    judgement: Judgement
    rows: Mapping[str, tuple[bool, Sequence[Failure]]]

    @property
    def proved(self) -> list[str]:
        """The properties that are proved."""
        return [row for row, (proved, _) in self.rows.items() if proved]

    @property
    def live(self) -> bool:
        """Whether every property that was tried is proved."""
        return len(self.proved) == len(self.rows)

    @property
    def claim(self) -> str:
        """What is proved, in a sentence."""
        return _claim(self.several, self.least, self.proved, len(self.rows))


def _claim(several: bool, least: int, proved: Sequence[str], tried: int) -> str:
    sizes = "every queue size" if least == LEAST[0] else f"every SQ size and every CQ of {least} entries or more"
    what = "live" if len(proved) == tried else f"{', '.join(proved) or 'nothing'} proved"
    return f"{what} for {sizes} and {'any number of SQs' if several else 'one SQ'}"


def prove(design: Design, several: bool, watch: Watch = lambda _: None) -> list[Part]:
    """For every size; and where that fails and something more can be proved of larger CQs, for those too."""
    parts: list[Part] = []
    for least in LEAST:
        part = patiently(partial(_part, design, several, least, watch))
        if not parts or len(part.proved) > len(parts[-1].proved):
            parts.append(part)
        if part.live:
            break
    return parts


def _part(design: Design, several: bool, least: int, watch: Watch) -> Part:
    found, stated = argued(design, several=several, least=least)
    judgement = judge(found, watch)
    rows: dict[str, tuple[bool, list[Failure]]] = {}
    for prop in _tried(found, stated):
        proved, against = rows.get(prop.row, (True, []))
        rows[prop.row] = proved and judgement.proves(prop), against + judgement.against(prop)
    return Part(several, least, judgement, rows)


def _tried(found: Argument, stated: Sequence[Property]) -> list[Property]:
    named = {d.prop.name for d in found.descents} | {r.prop.name for r in found.responses}
    return [prop for prop in stated if prop.row == "safety" or prop.name in named]


def failing(design: Design, several: bool, rows: Sequence[str], watch: runner.Watch) -> list[Checked]:
    """Small instances at which one of these properties really fails, with the runs that show it."""
    instances = [design.at(*shape) for shape in REAL[several]]
    every = runner.check(instances, rows, Budget(states=SMALL), watch)
    return [each for each in every if any(isinstance(row.verdict, Refuted) for row in each.rows)]


# -- certificates ------------------------------------------------------------------------------------------------------
def write(folder: Path, design: Design, parts: Sequence[Part]) -> None:
    """Writes a certificate of what is proved: a manifest and, for each part, its obligations. All of it or nothing.

    Raises `InstanceError` if the folder is there and is no certificate.
    """
    if folder.exists() and not (folder / "manifest.json").is_file():
        raise InstanceError(f"{folder} is there already, and is no certificate: name a folder that is not")
    with tempfile.TemporaryDirectory(dir=folder.resolve().parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        (made / WORDS).write_text(_words(design))
        said = []
        for part in parts:
            place = made / _place(part.several)
            place.mkdir()
            kept = [lemma.name for lemma in part.judgement.kept]
            unproved = sorted({failure.obligation.of for failure in part.judgement.failures})
            written = certificate.files(part.judgement.argument, kept, frozenset(unproved))
            for name, text in written.items():
                (place / name).write_text(text, encoding="utf-8")
            said.append(
                {
                    "several": part.several,
                    "least": part.least,
                    "proved": part.proved,
                    "unproved": unproved,
                    "lemmas": kept,
                    "obligations": sum(len(certificate.asked(text)) for text in written.values()),
                    "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in written.items()},
                }
            )
        manifest = {
            "claims": [part.claim for part in parts],
            "design": [design.device, design.guest, design.policy],
            "overrides": [f"{name}={value}" for name, value in sorted(design.overrides.items())],
            "uncork": __version__,
            "solvers": {"z3": certificate.version("z3")},
            "parts": said,
        }
        (made / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        if folder.exists():
            shutil.move(folder, Path(scratch) / "before")
        shutil.move(made, folder)


WORDS = "need-event.smt2"
"""The file of a certificate that says why 16-bit arithmetic is that of the ring."""


def _words(design: Design) -> str:
    rule = design.at(1, 2, 2).choices.need_event
    return (resources("uncork_properties") / f"need_event_{rule}.smt2").read_text()


def _place(several: bool) -> str:
    return "several" if several else "one"


@dataclass(frozen=True)
class Verified:
    """What came of checking a certificate: its claims, how many obligations each solver proved, in how many seconds."""

    claims: Sequence[str]
    proved: Mapping[str, int]


def verify(folder: Path, solvers: Sequence[str] = certificate.SOLVERS) -> Verified:
    """Checks a certificate: its obligations are those of the model at hand, and each solver proves them all.

    Raises `InstanceError` if it cannot be read, `ReplayError` if it is rejected.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        design = _design(manifest)
        claims, texts = _again(folder, design, manifest)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InstanceError(f"{folder} is no certificate that can be read: {error!r}") from None
    if claims != manifest.get("claims"):
        raise ReplayError(f"{folder}: it claims {manifest.get('claims')}, and its obligations show {claims}")
    with signals.deaf():
        pool = ProcessPoolExecutor(2, get_context("spawn"), signals.born)
    proved = dict.fromkeys(solvers, 0)
    try:
        with signals.deaf():
            asked = {(solver, name): pool.submit(certificate.ask, solver, text) for solver in solvers
                     for name, text in texts.items()}  # fmt: skip
        for (solver, name), answers in asked.items():
            proved[solver] += _all_proved(f"{folder / name}: {solver}", texts[name], answers.result())
    finally:
        signals.ended(pool, 0)
    return Verified(claims, proved)


def _design(manifest: Mapping[str, Any]) -> Design:
    device, guest, policy = map(str, manifest["design"])
    return Design(device, guest, policy, dict(parse(each) for each in manifest["overrides"]))


def _again(folder: Path, design: Design, manifest: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The claims and the files that the model at hand gives for a certificate; `ReplayError` if the files differ."""
    texts = {WORDS: _words(design)}
    claims = []
    for each in manifest["parts"]:
        several, least, unproved = bool(each["several"]), each["least"], frozenset(each["unproved"])
        if least not in LEAST or any(name.startswith(_place(several) + "/") for name in texts):
            raise ReplayError(
                f"{folder}: a part about a CQ of {least!r} entries, or a second one, is none of a proof's"
            )
        found, stated = argued(design, several=several, least=least)
        made = certificate.files(found, each["lemmas"], unproved)
        texts |= {f"{_place(several)}/{name}": text for name, text in made.items()}
        tried = _tried(found, stated)
        lacking = {p.row for p in tried if not shown(found, p, unproved, each["lemmas"])}
        rows = dict.fromkeys(prop.row for prop in tried)
        claims.append(_claim(several, least, [row for row in rows if row not in lacking], len(rows)))
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.smt2")}
    for name in sorted(there ^ texts.keys()):
        what = "is no file of the proof" if name in there else "is missing"
        raise ReplayError(f"{folder / name} {what}: the certificate has changed, or the model has")
    for name, text in texts.items():
        if (folder / name).read_text(encoding="utf-8") != text:
            raise ReplayError(
                f"{folder / name} is not what the model at hand asks for: the certificate has changed, or the model has"
            )
    return claims, texts


def _all_proved(where: str, text: str, answers: Sequence[certificate.Answer]) -> int:
    wanted = certificate.asked(text)
    for each in answers:
        if each.said != "unsat":
            raise ReplayError(f"{where} does not prove {each.obligation!r}: {each.said}")
    if [each.obligation for each in answers] != wanted:
        raise ReplayError(f"{where} answered to {len(answers)} obligations, of {len(wanted)}")
    return len(wanted)
