"""memory=arm: its parts compared with `orders.arm`, x86-TSO contained in it, and what each order is there for."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import pytest
from alike import same
from budgets import examples, spread
from hypothesis import given, settings
from hypothesis import strategies as st
from pages.orders import table as orders
from pages.orders.table import outcomes
from pages.sheets import ARM, FENCES, MEMORY
from plainly import both
from uncork.core.expr import Expr, all_of, any_of, boolean
from uncork.core.property import InRange, always
from uncork.core.sorts import Bool, Ring, SlipError
from uncork.core.system import Action, Guarded, Record, System, step, var, when
from uncork.core.trace import replay
from uncork.core.verdict import Open, Proved, Refuted
from uncork.decide import many
from uncork.engines import REDUCTIONS, explicit
from uncork.engines.python import successors
from uncork.engines.symbolic import bmc
from uncork.render import story
from uncork_nvme.anysize import AnySize
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.choices import Choice, ChoiceError
from uncork_nvme.instance import Instance, from_name
from uncork_nvme.orders.kernels import CQ, CQE, KERNELS, SQ, SQE, Kernel
from uncork_nvme.orders.program import VALUES, Instruction, Litmus, Program, litmus, parsed
from uncork_nvme.parts.memory import ORDERS, Memory
from uncork_nvme.state.memory import Buffer, Queue, Sight, Unlock, Word
from uncork_properties.catalogue import covers, properties


# -- the parts of the memory, in programs ------------------------------------------------------------------------------
@step("thread {}")
def run(program: Program, at: int, guard: Expr, *updates: dict[str, Expr]) -> Guarded:
    """Runs one instruction."""
    return when((program.at == at) & guard, program(at=at + 1), *updates)


def held(code: Sequence[Instruction], word: str, kind: str) -> int:
    """How many loads or stores of a word there are while the lock is held."""
    found, inside = 0, False
    for each in code:
        inside = {"lock": True, "unlock": False}.get(each.kind, inside)
        found += inside and (each.kind, each.word) == (kind, word)
    return found


class Machine(Litmus):
    """Programs over the store buffers and sights that the machine has: every word is stored to by one thread.

    A load that is no acquire has a sight of the word; with `line` a thread's buffer is a line of stores. There is one
    lock. It guards the words that are stored to while it is held, and the sights of the words that are then loaded.
    Besides, a thread may have a lock `h0` or the like that no other takes: where it is given back stands in its line.
    """

    def __init__(self, *texts: str, line: bool) -> None:
        self.programs = [Program(f"T{k}", parsed(text)) for k, text in enumerate(texts)]
        names = {each.word for p in self.programs for each in p.code if each.kind in ("store", "load")}
        self.unlocks: dict[str, Unlock] = {}
        self.words = Record("memory", **{name: var(Ring(VALUES), "a word") for name in sorted(names)})
        self.lock = Record("lock", held=var(Bool(), "whether a thread holds the lock"))
        self.guarded: list[Word] = []
        self.under: list[Sight] = []
        self.buffers: list[Buffer] = []
        self.sights: dict[tuple[str, str], Sight] = {}
        own = {p.label: self._stored(p, line=line) for p in self.programs}
        actions = [action for p in self.programs for action in self._made(p, own[p.label])]
        actions += [flush for buffer in self.buffers for flush in buffer.flushes]
        actions += [see for sight in self.sights.values() for see in sight.steps]
        records = [
            self.words,
            self.lock,
            *self.programs,
            *self.sights.values(),
            *(r for b in self.buffers for r in b.records),
        ]
        self.system = System("litmus", tuple(v for record in records for v in record.variables), tuple(actions))

    def _stored(self, program: Program, *, line: bool) -> dict[str, Word]:
        """The words that a program stores to."""
        words: dict[str, Word] = {}
        stores = [each for each in program.code if each.kind == "store"]
        for name in dict.fromkeys(each.word for each in stores):
            mine = [each for each in stores if each.word == name]
            place = (f"{program.label}.{name}", f"{name} of {program.label}", self.words, name, len(mine) * (not line))
            words[name] = word = Word(*place, what=name)
            word.release = all(each.order == "release" for each in mine)
            for other in self.programs:
                loads = [each for each in other.code if each.word == name and each.kind == "load" and not each.order]
                if loads and other is not program:
                    assert held(other.code, name, "load") in (0, len(loads))
                    sight = Sight(f"{other.label} sees {name}", f"{name} by {other.label}", VALUES, len(mine))
                    self.sights[other.label, name] = sight
                    word.sights = (*word.sights, sight)
                    self.under += [sight] if held(other.code, name, "load") else []
            if held(program.code, name, "store"):
                self.guarded.append(word)
                word.lock = self.under, self.lock.held
        given_back = [each for each in program.code if each.kind == "unlock" and each.word != "l"]
        if given_back:
            self.unlocks[program.label] = Unlock(f"{program.label}.unlock", f"a lock of {program.label}", 2, 0)
        places = [*words.values(), *([self.unlocks[program.label]] if given_back else [])]
        if places:
            room = len(stores) + len(given_back)
            lined = Queue(f"{program.label}.line", room, *places, fifo=False) if line else None
            self.buffers.append(lined or Buffer(*places, fifo=False))
        return words

    def _made(self, program: Program, words: dict[str, Word]) -> Iterator[Action]:
        unlock = self.unlocks.get(program.label)
        taken = unlock.taken if unlock else boolean(True)
        mine = [*words.values(), *([unlock] if unlock else [])]
        buffers = [buffer for buffer in self.buffers if any(place in mine for place in buffer.places)]
        drained = all_of(buffer.drained for buffer in buffers)
        blind = any_of(sight.waiting for (who, _), sight in self.sights.items() if who == program.label)
        for at, each in enumerate(program.code):
            match each.kind, each.word:
                case "fence", "full":
                    yield run(program, at, drained & ~blind)
                case ("lock" | "unlock") as kind, name if name != "l":
                    assert unlock
                    yield run(program, at, taken, *([unlock.enter(1)] if kind == "unlock" else []))
                case "lock", _:
                    free = ~self.lock.held & ~any_of(place.waiting for place in self.guarded)
                    yield run(program, at, free, self.lock(held=True))
                case "unlock", _:
                    cleared = [sight.clears() for sight in self.under]
                    yield run(program, at, self.lock.held, self.lock(held=False), *cleared)
                case "fence", _:
                    yield run(program, at, drained)
                case "store", name:
                    yield run(program, at, taken, words[name].store(each.value))
                case _, name:
                    sight = self.sights.get((program.label, name)) if not each.order else None
                    shown: Expr = getattr(self.words, name)
                    value = words[name].own if name in words else sight.value(shown) if sight else shown
                    yield run(program, at, taken, program(**{each.register: value}))

    @property
    def ended(self) -> Expr:
        """Whether every program is at its end and every store in memory."""
        return all_of(p.ended for p in self.programs) & all_of(buffer.drained for buffer in self.buffers)

    @property
    def registers(self) -> dict[str, Expr]:
        """The registers of all programs, and the words."""
        read = {e.register: getattr(p, e.register) for p in self.programs for e in p.code if e.register}
        return read | {v.name.partition(".")[2]: getattr(self.words, v.name.partition(".")[2])
                       for v in self.words.variables}  # fmt: skip


@st.composite
def programs(draw: st.DrawFn, load: str, *, release: bool = False, locks: bool = False) -> list[str]:
    """Two threads with two words of their own, and loads of any word in this order; fences; `release` for one word.

    With `locks` each has a lock, which it takes and gives back. There is no store fence where no load may read an old
    value: a load that comes after the fence in the program may be done before it, and a `Machine` waits at it.
    """
    said = []
    for k, own in enumerate(("ab", "cd")):
        code = []
        for at in range(draw(st.integers(1, 4))):
            word, value = draw(st.sampled_from(own)), draw(st.integers(1, 2))
            order = " release" if release and word in "bd" else ""
            code.append(draw(st.sampled_from([
                *(f"{word}={value}{order}", f"{word}={value}{order}"),
                *(f"r{k}{at}={each} {load}".rstrip() for each in "abcd"), "fence full",
                *([] if load else ["fence st"]), *([f"lock h{k}; unlock h{k}"] * 3 if locks else []),
            ])))  # fmt: skip
        said.append("; ".join(code))
    return said


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(programs("acquire-pc"), st.booleans())
def test_if_every_load_is_an_acquire_no_load_reads_an_old_value(texts: list[str], line: bool) -> None:
    """So the machine needs no sights: store buffers whose words leave in any order allow what Arm's memory allows."""
    assert outcomes(Machine(*texts, line=line)) == outcomes(litmus(texts, "arm"))


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(programs(""), st.booleans())
def test_a_plain_load_misses_what_arm_lets_it_miss(texts: list[str], line: bool) -> None:
    assert outcomes(Machine(*texts, line=line)) == outcomes(litmus(texts, "arm"))


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None)
@given(programs("acquire-pc", release=True))
def test_a_release_in_a_line_waits_for_what_stands_before_it(texts: list[str]) -> None:
    assert outcomes(Machine(*texts, line=True)) == outcomes(litmus(texts, "arm"))


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None)
@given(programs("acquire-pc", locks=True))
def test_a_lock_of_ones_own_has_what_was_stored_before_in_memory_when_it_is_taken_again(texts: list[str]) -> None:
    assert outcomes(Machine(*texts, line=True)) == outcomes(litmus(texts, "arm"))


