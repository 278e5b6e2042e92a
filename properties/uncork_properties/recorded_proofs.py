"""What is proved for all sizes, as data: a line for each design, with one SQ or any number of them.

`proved` names the properties that are proved where the CQ has `least` entries or more; `breaks` is the step after which
a lemma that is needed fails, as `lemma, after step`, the first of them, or empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from importlib.resources import files

from uncork_nvme.choices import Choice, parse

from uncork_properties import matrix

_PARKED = ("tail-1", "head", "reserve-permits", "reserve-slots", "head-when-full")
"""Policies that need nothing at a cork, where EventIdx is written before the shadow is read and every step kicks."""
_KEPT = "kick_delivery=at-once;notify=kept;workers=2"


@dataclass(frozen=True)
class Line:
    """One line of the file; `sqs` is `one` or `any`, and lists are joined by spaces or, of overrides, by `;`."""

    device: str
    guest: str
    policy: str
    overrides: str
    sqs: str
    least: int = 2
    proved: str = ""
    breaks: str = ""

    @property
    def several(self) -> bool:
        """Whether it is about any number of SQs."""
        return self.sqs == "any"

    @property
    def choices(self) -> dict[str, Choice]:
        """The overrides."""
        return dict(parse(each) for each in self.overrides.split(";") if each)


def designs() -> Iterator[Line]:
    """What is tried: each policy on each kind of device, and good designs with other guests, backends and workers."""
    for sqs in ("one", "any"):
        for device in ("propolis-2026", "arm-recheck"):
            for policy in matrix.POLICIES:
                yield Line(device, "linux", policy, "", sqs)
        yield Line("mmio", "linux", "tail", "", sqs)
        yield Line("mmio", "linux", "tail", "kick_on_remit=yes", sqs)
        for policy in _PARKED:
            yield Line("arm-recheck", "linux", policy, "cork=park", sqs)
        yield Line("arm-recheck", "linux", "tail-1", "cork=park;kick_delivery=at-once;notify=kept", sqs)
        for guest in ("spdk", "lazy"):
            yield Line("arm-recheck", guest, "arm-on-cork", "", sqs)
        yield Line("propolis-2026", "spdk", "tail", "", sqs)
        for other in ("early_free=no", "backend=detached", "backend=detached-repoll", "workers=2", _KEPT):
            yield Line("arm-recheck", "linux", "arm-on-cork", other, sqs)
        yield Line("arm-recheck", "linux", "tail-1", "cork=park;backend=detached", sqs)
        yield Line("arm-recheck", "linux", "tail-1", "cork=park;backend=detached;post_order=read-then-arm", sqs)
        for kick in ("kick_on_post", "kick_on_reserve", "kick_on_remit"):
            yield Line("arm-recheck", "linux", "arm-on-cork", f"{kick}=no", sqs)


def known() -> list[Line]:
    """The file's lines."""
    reader = csv.DictReader(files("uncork_properties").joinpath("recorded", "proofs.csv").read_text().splitlines())
    return [Line(**{**row, "least": int(row["least"])}) for row in reader]  # type: ignore[arg-type]  # the rest is text


def dumps(lines: Iterable[Line]) -> str:
    """Lines as the file has them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Line)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in lines)
    return text.getvalue()
