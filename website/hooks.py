"""What the site does to the pages of docs/, which are written to be read in the repository too.

A link out of docs/ leads to a page of the site that shows the file; a picture becomes part of its page, so that it
takes the colours of light and dark from it. A page with a table of many columns is as wide as the window.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
OUTSIDE = re.compile(r"(?<=\]\()(?:\.\./)+[^)#]+(?=[)#])")
PICTURE = re.compile(r"^!\[(?P<says>[^\]]*)\]\((?P<path>pictures/[\w-]+\.svg)\)$", re.MULTILINE)
WIDE = re.compile(r"^(?:\|---){6,}\|$", re.MULTILINE)
LINK = re.compile(r"\[(?P<says>[^\]]*)\]\((?!https?:|#)(?P<to>[^)]+)\)")
NO_DEFAULT = re.compile(r"<code>(?:Sentinel\.UNSET|None)</code>")
LANGUAGES = {".py": "python", ".toml": "toml", ".json": "json"}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds a page for each file of the repository that a page of docs/ links to."""
    docs = Path(config.docs_dir)
    linked = {
        target
        for file in files.documentation_pages()
        if file.abs_src_path
        for link in OUTSIDE.findall(Path(file.abs_src_path).read_text(encoding="utf-8"))
        if (target := _outside(docs, file.src_uri, link))
    }
    for target in sorted(linked):
        page = File.generated(
            config, f"source/{target}.md", content=_shown(target, linked), inclusion=InclusionLevel.NOT_IN_NAV
        )
        files.append(page)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrites what the site's Markdown reads otherwise than the repository's."""
    docs, here = Path(config.docs_dir), page.file.src_uri

    def shown(link: re.Match[str]) -> str:
        target = _outside(docs, here, link[0])
        if target is None:
            return link[0]
        return posixpath.relpath(f"source/{target}.md", posixpath.dirname(here) or ".")

    def drawn(picture: re.Match[str]) -> str:
        svg = (docs / picture["path"]).read_text(encoding="utf-8").strip()
        return f'<figure class="picture" markdown="0">{svg}</figure>'

    if here.startswith("source/"):
        return markdown
    if WIDE.search(markdown):
        page.meta.setdefault("hide", []).append("toc")
        markdown += '\n\n<div class="wide-page" hidden></div>\n'
    markdown = OUTSIDE.sub(shown, markdown)
    markdown = PICTURE.sub(drawn, markdown)
    markdown = markdown.replace("<details><summary>", '<details markdown="1"><summary>')
    return re.sub(r"^ {3}(?=- )", "    ", markdown, flags=re.MULTILINE)  # a list in a list


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leaves the cell empty where an option has no default: mkdocs-click shows what click stores there."""
    return NO_DEFAULT.sub("", html) if page.file.src_uri == "reference/cli.md" else html


def _outside(docs: Path, here: str, link: str) -> str | None:
    """The file of the repository that a link of a page leads to, if that is outside of docs/."""
    target = (docs / here).parent.joinpath(link).resolve()
    if target.is_relative_to(docs) or not target.is_relative_to(ROOT) or not target.is_file():
        return None
    return target.relative_to(ROOT).as_posix()


def _shown(target: str, known: set[str]) -> str:
    """A file of the repository as a page: Markdown with its links, where they lead into the site; else as it is."""
    content, head = (ROOT / target).read_text(encoding="utf-8"), "---\nsearch:\n  exclude: true\n---\n"
    if target.endswith(".md"):
        return head + LINK.sub(lambda link: _led(link, target, known), content)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", content)), default=0))
    language = LANGUAGES.get(Path(target).suffix, "text")
    return f"{head}# {target}\n\n{fence}{language}\n{content.rstrip()}\n{fence}\n"


def _led(link: re.Match[str], target: str, known: set[str]) -> str:
    to, _, anchor = link["to"].partition("#")
    there = posixpath.normpath(posixpath.join(posixpath.dirname(target), to))
    here = posixpath.dirname(f"source/{target}")
    if there in known:
        return f"[{link['says']}]({posixpath.relpath(f'source/{there}.md', here)})"
    if there.startswith("docs/") and there.endswith(".md"):
        return f"[{link['says']}]({posixpath.relpath(there.removeprefix('docs/'), here)}{anchor and '#'}{anchor})"
    return link["says"]


__all__ = ["on_files", "on_page_content", "on_page_markdown"]