SIGNALS = "a=1; b=1; lock h; unlock h; {}r=c acquire-pc", "c=1; fence full; s=a acquire-pc; t=b acquire-pc"
"""A device stores, signals, perhaps signals once more, and loads."""


@pytest.mark.parametrize(("again", "late"), [("", True), ("lock h; unlock h; ", False)])
def test_two_locks_taken_in_turn_stand_for_a_fence_and_one_does_not(again: str, *, late: bool) -> None:
    texts = [each.format(again) for each in SIGNALS]
    found = outcomes(litmus(texts, "arm"))
    assert found == outcomes(Machine(*texts, line=True))
    names = sorted(litmus(texts, "arm").registers)
    assert any(dict(zip(names, end, strict=True)) | {"r": 0, "s": 0} == dict(zip(names, end, strict=True))
               for end in found) == late  # fmt: skip


PROPOLIS_WAITS = ("a=1; fence full; r=c acquire-pc", "lock l; c=1; unlock l; lock l; s=a; unlock l")
"""How Propolis sleeps: it writes EventIdx under a lock, and reads the tail under that lock the next time."""


def test_a_lock_given_back_and_taken_stands_for_a_fence() -> None:
    found = outcomes(Machine(*PROPOLIS_WAITS, line=False))
    assert found == outcomes(litmus(PROPOLIS_WAITS, "arm"))
    assert len(found) < len(outcomes(Machine(*(each.replace("; unlock l; lock l", "") for each in PROPOLIS_WAITS),
                                             line=False)))  # fmt: skip


