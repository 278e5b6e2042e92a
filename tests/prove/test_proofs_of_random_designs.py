"""No design that is proved for every size is refuted at one: designs drawn at random, proved, and searched."""

from __future__ import annotations

import random

import pytest
from proofs import ANY, ONE
from uncork.core.sorts import SlipError
from uncork.core.verdict import Refuted
from uncork.engines import REDUCTIONS, Budget, explicit, unwatched
from uncork.prove import proof
from uncork_nvme.choices import ChoiceError
from uncork_nvme.instance import Design, InstanceError
from uncork_properties.catalogue import properties

POLICIES = (
    *("tail", "tail-lag", "tail-1", "head", "reserve-slots", "reserve-permits", "arm-on-cork", "head-when-full"),
    *("never", "if corked head else head+1", "if corked tail-1 else tail", "leave if permits>=1 else head"),
    *("leave if permits>=n else tail-1", "head+1", "if occupied>=2 tail-1 else head", "tail-min(occupied,n)"),
)
USUAL = {"kick_on_doorbell": 0.95, "kick_on_post": 0.6, "kick_on_reserve": 0.8, "kick_on_remit": 0.8}
"""How often a kick is there."""
READS: dict[str, tuple[str, ...]] = {
    "sq_read": ("each", "wake", "wake"),
    "sq_arm": ("each", "idle", "idle", "never"),
    "sq_event": ("head", "tail", "tail", "tail-1"),
    "sq_reread": ("yes", "yes", "no"),
}
"""How some of the designs look at an SQ, and ask for its doorbell."""
SMALL = {ONE: [(1, 2, 2), (1, 3, 2), (1, 2, 3), (1, 3, 3)], ANY: [(2, 2, 2), (2, 2, 3)]}
STATES = 1_500_000


def drawn(seed: int) -> tuple[Design, bool]:
    """A design, and whether it is proved for several SQs. Most have the parts that make a design live."""
    chosen = random.Random(seed)
    device = chosen.choice(["propolis-2026", "arm-recheck", "hand-over"])
    values: dict[str, str | int] = {site: "yes" if chosen.random() < usual else "no" for site, usual in USUAL.items()}
    values["post_order"] = chosen.choice(["read-then-arm", "arm-then-read"])
    values["backend"] = chosen.choice(["in-worker", "in-worker", "detached", "detached-repoll"])
    values["workers"] = chosen.choice([1, 1, 2, 3])
    if device != "hand-over":
        values["cork"] = chosen.choice(["park", "park", "arm-recheck"])
        if chosen.random() < 0.2:
            values |= {"notify": "kept", "kick_delivery": "at-once"}
        if chosen.random() < 0.1:
            values["doorbell_buffer"] = "off"
    guest = chosen.choice(["linux", "linux", "spdk", "lazy"])
    if chosen.random() < 0.2:
        values["early_free"] = "no"
    policy, several = chosen.choice(POLICIES), chosen.random() < 0.5
    looks = random.Random(f"looks of {seed}")
    if device != "hand-over" and values["workers"] == 1 and looks.random() < 0.5:
        values |= {name: looks.choice(of) for name, of in READS.items()}
    if device != "hand-over" and chosen.random() < 0.25:
        values["threads"] = "one"
    if device != "hand-over" and chosen.random() < 0.25:
        values["poll"] = "yes"
    if device != "hand-over" and chosen.random() < 0.15:
        values["cork"] = "self-kick"
    if chosen.random() < 0.1:
        values["event_outside"] = "both"
    if (
        device != "hand-over"
        and values["workers"] == 1
        and not values.keys() & {"threads", "poll"}
        and looks.random() < 0.4
    ):
        values |= {"cq_full": "queue", "on_full_doorbell": looks.choice(["post", "post", "post", "nothing"])}
        values |= {"doorbell_buffer": "on", "backend": looks.choice(["detached", "detached-repoll"])}
    return Design(device, guest, policy, values), several


def contradicted(seed: int) -> list[str]:
    """The properties that are proved of a drawn design for every size, and refuted at one."""
    design, several = drawn(seed)
    try:
        part = proof.prove(design, several, unwatched)[-1]
    except (SlipError, ChoiceError, InstanceError):
        return []
    found = []
    for shape in SMALL[several]:
        if shape[2] < part.least or not part.proved:
            continue
        instance = design.at(*shape)
        wanted = [p for p in properties(instance.machine, instance.system) if p.row in part.proved]
        outcome = explicit.check(instance.system, wanted, budget=Budget(states=STATES), reductions=REDUCTIONS)
        found += [f"{instance.name}: {p.name}" for p, verdict in outcome.verdicts if isinstance(verdict, Refuted)]
    return found


FEW, MANY = (0, 8), 500
"""The seeds that are tried in `make test`, of designs with one SQ; and how many there are."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[] if seed in FEW else [pytest.mark.deep]) for seed in range(MANY)]
)
def test_what_is_proved_of_a_random_design_is_refuted_at_no_size(seed: int) -> None:
    assert not contradicted(seed)


def test_designs_of_every_kind_are_drawn() -> None:
    designs = [drawn(seed) for seed in range(MANY)]
    assert {several for _, several in designs} == {ONE, ANY}
    assert {design.device for design, _ in designs} == {"propolis-2026", "arm-recheck", "hand-over"}
    assert {design.policy for design, _ in designs} == set(POLICIES)
    queued = [design.overrides for design, _ in designs if "cq_full" in design.overrides]
    assert {chosen["on_full_doorbell"] for chosen in queued} == {"post", "nothing"}
    for name, of in READS.items():
        assert {design.overrides[name] for design, _ in designs if name in design.overrides} == set(of)
    drawn_together = {(design.overrides.get("threads"), design.overrides.get("poll"), s) for design, s in designs}
    assert {("one", None, ANY), ("one", "yes", ANY), (None, "yes", ANY), (None, "yes", ONE)} <= drawn_together
    assert {"park", "arm-recheck", "self-kick"} <= {design.overrides.get("cork") for design, _ in designs}
