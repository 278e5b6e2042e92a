"""Certificates: what is proved is accepted by a checker that does not know the engine, and what is forged is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from budgets import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import IN_RANGE, ROUNDS, TOYS, Toy, act, draw, lasting, never, not_forever, pictures
from uncork.core.property import NotForever, Property
from uncork.core.sorts import Array, Bool, Nat, Range, Ring
from uncork.core.system import Record, System, var, when
from uncork.core.verdict import Proved
from uncork.engines import certify, explicit
from uncork.engines.explicit import certificate
from uncork_nvme.instance import from_name
from uncork_properties.catalogue import properties

Arrays = dict[str, Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "certificate.npz"


@pytest.mark.parametrize("toy", TOYS, ids=lambda toy: toy.name)
def test_what_is_proved_is_certified_and_nothing_else(toy: Toy, path: Path) -> None:
    expected = [toy.prop] if toy.refuted is None else []
    assert certificate.write(path, toy.system, [toy.prop]) == expected
    assert certify.check(path, toy.system, [toy.prop]) == expected


@pytest.mark.slow
@settings(max_examples=examples(200), deadline=None)
@given(pictures())
def test_what_is_proved_of_random_systems_is_certified_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, picture
) -> None:
    system, asked = picture
    file = tmp_path_factory.mktemp("random") / "certificate.npz"
    proved = [prop for prop, verdict in explicit.check(system, asked).verdicts if isinstance(verdict, Proved)]
    assert certificate.write(file, system, asked) == proved
    assert certify.check(file, system, asked) == proved


@pytest.mark.slow
@pytest.mark.parametrize("name", ["propolis-2026/linux/tail-lag/n1-sq3-cq3", "mmio/lazy/tail/n1-sq3-cq3/workers=2"])
def test_everything_proved_of_a_machine_is_certified(name: str, path: Path) -> None:
    instance = from_name(name)
    asked = properties(instance.machine, instance.system)
    assert certificate.write(path, instance.system, asked) == asked
    assert certify.check(path, instance.system, asked) == asked
    twin = from_name(name.replace("tail-lag", "tail-1").replace("workers=2", "workers=1"))
    with pytest.raises(certify.Rejected, match="another system"):
        certify.check(path, twin.system, properties(twin.machine, twin.system))


def test_every_sort_is_written_and_read(path: Path) -> None:
    """More values than a byte has; an array; a range that starts below 0."""
    r = Record("r", n=var(Range(-300, 299), "", 0), a=var(Array(2, Bool()), ""), at=var(Ring(2), ""))
    up = act("up", when(r.n < 299, r(n=r.n + 1, a=r.a.store(r.at, ~r.a[r.at]), at=r.at + 1)))
    system = System("many", r.variables, (up,))
    asked = [IN_RANGE, lasting(r.n < 299), lasting(~r.a[r.at] & (r.n == 299)), lasting(r.a[r.at])]
    assert certificate.write(path, system, asked) == asked[:3]
    assert certify.check(path, system, asked) == asked[:3]


# -- what is forged ----------------------------------------------------------------------------------------------------
SYSTEM = draw(*ROUNDS, "d on e")
ASKED: list[Property] = [not_forever(SYSTEM, "a b c"), not_forever(SYSTEM, "a b c d e"), never(SYSTEM, "e"), IN_RANGE]
"""Proved in three rounds; refuted, refuted; proved."""


def claims(arrays: Arrays, *numbers: int) -> None:
    arrays["about"] = np.array(json.dumps(json.loads(str(arrays["about"])) | {"proved": list(numbers)}))


def rows(arrays: Arrays, kept: Callable[[Any], Any]) -> None:
    arrays["states"] = kept(arrays["states"])


def put(arrays: Arrays, name: str, value: Any) -> None:
    arrays[name] = np.array(value, arrays[name].dtype)


def parted(arrays: Arrays, parts: list[int]) -> None:
    put(arrays, "parts 0 0", parts)
    put(arrays, "steps 0 0", list(arrays["steps 0 0"]) * 3)


FORGERIES = [
    ("a state is missing", lambda a: rows(a, lambda s: s[:-1]), "on leads to a state that is not there, from state 3"),
    ("the first state is missing", lambda a: rows(a, lambda s: s[1:]), "the first state is not there"),
    ("a state is there twice", lambda a: rows(a, lambda s: np.concatenate([s, s[:1]])), "a state is there twice"),
    ("a value that is none", lambda a: rows(a, lambda s: s + 9), "values that are none of its sort"),
    ("a column too many", lambda a: rows(a, lambda s: np.hstack([s, s])), "a state has 2 columns"),
    ("an invariant that does not hold", lambda a: claims(a, 0, 2), "never there: it does not hold in state 4"),
    ("no level", lambda a: claims(a, 0, 1), "it says nothing of state 0, in the end"),
    ("a level too few", lambda a: a.pop("parts 0 2"), "it says nothing of state 0, in the end"),
    ("the wrong order", lambda a: parted(a, [0, 1, 2]), "leads to a part with a greater number"),
    ("a step that is taken", lambda a: put(a, "steps 0 0", [0]), "takes the step that it is said to starve"),
    ("another step", lambda a: put(a, "steps 0 2", [2]), "it says nothing of state 0, in the end"),
    ("no such step", lambda a: put(a, "steps 0 2", [99]), "nothing is owed to a step that is said to be starved"),
    ("no step", lambda a: put(a, "steps 0 2", []), "a part starves no step"),
    ("too few parts", lambda a: put(a, "parts 0 0", [0]), "3 states are left, and 1 have a part"),
    ("another format", lambda a: a.update(about=np.array('{"format": 2}')), "format 2 is not known"),
    ("nothing about it", lambda a: a.pop("about"), "it has no 'about'"),
    ("a claim less", lambda a: claims(a, 0), "it claims .*, and shows "),
    ("a claim twice", lambda a: claims(a, 0, 0, 3), "it claims .*, and shows "),
    ("a claim of nothing", lambda a: claims(a, 0, 3, 9), "it claims .*, and shows "),
    ("a level too many", lambda a: a.update({"parts 0 3": a["parts 0 2"]}), "it has no 'steps 0 3'"),
    ("an array too many", lambda a: a.update({"note": np.array("well")}), "it has what no proof needs: 'note'"),
]


@pytest.mark.parametrize(("change", "says"), [forgery[1:] for forgery in FORGERIES], ids=[f[0] for f in FORGERIES])
def test_a_forgery_is_rejected(change: Callable[[Arrays], Any], says: str, path: Path) -> None:
    assert certificate.write(path, SYSTEM, ASKED) == [ASKED[0], IN_RANGE]
    arrays = dict(np.load(path))
    assert certify.check(path, SYSTEM, ASKED)
    change(arrays)
    np.savez(path, **arrays)
    with pytest.raises(certify.Rejected, match=says):
        certify.check(path, SYSTEM, ASKED)


def test_weak_fairness_is_owed_only_what_lasts(path: Path) -> None:
    """Both loops never take `leave`; one disables it now and then."""
    lasts = draw("a swing b", "b swing a", "a leave c", "b leave c", weak="leave")
    rests = draw("a swing b", "b swing a", "a leave c", "c leave c", weak="leave")
    assert certificate.write(path, lasts, [not_forever(lasts, "a b")])
    arrays = dict(np.load(path))
    asked = [not_forever(rests, "a b")]
    assert certificate.write(path, rests, asked) == []
    arrays["about"] = np.load(path)["about"]
    claims(arrays, 0)
    np.savez(path, **arrays)
    with pytest.raises(certify.Rejected, match="weakly fair, and not enabled throughout"):
        certify.check(path, rests, asked)


def test_what_is_no_archive_is_rejected(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(certify.Rejected, match="it cannot be read"):
        certify.check(path, SYSTEM, ASKED)


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(pictures(), st.data())
def test_no_rank_shows_what_is_not_so(tmp_path_factory: pytest.TempPathFactory, picture, data: st.DataObject) -> None:
    """A property that is refuted, and a certificate that claims it with whatever parts and steps there may be."""
    system, asked = picture
    refuted = [
        number
        for number, (prop, verdict) in enumerate(explicit.check(system, asked).verdicts)
        if isinstance(prop, NotForever) and not isinstance(verdict, Proved)
    ]
    file = tmp_path_factory.mktemp("forged") / "certificate.npz"
    certificate.write(file, system, asked)
    arrays = dict(np.load(file))
    for number in refuted:
        claims(arrays, number)
        left = data.draw(st.integers(0, len(arrays["states"])))
        for level in range(data.draw(st.integers(0, 3))):
            parts = data.draw(st.lists(st.integers(0, 2), min_size=left, max_size=left))
            steps = data.draw(st.lists(st.integers(0, len(system.duties) - 1), min_size=3, max_size=3))
            arrays |= {f"parts {number} {level}": np.array(parts, int), f"steps {number} {level}": np.array(steps)}
            left = data.draw(st.integers(0, left))
        np.savez(file, **arrays)
        with pytest.raises(certify.Rejected):
            certify.check(file, system, asked)


# -- limits ------------------------------------------------------------------------------------------------------------
def test_what_is_too_large_to_check_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = from_name("propolis-2026/linux/tail-lag/n1-sq3-cq3")
    monkeypatch.setattr(certificate, "STATES", 1000)
    with pytest.raises(certificate.NoCertificate, match="more than the 1,000 states"):
        certificate.write(path, instance.system, [IN_RANGE])
    assert not path.exists()


def test_a_search_that_leaves_a_sort_has_no_certificate(path: Path) -> None:
    r = Record("r", n=var(Nat(1), ""))
    system = System("up", r.variables, (act("up", when(r.n < 2, r(n=r.n + 1))),))
    with pytest.raises(certificate.NoCertificate, match="a variable left its range"):
        certificate.write(path, system, [IN_RANGE])
