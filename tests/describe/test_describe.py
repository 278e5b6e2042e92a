"""`uncork list` and `uncork show` as their users meet them."""

from __future__ import annotations

import pytest
from commands import uncork

pytestmark = pytest.mark.slow  # they start programs
INSTANCE = "propolis-2026/linux/tail-lag/n1-sq3-cq3"


def test_everything_that_is_listed_can_be_shown() -> None:
    names = ["tail", "arm-recheck", "spdk", "drains", "kick_size", "cork_park", INSTANCE]
    for name in names:
        done = uncork("show", name)
        assert done.returncode == 0, name
        assert done.stdout
    assert "kick_on_remit" in uncork("show").stdout
    assert len(uncork("list", "instances").stdout.splitlines()) == 513