@st.composite
def locked(draw: st.DrawFn) -> list[str]:
    """A guest without locks, and two threads of a device that store and load under one lock."""
    guest = draw(st.lists(st.sampled_from(["a=1", "a=2", "fence full", "r=c acquire-pc"]), min_size=1, max_size=3))
    looks = [draw(st.sampled_from([f"c={k}", f"s{k}=a", f"c={k}; s{k}=a"])) for k in (1, 2)]
    code = "; ".join(f"lock l; {look}; unlock l" for look in looks)
    guest = [each.replace("r=", f"r{k}=") for k, each in enumerate(guest)]
    return ["; ".join(guest), code, *draw(st.sampled_from([[], ["lock l; t=a; unlock l"]]))]


@pytest.mark.slow
@settings(max_examples=examples(30), deadline=None)
@given(locked())
def test_under_a_lock_a_load_misses_all_that_arm_lets_it_miss(texts: list[str]) -> None:
    """And more: what an acquire of another lock or word would have it see."""
    assert outcomes(litmus(texts, "arm")) <= outcomes(Machine(*texts, line=False))


# -- the machine has every run that it has under x86-TSO ---------------------------------------------------------------
PROPOLIS, SPDK = "propolis-2026/linux/tail-lag/n1-sq2-cq2", "spdk-interrupt/linux/never/n1-sq2-cq2"
QEMU, OPENVMM = "qemu/linux/head/n1-sq2-cq2", "openvmm/linux/head-when-full/n1-sq2-cq2"
ARMS = "arm-recheck/linux/arm-on-cork/n1-sq2-cq2"
MDEV, FEMU = "nvme-mdev/linux/half/n1-sq2-cq2", "femu/linux/head-1/n1-sq2-cq2"
USNVMEMU, SCAN = "usnvmemu/linux/never/n1-sq2-cq2/early_free=no", "nvmet-mdev-pci-scan/linux/head-when-full/n1-sq2-cq2"
ALL = ",".join(f"{name}={value}" for name, value in ORDERS.items())
"""No order that is about Arm only is left out."""


