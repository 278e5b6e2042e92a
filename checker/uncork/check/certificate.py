"""Writes and checks certificates of proofs by exhaustive search: one file per instance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import Instance, InstanceError, from_name
from uncork_properties.catalogue import ROWS, properties

from uncork.command.options import told, whole, writable
from uncork.core.property import Property
from uncork.core.trace import ReplayError
from uncork.core.verdict import Proved
from uncork.decide.one import Checked
from uncork.engines import certify

SUFFIX = ".npz"


@dataclass(frozen=True)
class Certified:
    """The content of one certificate: an instance and its proved properties; or the reason why there is none."""

    instance: str
    rows: Sequence[str]
    lacking: str = ""


def prepare(folder: str, instances: Sequence[Instance], inputs: Iterable[str | Path | None]) -> None:
    """Makes the folder and checks that certificates can be written there. Raises `click.ClickException`."""
    if not folder:
        raise click.UsageError("--certificate names no folder")
    with told(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    writable([str(_file(Path(folder), name)) for name in dict.fromkeys(i.name for i in instances)], inputs)


def write(folder: Path, found: Sequence[Checked]) -> Iterator[Certified]:
    """Writes a certificate for every instance with a proved property. Each file is written whole or not at all."""
    from uncork.engines.explicit import certificate  # heavy: numba

    for checked in found:
        if not any(isinstance(row.verdict, Proved) for row in checked.rows):
            continue
        instance = checked.instance
        asked = properties(instance.machine, instance.system)
        try:
            with whole(_file(folder, instance.name)) as file:
                held = certificate.write(file, instance.system, asked)
        except certificate.NoCertificate as reason:
            yield Certified(instance.name, (), str(reason))
        else:
            yield Certified(instance.name, _rows(asked, held))


def _file(folder: Path, name: str) -> Path:
    return folder / (name.replace("/", "~") + SUFFIX)


def verify(path: Path) -> Iterator[Certified]:
    """Checks one certificate, or every certificate in a folder.

    Raises `InstanceError` if there is no certificate, `ReplayError` if a certificate does not prove its claim.
    """
    files = [path] if path.is_file() else sorted(path.glob(f"*{SUFFIX}"))
    if not files:
        raise InstanceError(f"{path} holds no certificate: neither a manifest.json nor a file *{SUFFIX}")
    for file in files:
        try:
            instance = from_name(certify.subject(file))
            yield Certified(instance.name, _held(file, instance))
        except (certify.Rejected, InstanceError, ChoiceError) as reason:
            raise ReplayError(f"{file}: {reason}") from None


def _held(file: Path, instance: Instance) -> list[str]:
    asked = properties(instance.machine, instance.system)
    return _rows(asked, certify.check(file, instance.system, asked))


def _rows(asked: Sequence[Property], held: Sequence[Property]) -> list[str]:
    return [row for row in ROWS if all(prop in held for prop in asked if prop.row == row)]
