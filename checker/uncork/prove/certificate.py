"""Writes and checks certificates of proofs for all sizes: obligations that other solvers can check."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import click
from uncork_nvme.choices import ChoiceError, parse
from uncork_nvme.instance import Design, InstanceError

from uncork import __version__
from uncork.command.options import told, writable
from uncork.core import jsontext
from uncork.core.trace import ReplayError
from uncork.decide import processes
from uncork.engines import unwatched
from uncork.engines.deductive import certificate as obligations
from uncork.engines.deductive import shown
from uncork.prove.proof import LEAST, SQS, Part, argued, claim, counted, tried_of

MANIFEST, WORDS = "manifest.json", "need-event.smt2"
"""File names: the manifest, and the obligation that 16-bit arithmetic agrees with ring arithmetic."""

FORMAT = 1


@dataclass(frozen=True)
class Shown:
    """One part of a certificate: the lemmas that hold, and the properties with an obligation that fails.

    `proved` are the rows that follow, out of `tried` rows. `files` maps file names to obligations.
    """

    several: bool
    least: int
    lemmas: Sequence[str]
    unproved: Sequence[str]
    proved: Sequence[str]
    tried: int
    files: Mapping[str, str]
    sqs: int = 1

    @property
    def place(self) -> str:
        """The folder of the part's files."""
        return "several" if self.several else SQS[self.sqs - 1]


def prepare(folder: str, inputs: Iterable[str | Path | None] = ()) -> None:
    """Checks before any work that a certificate can be written to a folder. Makes the parent folders.

    Raises `InstanceError` if the folder is there and is no obligations.
    """
    if not folder:
        raise click.UsageError("--certificate names no folder")
    path = Path(os.path.realpath(folder))
    with told(folder):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not _is_certificate(path):
            raise InstanceError(f"{folder} exists and is no certificate: name a new folder")
    writable([str(path / MANIFEST) if path.exists() else str(path)], inputs)


def _is_certificate(folder: Path) -> bool:
    """Returns whether a certificate may replace a folder without any loss."""
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return folder / MANIFEST in files and all(path.suffix == ".smt2" or path.name == MANIFEST for path in files)


def write(folder: Path, design: Design, parts: Sequence[Part]) -> None:
    """Writes a certificate: a manifest and the obligations of every part. All files are written, or none.

    Raises `InstanceError` if the folder is there and is no obligations.
    """
    prepare(str(folder))
    texts, shows = {WORDS: _words(design)}, []
    for part in parts:
        kept = [lemma.name for lemma in part.judgement.kept]
        unproved = sorted({failure.obligation.of for failure in part.judgement.failures})
        files = obligations.files(part.judgement.argument, kept, frozenset(unproved))
        shows.append(Shown(part.several, part.least, kept, unproved, part.proved, len(part.rows), files, part.sqs))
        texts |= {f"{shows[-1].place}/{name}": text for name, text in files.items()}
    texts[MANIFEST] = json.dumps(_manifest(design, shows), indent=1) + "\n"
    target = Path(os.path.realpath(folder))
    with told(folder), tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made, before = Path(scratch) / "made", Path(scratch) / "before"
        for name, text in texts.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text(text, encoding="utf-8")
        if target.exists():
            target.rename(before)
        try:
            made.rename(target)
        except OSError:
            if before.exists():
                before.rename(target)
            raise


def _manifest(design: Design, parts: Sequence[Shown]) -> dict[str, Any]:
    """Returns the manifest of a certificate."""
    return {
        "format": FORMAT,
        "claims": [claim(p.several, p.least, p.proved, p.tried, p.sqs, counted=counted(design)) for p in parts],
        "design": [design.device, design.guest, design.policy],
        "overrides": [f"{name}={value}" for name, value in sorted(design.overrides.items())],
        "uncork": __version__,
        "solvers": {"z3": obligations.version("z3")},
        "parts": [
            {
                "sqs": "any" if part.several else part.sqs,
                "least": part.least,
                "proved": list(part.proved),
                "unproved": list(part.unproved),
                "lemmas": list(part.lemmas),
                "obligations": sum(len(obligations.asked(text)) for text in part.files.values()),
                "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in part.files.items()},
            }
            for part in parts
        ],
    }


def _words(design: Design) -> str:
    rule = design.at(1, 2, 2).choices.need_event
    return (resources("uncork_properties") / f"need_event_{rule}.smt2").read_text()


@dataclass(frozen=True)
class Verified:
    """The result of checking a certificate: its claims, and the number of obligations that each solver proved."""

    claims: Sequence[str]
    proved: Mapping[str, int]


