"""Where the files of the repository are, from whatever folder a test is in."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
DATA = ROOT / "tests" / "data"
STORED = ROOT / "counterexamples"
RECORDED = ROOT / "properties" / "uncork_properties" / "recorded"
