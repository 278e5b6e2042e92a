"""The generated pages and tables of the documentation: one module each, whose `make` writes the page.

The modules need the repository, so this package is not installed.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RECORDED = ROOT / "properties" / "uncork_properties" / "recorded"
"""The folder of recorded data."""