def but(**choices: Choice) -> str:
    """All orders but for these."""
    return ",".join(f"{name}={value}" for name, value in {"memory": "arm", **ORDERS, **choices}.items())


@pytest.mark.parametrize(("name", "more"), [
    (f"{ARMS}/{ALL},device_fence_cq=no", True), (f"{SPDK}/{ALL}", False),
    (f"{QEMU}/{ALL},threads=one,device_locks=no", True),
])  # fmt: skip
def test_a_step_under_tso_is_a_step_on_arm_which_may_have_more(name: str, more: bool) -> None:
    tso, arm = (from_name(f"{name},memory={memory}").system for memory in ("tso", "arm"))
    assert [v.name for v in tso.variables] == [v.name for v in arm.variables]
    names = [[action.name for action in system.actions] for system in (tso, arm)]
    of_tso, of_arm = successors(tso), successors(arm)
    first = tuple(tso.initial.values())
    seen, todo, others = {first}, [first], 0
    while todo:
        state = todo.pop()
        steps, wider = [{(names[k][at], after) for at, after in find(state)} for k, find in enumerate((of_tso, of_arm))]
        assert steps <= wider
        others += len(wider) - len(steps)
        new = {after for _, after in steps if after is not None} - seen
        seen |= new
        todo += new
    assert bool(others) == more


def test_what_is_recorded_as_refuted_under_tso_is_refuted_on_arm() -> None:
    """With the same fences, whatever else is ordered; a property is open where safety is refuted."""

    def fenced(instance: Instance) -> tuple[str, tuple[tuple[str, Choice], ...]]:
        left = {name: value for name, value in instance.overrides.items() if name not in {"memory", *ORDERS}}
        return replace(instance, overrides={}).name, tuple(sorted(left.items()))

    tso = {fenced(instance): each.verdicts for instance, each in MEMORY.recorded.values()}
    alike = [
        (each.verdicts, tso[fenced(instance)]) for instance, each in ARM.recorded.values() if fenced(instance) in tso
    ]
    assert len(alike) > 50
    for on_arm, under_tso in alike:
        for row, said in under_tso.items():
            assert not said.startswith("refuted") or not on_arm[row].startswith("proved")


# -- what the sources do -----------------------------------------------------------------------------------------------
SQE_WHOLE, CQE_WHOLE = "an SQE that is taken was written whole (SQ0)", "a CQE that is consumed was written whole"
LOST = {"uncorked SQ0", "drains SQ0", "progress SQ0"}


def refuted(name: str) -> set[str]:
    """The names of the refuted properties."""
    return set(_refuted(from_name(name).name))


@functools.cache
def _refuted(name: str) -> set[str]:
    found = from_name(name)
    outcome = explicit.check(found.system, properties(found.machine, found.system), covers(found.machine, found.system))
    broken = {prop.name for prop, verdict in outcome.verdicts if isinstance(verdict, Refuted)}
    assert broken or all(isinstance(verdict, Proved) for _, verdict in outcome.verdicts)
    assert "delays a store" not in outcome.unreached
    return broken


