"""Recorded runs refute what a search does not reach, and are accepted by nothing but `replay`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from commands import uncork
from proofs import design
from uncork.core.trace import Trace, followed
from uncork.core.verdict import Refuted
from uncork.prove import proof
from uncork_nvme.instance import Design
from uncork_properties import runs

LEAVES = design("propolis-2026/linux/leave if permits>=1 else head/kick_on_reserve=yes,kick_on_remit=yes")
CROWDED = design("arm-recheck/linux/arm-on-cork/workers=2")
PARKED = design("arm-recheck/linux/tail-1/cork=park,workers=2")
READS = design(
    f"propolis-2026/linux/tail-1/workers=2,{','.join(f'kick_on_{s}=yes' for s in ('post', 'reserve', 'remit'))}"
)
RECHECKS = replace(LEAVES, overrides={**LEAVES.overrides, "cork": "arm-recheck"})
REFUTED = (LEAVES, RECHECKS, CROWDED, PARKED, READS)
"""The design that each recorded run refutes."""
ROWS = ("uncorked", "drains")


def failures(of: Design) -> list[tuple[str, str]]:
    """The sizes and properties that a recorded run refutes."""
    found = proof.known_to_fail(of, True, ROWS)
    assert all(isinstance(row.verdict, Refuted) for each in found for row in each.rows)
    return [(str(each.instance.shape), row.name) for each in found for row in each.rows]


def test_each_recorded_run_refutes_its_design() -> None:
    assert failures(LEAVES) == [("n3-sq2-cq3", "uncorked SQ2")]
    assert failures(CROWDED) == [("n3-sq2-cq2", "drains SQ2")]
    assert failures(RECHECKS) == [("n3-sq2-cq3", "uncorked SQ2")]
    assert failures(PARKED) == failures(READS) == [("n3-sq2-cq2", "drains SQ2")]
    assert len(runs.KNOWN) == len(REFUTED)


@pytest.mark.parametrize(
    "sound",
    [
        replace(LEAVES, policy="head-when-full"),
        replace(LEAVES, overrides={**LEAVES.overrides, "kick_on_post": "yes"}),
        replace(CROWDED, overrides={}),
        replace(CROWDED, overrides={"workers": 2, "notify": "kept", "kick_delivery": "at-once"}),
    ],
)
def test_a_design_that_is_proved_is_refuted_by_none(sound: Design) -> None:
    assert not failures(sound)


@pytest.mark.parametrize("run", runs.KNOWN)
def test_a_run_without_one_of_its_steps_is_none(run: runs.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    of = dict(zip(runs.KNOWN, REFUTED, strict=True))[run]
    system = of.at(*run.shape).system
    assert followed(system, Trace((), run.steps, len(run.before)))
    shorter = replace(run, loop=run.loop[:-1])
    monkeypatch.setattr(proof, "KNOWN", [shorter])
    assert not failures(of)


@pytest.mark.slow
@pytest.mark.deep
def test_prove_tells_the_sizes_of_a_recorded_run() -> None:
    done = uncork("prove", LEAVES.policy, "--device", LEAVES.device, "--sqs", "any",
                  *(f"--set={name}={value}" for name, value in LEAVES.overrides.items()))  # fmt: skip
    assert done.returncode == 13
    assert "n3-sq2-cq3" in done.stdout
