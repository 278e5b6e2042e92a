"""Proofs for every size of devices with one thread for all SQs: each look waits until no other SQ is looked at."""

from __future__ import annotations

import pytest
from proofs import ANY, broken, mutant, part

WAKE = "consecution: wake-up on its way of {}, after {}"
PARKS = "arm-recheck/linux/tail-1/cork=park,threads=one"
LIVE = ["safety", "uncorked", "drains"]


@pytest.mark.deep
@pytest.mark.parametrize(
    "name",
    [
        *(PARKS, f"{PARKS},backend=detached", "arm-recheck/lazy/arm-on-cork/threads=one,early_free=no"),
        "propolis-2026/linux/tail-1/kick_on_post=yes,kick_on_reserve=yes,kick_on_remit=yes,threads=one",
        "propolis-2026/linux/head-when-full/kick_on_reserve=yes,kick_on_remit=yes,threads=one",
    ],
)
def test_a_design_whose_looks_take_turns_is_live(name: str) -> None:
    assert part(name, ANY).proved == LIVE


@pytest.mark.deep
@pytest.mark.parametrize(
    ("without", "step"),
    [("kick_on_remit=no", "remit(SQ0)"), ("backend=detached,post_order=read-then-arm", "post_arm(SQ0)")],
)
def test_it_needs_the_same_parts(without: str, step: str) -> None:
    found = part(f"{PARKS},{without}", ANY)
    assert WAKE.format("SQ1", step) in broken(found)
    assert {"uncorked", "drains"}.isdisjoint(found.proved)


@pytest.mark.slow
@pytest.mark.deep
def test_nothing_is_proved_where_two_may_look_at_once() -> None:
    found, against = mutant("crew", "may & ~m.in_look", "may", PARKS, ANY)
    assert "one look at a time" in {lemma.name for lemma in found.dropped}
    assert {"permits conserved", "uncorked SQ0", "drains SQ0"} <= set(against)


@pytest.mark.slow
@pytest.mark.deep
def test_nothing_is_proved_where_a_look_never_ends() -> None:
    stays = '(w.at == "remit") & (q.submitter == "idle")'
    found, against = mutant("admission", '(w.at == "remit")', stays, PARKS, ANY)
    assert {"the thread is free"} <= {failure.obligation.of for failure in found.failures}
    assert {"uncorked SQ0", "drains SQ0"} <= set(against)
