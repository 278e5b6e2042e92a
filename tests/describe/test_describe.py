"""`uncork list` and `uncork show` as their users meet them."""

from __future__ import annotations

import json

import pytest
from commands import uncork

pytestmark = pytest.mark.slow  # they start programs
INSTANCE = "propolis-2026/linux/tail-lag/n1-sq3-cq3"


def test_everything_that_is_listed_can_be_shown() -> None:
    design = "propolis-2026/linux/tail/kick_on_post=yes"
    names = ["tail", "arm-recheck", "spdk", "drains", "kick_size", "cork_park", "head-1", design, INSTANCE]
    for name in names:
        done = uncork("show", name)
        assert done.returncode == 0, name
        assert done.stdout
    assert "kick_on_remit" in uncork("show").stdout
    assert len(uncork("list", "instances").stdout.splitlines()) == 513


def test_a_difference_is_written_as_json() -> None:
    done = uncork("diff", "propolis-2025", "propolis-2026", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["settings"]["policy"] == ["tail", "tail-lag"]


def test_what_does_not_exist_is_refused_with_what_to_write() -> None:
    for args, said in (
        (("show", "propolis-2027"), "did you mean 'propolis-2026'"),
        (("show", "propolis-2026/linux/tial"), "did you mean 'tail'"),
        (("diff", "linux", "qemu"), "two of a kind"),
        (("diff", "qemu", "fetch"), "has no program"),
        (("diff", "qemu", "qemu/kick_on_past=yes"), "did you mean 'kick_on_post'"),
    ):
        done = uncork(*args)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