VERDICTS = {
    # as the sources are
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/memory=arm": {CQE_WHOLE},
    f"{SPDK}/memory=arm": {CQE_WHOLE},
    f"{QEMU}/memory=arm": {CQE_WHOLE},
    f"{OPENVMM}/memory=arm": {SQE_WHOLE},
    f"{MDEV}/memory=arm": {SQE_WHOLE},
    f"{FEMU}/memory=arm": {SQE_WHOLE},
    f"{SCAN}/memory=arm": set(),
    f"{SCAN.replace('-scan', '')}/memory=arm": LOST,  # by its poller
    f"{SCAN.replace('-scan', '-batch')}/memory=arm": {CQE_WHOLE},
    # with the one order that each lacks; Propolis with all others as they are, at sizes where its policy is live
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/memory=arm,cqe_store=release": set(),
    f"{SPDK}/memory=arm,cqe_store=release": set(),
    f"{QEMU}/memory=arm,cqe_store=release": set(),
    f"{OPENVMM}/memory=arm,sqe_load=fenced": set(),
    f"{MDEV}/memory=arm,sqe_load=fenced": set(),
    f"{FEMU}/memory=arm,sqe_load=fenced": set(),
    f"{SCAN.replace('-scan', '-batch')}/memory=arm,cqe_store=release": set(),
    # with the three that it lacks
    f"{USNVMEMU},memory=arm,sqe_load=fenced,cqe_store=release": LOST,
    f"{USNVMEMU},memory=arm,sqe_load=fenced,cqe_store=release,device_fence_sq=yes": set(),
    # public bugs: SPDK 93db90f7f3, 3a7a66e505, Linux b69e2ef24b7b, libvfn 9e4191a0, OpenVMM #506
    f"{SPDK}/memory=arm,cqe_store=release,sqe_load=plain": {SQE_WHOLE},
    f"{QEMU.replace('linux', 'spdk')}/memory=arm,cqe_store=release,sqe_store=plain": {SQE_WHOLE},
    f"{QEMU.replace('linux', 'spdk')}/memory=arm,cqe_store=release": set(),
    f"{QEMU}/memory=arm,cqe_store=release,cqe_load=plain": {CQE_WHOLE},
    f"{QEMU.replace('linux', 'libvfn')}/memory=arm,cqe_store=release,cqe_load=plain": {CQE_WHOLE},
    f"{QEMU.replace('linux', 'libvfn')}/memory=arm,cqe_store=release": set(),
    f"{OPENVMM}/memory=arm,sqe_load=fenced,cqe_store=plain": {CQE_WHOLE},
    # Propolis's locks stand where others have fences, and then its loads need no fence either
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/memory=arm,cqe_store=release,device_load_fence=no": set(),
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/memory=arm,cqe_store=release,threads=one": set(),
    "propolis-2026/linux/tail-lag/n1-sq3-cq3/memory=arm,cqe_store=release,threads=one,device_locks=no": LOST,
}


@pytest.mark.parametrize("name", VERDICTS)
def test_a_source_and_an_order_left_out_have_the_verdicts_that_are_known(name: str) -> None:
    broken = refuted(name)
    assert broken == VERDICTS[name] if VERDICTS[name] != LOST else broken <= LOST and "drains SQ0" in broken


@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_no_entry_is_torn_where_no_choice_is_about_arm(memory: str) -> None:
    plain, ordered = (from_name(f"{OPENVMM}/memory={memory},{choices}").system for choices in (
        "cqe_load=plain,cqe_store=plain,device_load_fence=no,sqe_load=plain,sqe_store=plain", ALL))  # fmt: skip
    assert plain.fingerprint() == ordered.fingerprint()


