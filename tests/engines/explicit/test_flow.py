"""What is dead where, and where rings may be turned: on machines made by hand, at random, and ours."""

from __future__ import annotations

import dataclasses

import pytest
from alike import bisimilar, same
from budgets import examples, spread
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import act
from uncork.core.expr import Expr, all_of, any_of, boolean, ite, text
from uncork.core.property import InRange, NotForever, always
from uncork.core.sorts import Array, Bool, Enum, Nat, Ring
from uncork.core.system import Fairness, Record, System, say, var, when
from uncork.engines import explicit
from uncork.engines.explicit.reduction import flow, reduce, rotation
from uncork_nvme.instance import from_name
from uncork_properties.catalogue import covers, properties

DEAD, TURNED = frozenset({"dead"}), frozenset({"dead", "rotation"})


def normal(system: System, asked=(), wanted=DEAD) -> dict[str, str]:
    return {name: text(value) for name, value in reduce(system, asked, (), wanted).normalise.items()}


def variable(system: System, name: str) -> Expr:
    return Expr("var", (), next(v.sort for v in system.variables if v.name == name), name)


# -- dead where a truth value, a number or two variables say so --------------------------------------------------------
def lamp() -> System:
    """A colour that is chosen as a lamp is lit, and looked at only while it is."""
    r = Record("r", lit=var(Bool(), ""), colour=var(Enum(("red", "green", "blue")), ""), seen=var(Nat(2), ""))
    return System(
        "lamp",
        r.variables,
        (
            *(act(f"light {c}", when(~r.lit, r(lit=True, colour=c))) for c in ("red", "green", "blue")),
            act("look", when(r.lit & (r.colour == "blue") & (r.seen < 2), r(seen=r.seen + 1))),
            act("put out", when(r.lit, r(lit=False))),
        ),
    )


def test_a_truth_value_tells_where_an_enumeration_is_dead() -> None:
    system = lamp()
    assert normal(system) == {"r.colour": "(if ~r.lit | r.seen == 2 then red else r.colour)"}
    assert explicit.check(system, [], reductions=DEAD).states == 10
    assert bisimilar(system, [InRange("in range", "row", "")], reduction=DEAD)[0] == 3 * 3 + 3 * 3


def test_a_copy_that_nobody_reads_is_no_read() -> None:
    """What is copied, to be written over, is dead; it is live where the copy is; and where it leaves its sort."""
    r = Record("r", at=var(Enum(("a", "b")), ""), n=var(Nat(2), ""), copy=var(Nat(2), ""))
    copying = act("copy", when(r.at == "a", r(at="b", copy=r.n)))
    asked = always("small", "row", (r.copy < 2) | (r.at != "b"))

    def made(*more) -> System:
        other = act("other", when(r.at == "b", r(at="a", n=ite(r.n < 2, 2, 0))))
        return System("copies", r.variables, (copying, other, *more))

    assert normal(made()) == {"r.n": "0", "r.copy": "0"}
    assert normal(made(), [asked])["r.copy"] == "(if r.at == a then 0 else r.copy)"
    same(made(), [asked])
    strays = made(act("stray", when(r.at == "b", r(copy=r.n + 1))))
    assert normal(strays) == {"r.copy": "0"}
    same(strays, [InRange("in range", "row", "")])


def post() -> System:
    """Somebody is called while letters wait in either of two boxes: where both are empty no call is of any use."""
    r = Record("r", one=var(Nat(2), ""), other=var(Nat(2), ""), called=var(Bool(), ""), full=var(Bool(), ""))
    waits = r.one + r.other > 0
    return System(
        "post",
        r.variables,
        (
            act("post one", when(r.one < 2, r(one=r.one + 1, called=True))),
            act("post other", when(r.other < 2, r(other=r.other + 1, called=True))),
            act("bell", when(boolean(True), r(called=r.called | r.full, full=~r.full))),
            act("take one", when(r.called & waits & (r.one > 0), r(one=r.one - 1))),
            act("take other", when(r.called & waits & (r.other > 0), r(other=r.other - 1, called=False))),
        ),
    )


def test_two_numbers_that_are_compared_tell_it_together() -> None:
    system = post()
    assert normal(system) == {"r.called": "(if r.one == 0 & r.other == 0 then False else r.called)"}
    same(system, [always("never both", "row", (variable(system, "r.one") < 2) | (variable(system, "r.other") < 2))])
    bisimilar(system, [], reduction=DEAD)


