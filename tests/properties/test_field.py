"""Every device with every guest: the recorded verdicts are what is found, and the matrix names what there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from uncork.command.selection import Filters, select
from uncork.decide import many
from uncork.decide.gate import judge
from uncork_nvme.catalogue import DEVICES, GUESTS
from uncork_nvme.instance import Instance
from uncork_nvme.policies import POLICIES
from uncork_properties import expected, matrix

_MANY = 3_000_000
"""States of a search that takes too long for the default suite."""


@pytest.mark.slow
@pytest.mark.parametrize("one_in", [5, pytest.param(1, marks=pytest.mark.deep)])
def test_what_is_recorded_of_the_field_is_what_is_found(one_in: int) -> None:
    """Some of it, but not what takes minutes; `make museum` takes it all."""
    recorded = expected.default("field.csv")
    some = [instance for instance, each in recorded.values() if one_in == 1 or (each.states or 0) < _MANY]
    for checked in many.check(some[::one_in]):
        assert judge(checked, recorded[checked.instance.name][1]) == []


def test_what_is_in_the_default_matrix_is_in_the_catalogue() -> None:
    assert set(matrix.DEVICES) < set(DEVICES)
    assert set(matrix.GUESTS) < set(GUESTS)
    assert set(matrix.POLICIES) < set(POLICIES)


def test_all_devices_and_guests_are_the_field() -> None:
    asked = Filters(devices=["all"], guests=["all"], sqs=[1], sq_sizes=[3], cq_sizes=[3])
    names = {each.name for each in select(asked) if each.device not in matrix.DEVICES}
    assert names == {name for name in expected.default("field.csv") if name.split("/")[0] not in matrix.DEVICES
                     and name.endswith("n1-sq3-cq3")}  # fmt: skip


# -- a step of SPDK that the catalogue leaves out ---------------------------------------------------------------------
SPDK = "spdk-interrupt"
AGAIN = Path(__file__).parents[1] / "data" / "spdk_again.py"


@pytest.mark.slow
@pytest.mark.parametrize("one_in", [6, pytest.param(1, marks=pytest.mark.deep)])
def test_a_tail_that_is_read_once_more_before_it_is_written_changes_no_verdict_of_spdk(one_in: int) -> None:
    rows = [(instance, wanted) for instance, wanted in expected.recorded().values() if instance.device == SPDK]
    assert len(rows) > 40
    asked = [replace(instance, device=f"{AGAIN}:mine") for instance, _ in rows[::one_in]]
    for checked, (_, wanted) in zip(many.check(asked), rows[::one_in], strict=True):
        assert {row.property: row.verdict.word for row in checked.rows} == wanted.by_verdict.verdicts
        assert "read tail" in str(checked.instance.machine.sqs[0].workers[0].at.sort)


def test_spdk_hangs_without_the_look_that_follows() -> None:
    (checked,) = many.check([Instance(f"{AGAIN}:blind", "linux", "never", 1, 2, 2)], ["drains"])
    assert [row.verdict.word for row in checked.rows] == ["refuted"]