# -- the same question, of programs and of machines --------------------------------------------------------------------
_LIKE = {"SPDK's target": SPDK, "QEMU": f"{QEMU}/threads=one,device_locks=no", "Propolis": PROPOLIS.replace("q2", "q3"),
         "OpenVMM": f"{OPENVMM}/backend=detached", "nvme-mdev": MDEV, "FEMU": FEMU, "usnvmemu": USNVMEMU,
         "nvmet-mdev-pci": f"{SCAN}/poll=no,sq_compare=head"}  # fmt: skip
_LEFT_OUT = {
    "the guest's `fence st` before `tail=1`": "sqe_store=plain",
    "the guest's `fence ld` before `c=cqe`": "cqe_load=plain",
    "the guest's `fence full` before `e=event`": "guest_fence=no",
    "the device's `fence full` before `s=sqe`": "sqe_load=plain",
    "the device's `fence ld` before `s=sqe`": "sqe_load=plain",
    "the device's `fence acquire` before `s=sqe`": "sqe_load=plain",
    "the device's `fence full` before `t=tail`": "device_fence_sq=no",
    "the device's `fence full` before `h=head`": "device_fence_cq=no",
    "the device's lock": "threads=one,device_locks=no",
    "the device's `fence release` before `phase=1`": "cqe_store=before",
    "the device's `fence st` before `phase=1`": "cqe_store=before",
}
_ORDERED = {SQE: {"cqe_store": "release"}, CQE: {"sqe_load": "fenced"}}
"""What is ordered besides, so that only what is asked about goes wrong."""
_ASKED = {SQE: {SQE_WHOLE}, CQE: {CQE_WHOLE}, SQ: LOST, CQ: LOST}
_MATTERS = {SQE: ("sqe_",), CQE: ("cqe_",), SQ: ("guest_fence", "device_fence_sq", "threads"),
            CQ: ("guest_fence", "device_fence_cq", "threads")}  # fmt: skip


def machine(kernel: Kernel, left_out: str = "") -> set[str]:
    """What is refuted of the machine of this kernel's device, of what the kernel asks about."""
    name = _LIKE[kernel.who]
    chosen = {"memory": "arm", **_ORDERED.get(kernel.question, {"cqe_store": "release", "sqe_load": "fenced"})}
    chosen |= dict(each.partition("=")[::2] for each in left_out.split(",") if each)
    between = "," if name.count("/") == 4 else "/"
    return refuted(f"{name}{between}{','.join(f'{k}={v}' for k, v in chosen.items())}") & _ASKED[kernel.question]


_TODAY = [kernel for kernel in KERNELS if kernel.who in _LIKE]


@pytest.mark.parametrize("kernel", _TODAY, ids=lambda each: f"{each.question.name} {each.who}")
def test_the_machine_goes_wrong_where_the_programs_of_its_source_do(kernel: Kernel) -> None:
    wrong = orders.wrong(kernel, "arm")
    assert bool(machine(kernel)) == wrong
    for said, goes_wrong in {} if wrong else orders.needed(kernel, "arm").items():
        if _LEFT_OUT.get(said, "").startswith(_MATTERS[kernel.question]):
            assert bool(machine(kernel, _LEFT_OUT[said])) == goes_wrong, said


def test_every_question_and_order_is_asked_of_some_machine() -> None:
    assert {kernel.question for kernel in _TODAY} == set(_ASKED)
    needed = {said for kernel in _TODAY for said, goes_wrong in orders.needed(kernel, "arm").items()
              if goes_wrong and not orders.wrong(kernel, "arm")}  # fmt: skip
    assert needed <= _LEFT_OUT.keys()


# -- how much waits, and what is refused -------------------------------------------------------------------------------
@pytest.mark.parametrize("device", sorted(DEVICES))
def test_every_device_runs_and_no_store_lacks_room(device: str) -> None:
    overrides: dict[str, Choice] = {"memory": "arm", "device_load_fence": "no", "sqe_load": "plain"}
    assert isinstance(in_range(Instance(device, "linux", DEVICES[device].policy, 1, 2, 2, overrides)), Proved)