def gate() -> System:
    """A ticket that is looked at inside; one may go in while the gate is open, and gets a new one as it opens."""
    r = Record(
        "r", at=var(Enum(("out", "in", "home")), ""), open=var(Bool(), "", True), ticket=var(Nat(2), ""),
    )  # fmt: skip
    return System(
        "gate",
        r.variables,
        (
            act("enter", when((r.at == "out") & r.open, r(at="in"))),
            act("look", when((r.at == "in") & (r.ticket > 1), r(at="home"))),
            act("leave", when(r.at == "in", r(at="out"))),
            act("close", when((r.at == "out") & r.open, r(open=False))),
            *(act(f"open {n}", when(~r.open, r(open=True, ticket=n))) for n in range(3)),
        ),
    )


def test_a_truth_value_keeps_another_from_where_it_would_be_read() -> None:
    system = gate()
    assert normal(system) == {"r.ticket": "(if r.at == home | r.at == out & ~r.open then 0 else r.ticket)"}
    same(system, [always("never home", "row", variable(system, "r.at") != "home")])
    bisimilar(system, [], reduction=DEAD)


def meter() -> System:
    """A number that counts by itself, also in the step that opens the lid; it is noted while the lid is open.

    Another number is noted while the lid is shut.
    """
    r = Record("r", at=var(Enum(("shut", "open")), ""), n=var(Nat(2), ""), m=var(Nat(2), ""), seen=var(Nat(2), ""))
    counted = r(n=ite(r.n < 2, r.n + 1, 0))
    either = ite(r.at == "open", r.n, r.m)
    return System(
        "meter",
        r.variables,
        (
            act("count", when(boolean(True), counted)),
            act("open", when(r.seen < 2, counted, r(at="open"))),
            act("look", when((r.at == "open") & (r.n == 1), r(at="shut", n=0, m=2))),
            act("note", when(r.seen < 2, r(seen=either))),
            act("shut", when(r.at == "open", r(at="shut", m=1, n=0))),
        ),
    )


def test_a_number_that_only_counts_is_live_where_it_leads_to_a_look() -> None:
    assert normal(meter()) == {"r.m": "(if r.at == open | r.seen == 2 then 0 else r.m)"}
    bisimilar(meter(), [], reduction=DEAD)


def test_a_number_that_leaves_its_range_by_itself_is_live() -> None:
    r = Record("r", at=var(Enum(("a", "b")), ""), n=var(Nat(2), ""))
    count = act("count", when(r.at == "a", r(n=r.n + 1)))
    ways = act("go", when(r.at == "a", r(at="b"))), act("back", when(r.at == "b", r(at="a", n=0)))
    system = System("strays", r.variables, (count, *ways))
    assert normal(system) == {"r.n": "(if r.at == b then 0 else r.n)"}
    same(system, [InRange("in range", "row", "")])


def test_what_tells_where_others_are_dead_is_not_buried() -> None:
    """Each of two switches is dead where the other is off, and is on by default; with both buried nothing is off."""
    r = Record("r", one=var(Enum(("on", "off")), "", "off"), other=var(Enum(("on", "off")), "", "off"))
    both = (r.one == "on") & (r.other == "on")
    system = System("switches", r.variables, (act("never", when(both, r(one="on"))),))
    assert len(normal(system)) == 1
    same(system, [always("never", "row", ~both)])


# -- rings are turned where they are wiped, or not looked at any more --------------------------------------------------
def queue(*, wipes: bool = True, keeps: bool = False, times: int = 1) -> System:
    """A queue of two entries on a ring of three that is set up afresh some times, or has its tail set to 0 only."""
    r = Record(
        "r", head=var(Ring(3), ""), tail=var(Ring(3), ""), last=var(Ring(3), ""),
        slots=var(Array(3, Bool()), ""), left=var(Nat(times), "", times),
    )  # fmt: skip
    empty = r.slots
    for slot in range(3):
        empty = empty.store(Expr("const", (), Ring(3), slot), False)
    wiped = r(head=0, tail=0, slots=empty) | r(last=r.last + 1 if keeps else 0)
    fresh = wiped if wipes else r(tail=0)
    number = r.tail - r.head
    return System(
        "queue",
        r.variables,
        (
            act("put", when(number < 2, r(slots=r.slots.store(r.tail, True), tail=r.tail + 1, last=r.tail))),
            act("take", when(number > 0, r(slots=r.slots.store(r.head, False), head=r.head + 1))),
            act("look", when((r.last == r.head) & (number == 0), r(last=r.last + 1))),
            act("afresh", when(r.left > 0, fresh, r(left=r.left - 1)), Fairness.NONE),
        ),
    )


