"""Policies that are formulas: each has one name, and means what the policy that is written out means."""

from __future__ import annotations

import pytest
from uncork.design import decider
from uncork_nvme import formulas
from uncork_nvme.formulas import FormulaError, formula
from uncork_nvme.instance import Instance, InstanceError, find_policy, from_name
from uncork_nvme.policies import POLICIES


@pytest.mark.parametrize("name", formulas.space())
def test_a_policy_that_is_tried_is_found_by_its_name(name: str) -> None:
    instance = Instance("propolis-2026", "linux", name, 1, 2, 2)
    assert find_policy(name).name == name
    assert from_name(instance.name) == instance
    assert instance.system.actions


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("head + min( occupied, capacity-n )", "head+min(occupied,capacity-n)"),
        ("if  permits >= n tail else head", "if permits>=n tail else head"),
        ("leave if occupied<=1 else tail - 1", "leave if occupied<=1 else tail-1"),
        ("leave", "leave"),
        (
            "if  corking head else if corked tail else leave if occupied<=1 else tail - 1",
            "if corking head else if corked tail else leave if occupied<=1 else tail-1",
        ),
        ("if corked head else leave", "if corked head else leave"),
    ],
)
def test_a_formula_has_one_name(text: str, name: str) -> None:
    assert formula(text).name == find_policy(text).name == formula(name).name == name


@pytest.mark.parametrize(
    "text", ["", "3+head", "tail-", "if corked head", "tail tail", "head+foo", "head*2", "leave if 1", "corking"]
)
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        formula(text)
    with pytest.raises(InstanceError, match="there is no policy"):
        find_policy(text)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("tail", "tail"),
        ("tail-1", "tail-1"),
        ("leave if occupied<=1 else tail-1", "tail-lag"),
        ("head+min(occupied,capacity-n)", "reserve-slots"),
        ("head+min(occupied,size-n)", "reserve-slots-size"),
        ("if permits>=n tail else head", "reserve-permits"),
        ("if corked head else tail", "arm-on-cork"),
        ("leave", "never"),
    ],
)
def test_a_formula_means_what_the_policy_of_the_same_meaning_does(text: str, policy: str) -> None:
    made = formula(text)
    assert made.at_cork == POLICIES[policy].at_cork
    for sqs in (1, 2, 3):
        for size in (2, 3, 4):
            key = sqs, size
            assert decider._values(made.name, *key) == decider._values(policy, *key)


def test_what_is_written_at_a_cork_alone_is_another_policy() -> None:
    """A policy that writes the head where an SQ is about to be corked may leave posts as they are."""
    at = {
        text: decider._values(text, 2, 3) for text in ("tail", "if corking head else tail", "if corked head else tail")
    }
    assert len(set(at.values())) == 3
    system = Instance("arm-recheck", "linux", "if corking head else leave", 1, 2, 2).system
    assert {"cork_arm"} == {action.family for action in system.actions} & {"cork_arm", "post_arm", "cork_leave"}