HOST = "memory=arm,threads=one,device_locks=no,cqe_store={},device_lock_after={}"
HANDS_ON = [
    ("usnvmemu/linux/tail/n1-sq2-cq2", HOST.format("plain", "post")),
    ("nvme-mdev/linux/half/n1-sq2-cq2", HOST.format("whole", "take") + ",device_fence_sq=no"),
    ("nvme-mdev/linux/half/n1-sq2-cq2", HOST.format("whole", "post")),
    ("qemu/linux/head/n1-sq2-cq2", HOST.format("plain", "post")),
    ("arm-recheck/linux/arm-on-cork/n1-sq2-cq2", HOST.format("whole", "take")),
    ("arm-recheck/linux/arm-on-cork/n1-sq2-cq2", HOST.format("plain", "post") + ",device_fence_sq=no"),
]


@pytest.mark.parametrize(("name", "choices"), HANDS_ON)
def test_a_lock_of_the_host_bounds_what_waits(name: str, choices: str) -> None:
    assert isinstance(in_range(from_name(f"{name}/{choices}")), Proved)


def test_with_less_room_a_store_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Memory._room
    monkeypatch.setattr(Memory, "_room", lambda *args: whole(*args) - 1)
    assert isinstance(in_range(from_name("/".join(HANDS_ON[0]))), Refuted)


def test_without_that_lock_nothing_bounds_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "_may_go_on", lambda *_: boolean(True))
    assert isinstance(in_range(from_name("/".join(HANDS_ON[0]))), Refuted)


def in_range(instance: Instance) -> object:
    ((_, verdict),) = explicit.check(instance.system, [InRange("in range", "", "")], reductions=REDUCTIONS).verdicts
    return verdict


TORN = "memory=arm,cqe_load=plain,cqe_store=before,device_load_fence=no,sqe_load=plain,sqe_store=plain"
LINED_UP = [
    *("cq_full=queue,backend=detached", "threads=one,device_locks=no,cork=park", "sq_read=wake", "serve=all"),
    *("threads=one", "sq_arm=idle", "cork=self-kick", "poll=yes,sq_arm=never", "submit_batch=2", "notify=kept"),
    *("threads=one,device_locks=no,backend=detached", "workers=2,serve=all", "drain=any", "early_free=no"),
]


@pytest.mark.parametrize(("choices", "fences"), spread(product(LINED_UP, ["yes", "no"]), 7))
def test_no_order_left_out_makes_more_wait_than_there_is_room_for(choices: str, fences: str) -> None:
    fences = f"device_fence_sq={fences},device_fence_cq={fences}"
    assert isinstance(in_range(from_name(f"{ARMS}/{TORN},{choices},{fences}")), Proved)


@pytest.mark.parametrize(("choices", "said"), [
    ("sqe_load=plain,events=delete", "sqe_load=plain is described with events=none only: set that, or sqe_load=fenced"),
    ("cqe_store=before,events=pause", "cqe_store=before is described with events=none only"),
    ("sqe_store=plain,guest_fence=no", "sqe_store=plain is described with guest_fence=yes only"),
    ("device_locks=no", "set threads=one, or device_locks=yes"),
    ("threads=one,device_locks=no,cqe_store=whole", "with cqe_store=whole and device_locks=no nothing bounds how many"),
    ("threads=one,device_locks=no,cqe_store=plain", "set device_lock_after=post or device_lock_after=take, or"),
    ("threads=one,device_locks=no,cqe_store=plain,device_lock_after=take", "with cqe_store=whole only: set that, or"),
])  # fmt: skip
def test_what_is_not_described_is_refused(choices: str, said: str) -> None:
    with pytest.raises(ChoiceError, match=said):
        _ = from_name(f"{ARMS}/memory=arm,{choices}").choices


def test_a_proof_for_all_sizes_does_not_speak_of_arm() -> None:
    found = from_name(f"{ARMS}/memory=arm")
    with pytest.raises(SlipError, match="memory=arm is not proved for all sizes"):
        AnySize(found.assembled, found.machine.policy, several=False)