def verify(folder: Path, solvers: Sequence[str] = obligations.SOLVERS) -> Verified:
    """Checks a certificate: its obligations are those of the installed model, and each solver proves them all.

    The manifest has to claim exactly what these obligations show. Raises `ReplayError` if the certificate is rejected.
    """
    manifest = _read(folder / MANIFEST)
    try:
        design, parts = _again(manifest)
        texts = {WORDS: _words(design)}
    except (InstanceError, ChoiceError, LookupError) as error:
        raise ReplayError(f"{folder / MANIFEST}: {error}") from None
    texts |= {f"{part.place}/{name}": text for part in parts for name, text in part.files.items()}
    _same_files(folder, texts)
    made = _manifest(design, parts) | {"solvers": manifest["solvers"]}  # the versions of the original solvers
    said, shows = dict(_flat(manifest)), dict(_flat(made))
    for at in {**shows, **said}:
        is_, has_to_be = said.get(at, "not there"), shows.get(at, "nothing of that name")
        if is_ != has_to_be:
            raise ReplayError(f"{folder / MANIFEST}: {at} is {is_:.200}, but its obligations show {has_to_be:.200}")
    proved = dict.fromkeys(solvers, 0)
    asked = [(solver, name, text) for solver in solvers for name, text in texts.items()]
    with closing(processes.run(asked, 2, _ask, lambda each: each[1], unwatched)) as results:
        for (solver, name, text), answers in results:
            place = f"{folder / name}: {solver}"
            if isinstance(answers, processes.Died):
                raise ReplayError(f"{place}: its process died: it was killed, or ran out of memory")
            proved[solver] += _all_proved(place, text, answers)
    return Verified(made["claims"], proved)


def _read(path: Path) -> dict[str, Any]:
    """Reads a manifest of this format and version. Raises `ReplayError` for any other file."""
    try:
        manifest = jsontext.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReplayError(f"{path} cannot be read: {error}") from None
    match manifest:
        case {"format": int(form)} if form != FORMAT:
            raise ReplayError(f"{path}: format {form} is not known: this uncork reads format {FORMAT}")
        case {"uncork": str(version)} if version != __version__:
            raise ReplayError(f"{path}: it is of uncork {version!r:.80}, and this is {__version__}: prove it again")
        case {"format": int(), "uncork": str(), "solvers": {"z3": str()}}:
            return dict(manifest)
    raise ReplayError(f"{path}: it does not name its format, its version of uncork and its version of z3")


def _again(manifest: Mapping[str, Any]) -> tuple[Design, list[Shown]]:
    """Returns what the installed model shows of the manifest's design with the manifest's lemmas."""
    match manifest:
        case {"design": [str(device), str(guest), str(policy)], "overrides": [*overrides], "parts": [_, *_] as parts}:
            design = Design(device, guest, policy, dict(parse(str(each)) for each in overrides))
        case _:
            raise LookupError("it names no design or no parts")
    shows: list[Shown] = []
    for part in parts:
        match part:
            case {"sqs": "any" | 1 | 2 | 3 as of, "least": int(least), "lemmas": [*lemmas], "unproved": [*unproved]}:
                several, sqs = (True, 1) if of == "any" else (False, int(of))
                if least not in LEAST or any((several, sqs) == (each.several, each.sqs) for each in shows):
                    raise LookupError(f"a part about a CQ of {least} entries, or a second one, is none of a proof's")
                shows.append(_shown(design, several, least, list(map(str, lemmas)), list(map(str, unproved)), sqs))
            case _:
                raise LookupError("a part names no subject or no lemmas")
    return design, shows


def _shown(
    design: Design, several: bool, least: int, lemmas: Sequence[str], unproved: Sequence[str], sqs: int = 1
) -> Shown:
    found, stated = argued(design, several=several, least=least, sqs=sqs)
    files = obligations.files(found, lemmas, frozenset(unproved))
    tried = tried_of(found, stated)
    lacking = {prop.row for prop in tried if not shown(found, prop, unproved, lemmas)}
    rows = dict.fromkeys(prop.row for prop in tried)
    proved = [row for row in rows if row not in lacking]
    return Shown(several, least, lemmas, sorted(set(unproved)), proved, len(rows), files, sqs)


def _same_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Raises `ReplayError` unless a certificate has exactly these files besides its manifest."""
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()} - {MANIFEST}
    for name in sorted(there ^ texts.keys()):
        what = "is no file of the proof" if name in there else "is missing"
        raise ReplayError(f"{folder / name} {what}: the certificate has changed, or the model has")
    for name, text in texts.items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != text.encode():
            raise ReplayError(
                f"{folder / name} is not what the model at hand asks for: the certificate has changed, or the model has"
            )


def _flat(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Yields the leaves of a JSON value, each with its path."""
    if not value or not isinstance(value, dict | list):
        yield at, json.dumps(value)
        return
    for name, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _flat(each, f"{at} {name}".strip())


def _ask(asked: tuple[str, str, str], _: processes.Report) -> Sequence[obligations.Answer]:
    solver, _name, text = asked
    return obligations.ask(solver, text)


def _all_proved(where: str, text: str, answers: Sequence[obligations.Answer]) -> int:
    wanted = obligations.asked(text)
    for each in answers:
        if each.said != "unsat":
            raise ReplayError(f"{where} does not prove {each.obligation!r}: {each.said}")
    if [each.obligation for each in answers] != wanted:
        raise ReplayError(f"{where} answered {len(answers)} of {len(wanted)} obligations")
    return len(wanted)
