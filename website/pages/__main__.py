"""`PYTHONPATH=website python -m pages NAME` writes a page of the documentation; the Makefile has a target for each."""

from __future__ import annotations

import importlib
import sys

PAGES = {
    "answer": "the answer to Propolis's #1043, in every page that gives it, and its plot",
    "conform": "docs/conform.md, and conform.csv: a real QEMU beside its model (minutes)",
    "costs": "docs/cost.md, and costs.csv",
    "counterexamples": "the folder counterexamples/",
    "frontier": "docs/frontier.md and its plot (minutes)",
    "logs.scores": "the mutation scores in docs/validate.md, and changed-logs.csv (minutes)",
    "measured": "docs/measure.md, and measured.csv",
    "museum": "docs/museum.md and field.md, the tables of lifecycle.md and others, and their verdicts",
    "orders.table": "the tables of orders in docs/memory.md",
    "pictures": "the pictures of docs/index.md",
    "proofs": "docs/proof.md, and proofs.csv (minutes)",
    "readme": "the table of verdicts in README.md",
    "repairs": "docs/repair.md, and repairs.csv (minutes)",
}
"""The modules that write a page, each with what it writes."""


def main(names: list[str]) -> None:
    """Writes the named pages; raises `SystemExit` if a name is unknown."""
    if not names or set(names) - PAGES.keys():
        width = max(map(len, PAGES))
        sys.exit("\n".join(["name some of:", *(f"  {name:{width}}  {what}" for name, what in PAGES.items())]))
    for name in names:
        importlib.import_module(f"pages.{name}").make()


if __name__ == "__main__":
    main(sys.argv[1:])
