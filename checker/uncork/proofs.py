"""Records what is proved for all sizes: the file `proofs.csv` and, from it, the table in the documentation.

`python -m uncork.proofs properties/uncork_properties/proofs.csv docs/proof.md`.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from uncork_nvme.instance import Design
from uncork_properties import proofs
from uncork_properties.proofs import Line

from uncork.prove import proof
from uncork.prove.proof import Part


def found(asked: Line) -> list[Line]:
    """What is proved of a design: for every size, and for larger CQs where more is proved of those."""
    design = Design(asked.device, asked.guest, asked.policy, asked.choices)
    return [_line(asked, part) for part in proof.prove(design, asked.several)]


def _line(asked: Line, part: Part) -> Line:
    broken = part.judgement.broken
    breaks = broken[0].obligation.name.partition(": ")[2] if broken else ""
    return replace(asked, least=part.least, proved=" ".join(part.proved), breaks=breaks)


if __name__ == "__main__":
    data, page = map(Path, sys.argv[1:])
    data.write_text(proofs.dumps(line for asked in proofs.designs() for line in found(asked)))
    page.write_text(proofs.updated(page.read_text()))