def test_a_ring_that_is_wiped_is_turned() -> None:
    system = queue()
    assert normal(system, wanted=TURNED)["r.head"] == "r.head - r.head"
    assert explicit.check(system, [], reductions=TURNED).states < bisimilar(system, [])[0] / 2
    same(system, [always("never full", "row", variable(system, "r.tail") - variable(system, "r.head") < 2)])


@pytest.mark.parametrize("system", [queue(wipes=False), queue(keeps=True), queue(wipes=False, times=2)])
def test_a_ring_that_keeps_something_is_turned_from_the_last_time_on(system: System) -> None:
    assert normal(system, wanted=TURNED)["r.head"] == "(if r.left == 0 then r.head - r.head else r.head)"
    assert explicit.check(system, [], reductions=TURNED).states < bisimilar(system, [])[0]
    same(system, [always("never full", "row", variable(system, "r.tail") - variable(system, "r.head") < 2)])


def looked_at() -> System:
    """A queue that is set up afresh only where its head is 0."""
    system = queue()
    afresh = system.actions[-1]
    wary = dataclasses.replace(afresh, guard=afresh.guard & (variable(system, "r.head") == 0))
    return dataclasses.replace(system, actions=(*system.actions[:-1], wary))


def test_a_guard_that_looks_at_a_position_is_not_excused() -> None:
    looks = looked_at()
    wary = looks.actions[-1]
    assert normal(looks, wanted=TURNED)["r.head"] == "(if r.left == 0 then r.head - r.head else r.head)"
    bisimilar(looks, [])
    updates = {name: value for name, value in wary.updates.items() if name != "r.left"}
    for_ever = dataclasses.replace(wary, guard=variable(looks, "r.head") == 0, updates=updates)
    refused = dataclasses.replace(looks, actions=(*looks.actions[:-1], for_ever))
    assert "r.head" not in normal(refused, wanted=TURNED)
    bisimilar(refused, [])


def test_a_position_that_is_kept_in_an_array_is_not_turned() -> None:
    """One is put down, the ring is wiped, and then what was put down is compared with what is on the ring."""
    r = Record(
        "r", at=var(Ring(3), ""), mark=var(Ring(3), ""), kept=var(Array(2, Ring(3)), ""), slot=var(Ring(2), ""),
        left=var(Nat(1), "", 1),
    )  # fmt: skip
    actions = (
        act("go on", when(r.left > 0, r(at=r.at + 1))),
        act("put down", when(r.left > 0, r(kept=r.kept.store(r.slot, r.at), slot=r.slot + 1))),
        act("wipe", when(r.left > 0, r(at=0, mark=0, left=r.left - 1))),
        act("compare", when((r.left == 0) & (r.kept[r.slot] == r.mark), r(mark=r.mark + 1))),
    )
    system = System("kept", r.variables, actions)
    dead = {"r.at": "(if r.left == 0 then 0 else r.at)", "r.mark": "(if r.left == 1 then 0 else r.mark)"}
    assert normal(system, wanted=TURNED) == dead
    bisimilar(system, [])


# -- our own machines --------------------------------------------------------------------------------------------------
OURS = [
    "propolis-2025/linux/tail-1/n1-sq3-cq3",
    "propolis-2025/linux/head/n1-sq2-cq3",
    "qemu/linux/head/n1-sq3-cq3/events=restart",
    "qemu/linux/head/n1-sq2-cq2/events=delete+create",
    "openvmm/linux/head-when-full/n1-sq2-cq2/events=config",
    "openvmm/linux/head-when-full/n1-sq2-cq2/events=delete+create,words=keep",
    "openvmm/linux/head-when-full/n1-sq2-cq2/events=restart,words=keep",
    "nvme-mdev/linux/never/n1-sq3-cq3/events=delete+create",
    "arm-recheck/linux/arm-on-cork/n1-sq2-cq3/events=reset",
    "propolis-2026/linux/tail-lag/n1-sq2-cq2/events=pause,on_resume=forget-corked",
    "propolis-2026/linux/tail-lag/n1-sq2-cq3/backend=detached-repoll,memory=tso,guest_fence=no",
    "mmio/linux/tail/n2-sq2-cq2",
]


def ours(name: str) -> tuple:
    instance = from_name(name)
    return instance.system, properties(instance.machine, instance.system), covers(instance.machine, instance.system)


