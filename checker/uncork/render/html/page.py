"""Makes a self-contained HTML file: it loads nothing, and its content security policy forbids loading.

The templates escape all data. The browser runs only the script whose hash the policy names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def page(words: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Returns the page. `words` are for the templates, `data` for the script."""
    to = Environment(
        loader=PackageLoader("uncork.render.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    to.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    style, script = _text("page.css"), _text("page.js")
    allowed = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    return to.get_template("page.html").render(words, data=data, style=style, script=script, allowed=allowed)


def _text(name: str) -> str:
    return files("uncork.render.html").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
