"""The pages and tables of the documentation that are generated: a module each, whose `make` writes what it is for.

They are of the repository, and of no use without it: nothing here is installed.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RECORDED = ROOT / "properties" / "uncork_properties" / "recorded"
"""Where what is recorded is kept as data."""