@pytest.mark.slow
@pytest.mark.parametrize("name", spread(OURS, 2))
def test_a_machine_and_the_reduced_one_are_bisimilar(name: str) -> None:
    bisimilar(*ours(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", spread(OURS, 3))
def test_verdicts_are_the_same_with_and_without(name: str) -> None:
    same(*ours(name))


# -- machines at random ------------------------------------------------------------------------------------------------
@st.composite
def machines(chosen: st.DrawFn) -> tuple:
    """Two enumerations, two truth values, two numbers and a ring that is set up afresh; steps that mix them all."""
    names = ("a", "b", "c")
    r = Record(
        "r",
        at=var(Enum(names), ""), kind=var(Enum(names), ""), on=var(Bool(), ""), set=var(Bool(), "", True),
        n=var(Nat(2), ""), m=var(Nat(2), ""), head=var(Ring(3), ""), tail=var(Ring(3), ""), old=var(Ring(3), ""),
    )  # fmt: skip
    atoms = st.sampled_from([
        *(r.at == name for name in names), *(r.kind == name for name in names), r.on, r.set, r.n > 0, r.m < 2,
        r.n + r.m > 0, r.n + r.m < 3, (r.at == "b") | r.on, (r.kind == "a") & r.set, r.head == r.tail,
        r.tail - r.head < 2, ite(r.on, r.at, r.kind) == "c", r.old == r.head, ite(r.set, r.n, r.m) > 1,
    ])  # fmt: skip
    updates = st.sampled_from([
        r(at="a"), r(at="b"), r(at="c"), r(at=r.kind), r(kind="a"), r(kind="b"), r(kind=ite(r.on, "c", r.at)),
        r(on=True), r(on=False), r(on=~r.set), r(set=r.set & r.on), r(set=True), r(set=r.n > 0), r(n=0), r(n=2),
        r(n=r.m), r(n=ite(r.n < 2, r.n + 1, 0)), r(m=ite(r.on, r.n, r.m)), r(m=1), r(m=0), r(head=r.head + 1),
        r(tail=r.tail + 1), r(tail=r.head), r(old=r.tail), r(head=0, tail=0), r(head=0, tail=0, old=0), r(old=0),
        r(n=r.tail - r.head),
    ])  # fmt: skip

    def condition() -> Expr:
        literals = [
            each if chosen(st.booleans()) else ~each for each in chosen(st.lists(atoms, min_size=1, max_size=3))
        ]
        return all_of(literals) if chosen(st.integers(0, 3)) else any_of(literals)

    actions = []
    for number in range(chosen(st.integers(2, 7))):
        changes: dict[str, Expr] = {}
        for each in chosen(st.lists(updates, min_size=1, max_size=4)):
            changes |= {name: value for name, value in each.items() if name not in changes}
        actions.append(act(f"step {number}", when(condition(), changes), chosen(st.sampled_from(list(Fairness)))))
    asked = [
        InRange("in range", "row", ""),
        always("always", "row", condition()),
        NotForever("not for ever", "row", "", condition(), say("stuck"), frozenset({"step 0"})),
    ]
    return System("random", r.variables, tuple(actions)), asked


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(machines())
def test_random_machines(machine: tuple) -> None:
    system, asked = machine
    for reduction in (DEAD, TURNED):
        bisimilar(system, asked, reduction=reduction)
    same(system, asked, reductions=(DEAD, TURNED))


# -- a rule that is wrong is found out ---------------------------------------------------------------------------------
def forgetful(self: flow.Places, node: Expr, where: int, followed: int, read: dict[int, int]) -> None:
    """Forgets what guards and properties read."""
    if not isinstance(node.sort, Bool):
        NOTES(self, node, where, followed, read)


NOTES = flow.Places._notes


@pytest.mark.parametrize(
    ("place", "name", "wrong"),
    [
        (flow.Places, "_notes", forgetful),
        (flow.Way, "before", lambda self, where: 0),
        (flow.Places, "_way", lambda self, step: flow.Way(self.truths(step.action.guard)[0])),
        (flow.Places, "_is_known", lambda self, node: self.everywhere),
        (flow.Flow, "beside", lambda self, some: self.living & ~some),
        (rotation, "_constant", lambda value: True),
        (rotation._Look, "wipes", True),
    ],
    ids=["reads", "steps that keep", "steps that lead on", "what is known", "what is read alone", "wipes", "looks"],
)
def test_a_rule_that_is_wrong_is_found_out(
    place: object, name: str, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_well() -> None:
        for system in (lamp(), post(), gate(), meter(), queue(), queue(wipes=False), queue(keeps=True), looked_at()):
            bisimilar(system, [])

    all_well()
    monkeypatch.setattr(place, name, wrong)
    with pytest.raises(AssertionError):
        all_well()
