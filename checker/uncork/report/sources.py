"""Adds links to the sources that the catalogue and the museum name in prose.

A file is linked at the commit named with it; without a commit, at today's version, which may differ from what was read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_GITHUB = "https://github.com/{}/blob/{{commit}}/{{path}}"
_HOMES = {
    "oxidecomputer/propolis": _GITHUB.format("oxidecomputer/propolis"),
    "Propolis": _GITHUB.format("oxidecomputer/propolis"),
    "QEMU": "https://gitlab.com/qemu-project/qemu/-/blob/{commit}/{path}",
    "SPDK": _GITHUB.format("spdk/spdk"),
    "OpenVMM": _GITHUB.format("microsoft/openvmm"),
    "Linux": _GITHUB.format("torvalds/linux"),
    "FEMU": _GITHUB.format("MoatLab/FEMU"),
    "usnvmemu": _GITHUB.format("puxu-msft/openvmm"),
    "libvfn": _GITHUB.format("SamsungDS/libvfn"),
    "SerenityOS": _GITHUB.format("SerenityOS/serenity"),
    "FreeBSD": _GITHUB.format("freebsd/freebsd-src"),
    "illumos": _GITHUB.format("illumos/illumos-gate"),
}
"""The web addresses of the files of the named projects."""

_COMMIT = r"[0-9a-f]{8,40}"
_FILE = re.compile(
    rf"(?<![\w/])(?P<home>{'|'.join(map(re.escape, _HOMES))})(?: (?P<commit>{_COMMIT}),)? "
    rf"(?P<path>[\w.-]+(?:/[\w.-]*\w)+)(?:(?: as of| at) (?P<at>{_COMMIT}))?"
)
_LINK = re.compile(r"https://[^\s(),;]+[^\s(),;.]")


def pieces(prose: str) -> list[tuple[str, str]]:
    """Returns the text in pieces, each with its address or the empty string."""
    found, end = [], 0
    for start, stop, address in sorted(_found(prose)):
        if start >= end:
            found += [(prose[end:start], ""), (prose[start:stop], address)]
            end = stop
    return [each for each in (*found, (prose[end:], "")) if each[0]]


def _found(prose: str) -> Iterator[tuple[int, int, str]]:
    for match in _LINK.finditer(prose):
        yield *match.span(), match[0]
    for match in _FILE.finditer(prose):
        if prose.startswith(" before ", match.end()):  # today's file is a different one
            continue
        commit = match["commit"] or match["at"] or "HEAD"
        yield *match.span("path"), _HOMES[match["home"]].format(commit=commit, path=match["path"])