def test_to_take_a_lock_waits_for_no_store() -> None:
    """Those of the thread that are before the last lock that it gave back are in memory all the same."""
    found = from_name(f"{QEMU}/memory=arm,threads=one")
    taken = [found.system.action(step).guard for step in ("reserve(SQ0)", "attempt")]
    waits = any_of(~buffer.drained for buffer in found.machine.buffers if isinstance(buffer, Queue))
    ((_, verdict),) = explicit.check(
        found.system, [always("a lock drains", "litmus", ~(waits & any_of(taken)))]
    ).verdicts
    assert isinstance(verdict, Refuted)


# -- with reductions, by another engine, and in words ------------------------------------------------------------------
def test_reductions_change_no_verdict() -> None:
    found = from_name(f"{SPDK}/memory=arm,cqe_store=release")
    asked = properties(found.machine, found.system)
    plain, reduced = (explicit.check(found.system, asked, reductions=some) for some in (frozenset[str](), REDUCTIONS))
    assert [type(verdict) for _, verdict in plain.verdicts] == [type(verdict) for _, verdict in reduced.verdicts]
    assert reduced.states < plain.states


@pytest.mark.deep
@pytest.mark.parametrize("torn", ["", ",cqe_load=plain,sqe_load=plain"])
def test_each_reduction_and_another_engine_change_nothing(torn: str) -> None:
    found = from_name(f"{SPDK}/memory=arm,cqe_store=release{torn}")
    same(found.system, properties(found.machine, found.system), covers(found.machine, found.system))
    both(found)


@pytest.mark.slow
def test_bounded_model_checking_finds_an_entry_that_is_torn_and_none_that_is_not() -> None:
    torn, whole = (from_name(f"{FEMU}/memory=arm{fenced}") for fenced in ("", ",sqe_load=fenced"))
    for found, said in ((torn, Refuted), (whole, Open)):
        asked = [prop for prop in properties(found.machine, found.system) if prop.name == SQE_WHOLE]
        ((_, verdict),) = bmc.check(found.system, asked, effort=200_000).verdicts
        assert isinstance(verdict, said)


@pytest.mark.deep
@pytest.mark.parametrize("name", [f"{FEMU}/memory=arm", f"{MDEV}/memory=arm,sqe_load=fenced", f"{SCAN}/memory=arm"])
def test_every_engine_agrees(name: str) -> None:
    (checked,) = many.check([from_name(name)], ("safety", "drains"), engine="all")
    assert checked.disagreements == ()
    assert any(isinstance(row.verdict, Refuted) for row in checked.rows) == (name == f"{FEMU}/memory=arm")


def test_a_run_says_who_still_reads_what_old_value() -> None:
    found = from_name(f"{ARMS}/{but(device_load_fence='no')},device_fence_cq=no,device_fence_sq=no")
    asked = [prop for prop in properties(found.machine, found.system) if prop.row == "drains"]
    ((prop, verdict),) = explicit.check(found.system, asked).verdicts
    assert isinstance(verdict, Refuted)
    replay(found.system, verdict.trace, prop)
    said = [line.did for line in story.lines(found.system, verdict.trace)]
    assert [each for each in said if "where it may still be missed" in each]
    torn = from_name(f"{SPDK}/memory=arm,cqe_store=release,sqe_load=plain")
    asked = [prop for prop in properties(torn.machine, torn.system) if prop.name == SQE_WHOLE]
    ((_, verdict),) = explicit.check(torn.system, asked).verdicts
    assert isinstance(verdict, Refuted)
    assert verdict.trace.steps


# -- which orders are needed -------------------------------------------------------------------------------------------
def test_every_order_is_needed_by_some_design() -> None:
    """But for the load fence behind an index: where the words are right, a lock or a full fence stands in its place."""
    on_arm, on_x86, entries = ARM.needed, MEMORY.needed, {"sqe_store", "sqe_load", "cqe_store", "cqe_load"}
    assert {order for needed in on_arm.values() for order in needed} == {*FENCES, "device fence", *entries}
    for name, needed in on_arm.items():
        assert entries <= set(needed)
        assert set(needed) & set(FENCES) == set(on_x86[name]) & set(FENCES)
