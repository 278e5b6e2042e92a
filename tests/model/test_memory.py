"""x86-TSO: litmus tests of the memory itself, and what a fence left out does to the machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from budgets import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pages.orders.table import outcomes
from pages.sheets import MEMORY
from uncork.core.expr import all_of, any_of, variables
from uncork.core.property import InRange, NotForever, always
from uncork.core.sorts import Nat, Ring, SlipError
from uncork.core.system import Action, Guarded, Record, System, say, step, var, when
from uncork.core.verdict import Proved, Refuted
from uncork.decide import many
from uncork.engines import REDUCTIONS, explicit
from uncork_nvme.anysize import AnySize
from uncork_nvme.assembly import assembled, steps
from uncork_nvme.catalogue import DEVICES
from uncork_nvme.choices import ChoiceError, InstanceError
from uncork_nvme.instance import Instance, find_policy, from_name
from uncork_nvme.orders import program
from uncork_nvme.parts.memory import Memory as MemoryPart
from uncork_nvme.parts.reader import Reader
from uncork_nvme.state.actors import Serving
from uncork_nvme.state.machine import Machine
from uncork_nvme.state.memory import Buffer, Queue, Word
from uncork_nvme.state.queues import SQ
from uncork_properties import expected
from uncork_properties.catalogue import ROWS, covers, properties

VALUES = 3
"""Words and registers hold 0, 1 or 2, and are 0 at first."""
Instruction = tuple[str, str]


class Memory(Record):
    def __init__(self, names: Iterable[str]) -> None:
        super().__init__("memory", **{name: var(Ring(VALUES), "a word") for name in sorted(names)})


class Program(Record):
    """A thread: `x=1` stores, `r=x` loads into a register, `fence` waits."""

    def __init__(self, number: int, text: str) -> None:
        self.label, self.code = f"T{number}", [part.strip() for part in text.split(";") if part]
        pairs = [part.partition("=")[::2] for part in self.code if part != "fence"]
        self.stores = [name for name, value in pairs if value.isdecimal()]
        self.loads = {register: word for register, word in pairs if not word.isdecimal()}
        super().__init__(
            f"t{number}",
            at=var(Nat(len(self.code)), "the next instruction"),
            **{register: var(Ring(VALUES), "a register") for register in self.loads},
        )


@step("thread {}")
def run(program: Program, at: int, words: dict[str, Word], memory: Memory, buffers: list[Buffer]) -> Guarded:
    """Runs one instruction."""
    here, onward = program.at == at, program(at=at + 1)
    if program.code[at] == "fence":
        return when(here & all_of(buffer.drained for buffer in buffers), onward)
    target, _, source = program.code[at].partition("=")
    if source.isdecimal():
        return when(here, words[target].store(int(source)), onward)
    seen = words[source].own if source in words else getattr(memory, source)
    return when(here, program(**{target: seen}), onward)


def litmus(
    *texts: str, room: int | None = None, fifo: bool = True, line: bool = False
) -> tuple[System, list[Program], list[Buffer]]:
    """The programs side by side; their buffers have room for all that they store, or for so many stores to a word.

    With `line` a buffer is a queue, which has room for all that a program stores, or for so many stores.
    """
    programs = [Program(number, text) for number, text in enumerate(texts)]
    memory = Memory({name for p in programs for name in [*p.stores, *p.loads.values()]})
    actions, records, every = [], [memory, *programs], []
    for p in programs:
        most = {name: 0 if line else p.stores.count(name) if room is None else room for name in p.stores}
        words = {name: Word(f"{p.name}.{name}", f"{name} of {p.label}", memory, name, most[name], what=name)
                 for name in dict.fromkeys(p.stores)}  # fmt: skip
        buffers = [Buffer(*words.values())] if fifo else [Buffer(word) for word in words.values()]
        if line and words:
            buffers = [Queue(f"{p.name}.line", len(p.stores) if room is None else room, *words.values())]
        actions += [run(p, at, words, memory, buffers) for at in range(len(p.code))]
        actions += [flush for buffer in buffers for flush in buffer.flushes]
        records += [record for buffer in buffers for record in buffer.records]
        every += buffers
    return System("litmus", tuple(v for r in records for v in r.variables), tuple(actions)), programs, every


def possible(outcome: str, *texts: str, room: int | None = None, fifo: bool = True, line: bool = False) -> bool:
    """Whether the programs can all end with these values in their registers; no buffer ever overflows."""
    system, programs, _ = litmus(*texts, room=room, fifo=fifo, line=line)
    ended = all_of(p.at == len(p.code) for p in programs)
    values = dict(part.split("=") for part in outcome.split())
    reached = all_of(getattr(p, register) == int(values[register]) for p in programs for register in p.loads)
    asked = [always("not this", "litmus", ~(ended & reached), say(outcome)), InRange("in range", "litmus", "")]
    (_, found), (_, fits) = explicit.check(system, asked).verdicts
    assert isinstance(fits, Proved)
    return isinstance(found, Refuted)


# -- litmus tests, by their usual names --------------------------------------------------------------------------------
ALLOWED = {
    "SB, store buffering": ("r=0 s=0", "x=1; r=y", "y=1; s=x"),
    "SB with one fence": ("r=0 s=0", "x=1; fence; r=y", "y=1; s=x"),
    "SB with the fence in the wrong place": ("r=0 s=0", "fence; x=1; r=y", "y=1; fence; s=x"),
    "a thread sees its own store early": ("r=1 s=0 t=1 u=0", "x=1; r=x; s=y", "y=1; t=y; u=x"),
    "MP, what it is for": ("r=1 s=1", "x=1; y=1", "r=y; s=x"),
    "CoRR, in order": ("r=1 s=2", "x=1; x=2", "r=x; s=x"),
}
FORBIDDEN = {
    "SB with fences": ("r=0 s=0", "x=1; fence; r=y", "y=1; fence; s=x"),
    "MP, message passing": ("r=1 s=0", "x=1; y=1", "r=y; s=x"),
    "MP with a store behind it": ("r=2 s=0", "x=1; y=1; y=2", "r=y; s=x"),
    "LB, load buffering": ("r=1 s=1", "r=x; y=1", "s=y; x=1"),
    "WRC, a store passed on": ("r=1 s=1 t=0", "x=1", "r=x; y=1", "s=y; t=x"),
    "IRIW, independent reads of independent writes": ("r=1 s=0 t=1 u=0", "x=1", "y=1", "r=x; s=y", "t=y; u=x"),
    "CoRR, coherence": ("r=2 s=1", "x=1; x=2", "r=x; s=x"),
    "CoRR, never back": ("r=1 s=0", "x=1", "r=x; s=x"),
    "a thread does not see its own store late": ("r=0", "x=1; r=x"),
    "nor an older one of its own": ("r=1", "x=1; x=2; r=x"),
}


SPELLINGS = pytest.mark.parametrize("line", [False, True], ids=["by place", "line"])


@SPELLINGS
@pytest.mark.parametrize("test", ALLOWED)
def test_an_outcome_that_tso_allows_is_possible(test: str, line: bool) -> None:
    assert possible(*ALLOWED[test], line=line)


@SPELLINGS
@pytest.mark.parametrize("test", FORBIDDEN)
def test_an_outcome_that_tso_forbids_is_impossible(test: str, line: bool) -> None:
    assert not possible(*FORBIDDEN[test], line=line)


@pytest.mark.parametrize("test", [name for name in ALLOWED if "SB" in name or "early" in name])
def test_a_buffer_of_no_stores_is_sequential_consistency(test: str) -> None:
    assert not possible(*ALLOWED[test], room=0)


def test_a_buffer_that_is_not_fifo_breaks_message_passing() -> None:
    assert possible(*FORBIDDEN["MP, message passing"], fifo=False)


@pytest.mark.parametrize(("text", "room", "fits"), [
    ("x=1; x=2", 2, True), ("x=1; x=2", 1, False), ("x=1; fence; x=2", 1, True),
    ("x=1; y=1", 1, True), ("x=1; y=1; x=2", 2, False), ("x=1; y=1; fence; x=2", 1, True),
])  # fmt: skip
def test_a_store_that_the_buffer_does_not_foresee_is_out_of_range(text: str, room: int, fits: bool) -> None:
    system, *_ = litmus(text, room=room)
    ((_, found),) = explicit.check(system, [InRange("in range", "litmus", "")]).verdicts
    assert isinstance(found, Proved if fits else Refuted)


@pytest.mark.parametrize(("text", "room", "fits"), [
    ("x=1; x=2", 2, True), ("x=1; x=2", 1, False), ("x=1; y=1", 1, False), ("x=1; y=1; x=2", 3, True),
    ("x=1; y=1; x=2", 2, False), ("x=1; fence; y=1; fence; x=2", 1, True), ("x=1; x=1; y=1", 2, True),
])  # fmt: skip
def test_a_line_takes_stores_in_any_order_as_far_as_it_has_room(text: str, room: int, fits: bool) -> None:
    system, *_ = litmus(text, room=room, line=True)
    ((_, found),) = explicit.check(system, [InRange("in range", "litmus", "")]).verdicts
    assert isinstance(found, Proved if fits else Refuted)


Code = tuple[tuple[str, ...], ...]


def by_the_book(codes: Code) -> set[tuple[int, ...]]:
    """What the registers can hold at the end, by the rules of Sewell et al. word for word: a queue for each thread."""
    found: set[tuple[int, ...]] = set()
    start = (dict[str, int](), dict[str, int](), ((0, ()),) * len(codes))
    seen, todo = set(), [start]
    while todo:
        memory, registers, threads = todo.pop()
        key = (tuple(sorted(memory.items())), tuple(sorted(registers.items())), threads)
        if key in seen:
            continue
        seen.add(key)
        if all(at == len(code) for (at, _), code in zip(threads, codes, strict=True)):
            found.add(tuple(registers[name] for name in sorted(registers)))
        for k, (at, queue) in enumerate(threads):

            def moved(at: int, queue: tuple[tuple[str, int], ...], k: int = k, threads: Any = threads) -> Any:
                return (*threads[:k], (at, queue), *threads[k + 1 :])

            if queue:
                todo.append((memory | dict(queue[:1]), registers, moved(at, queue[1:])))
            if at < len(codes[k]):
                target, _, source = codes[k][at].partition("=")
                if target == "fence":
                    if not queue:
                        todo.append((memory, registers, moved(at + 1, queue)))
                elif source.isdecimal():
                    todo.append((memory, registers, moved(at + 1, (*queue, (target, int(source))))))
                else:
                    value = dict(queue).get(source, memory.get(source, 0))
                    todo.append((memory, registers | {target: value}, moved(at + 1, queue)))
    return found


def by_the_model(codes: Code, *, line: bool) -> set[tuple[int, ...]]:
    """The same by the primitive that the machine uses."""
    system, programs, _ = litmus(*("; ".join(code) for code in codes), line=line)
    registers = sorted(f"{p.name}.{r}" for p in programs for r in p.loads)
    found, seen, todo = set(), set(), [system.initial]
    while todo:
        state = todo.pop()
        if (key := tuple(state.values())) in seen:
            continue
        seen.add(key)
        assert not system.strays(state)
        if all(state[f"{p.name}.at"] == len(p.code) for p in programs):
            found.add(tuple(state[name] for name in registers))
        todo += [system.after(state, action) for action in system.enabled(state)]
    return found


@st.composite
def codes(draw: st.DrawFn, *, ordered: bool) -> Code:
    """Two threads with two words of their own, stored to in their order if `ordered`; loads of any word; fences."""
    threads = []
    for k, own in enumerate(("ab", "cd")):
        words = draw(st.lists(st.sampled_from(own), max_size=3))
        words = sorted(words) if ordered else words
        code = [f"{word}={draw(st.integers(0, 2))}" for word in words]
        extra = [f"r{k}{n}={word}" for n, word in enumerate(draw(st.lists(st.sampled_from("abcd"), max_size=3)))]
        for each in [*extra, *draw(st.lists(st.just("fence"), max_size=1))]:
            code.insert(draw(st.integers(0, len(code))), each)
        threads.append(tuple(code))
    return tuple(threads)


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(codes(ordered=True))
def test_the_memory_by_place_is_that_of_the_book(codes: Code) -> None:
    assert by_the_model(codes, line=False) == by_the_book(codes)


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(codes(ordered=False))
def test_the_memory_in_line_is_that_of_the_book(codes: Code) -> None:
    assert by_the_model(codes, line=True) == by_the_book(codes)


@pytest.mark.slow
@settings(max_examples=examples(100), deadline=None)
@given(codes(ordered=False))
def test_programs_under_tso_end_as_with_the_buffers_of_the_machine(codes: Code) -> None:
    texts = ["; ".join("fence full" if each == "fence" else each for each in code) for code in codes]
    registers = sorted(name for name, _, word in (each.partition("=") for code in codes for each in code)
                       if word and not word.isdecimal())  # fmt: skip
    assert outcomes(program.litmus(texts, "tso"), registers) == by_the_model(codes, line=True)


@SPELLINGS
def test_every_store_arrives(line: bool) -> None:
    """Because it is owed to the step that empties a buffer; without that step, one waits for ever."""
    system, _, (buffer,) = litmus("x=1; y=1", line=line)
    waits = NotForever("arrives", "litmus", "", ~buffer.drained, say("a store waits for ever"))
    idle = System("idle", system.variables, tuple(a for a in system.actions if a.family != "flush"))
    assert isinstance(explicit.check(system, [waits]).verdicts[0][1], Proved)
    assert isinstance(explicit.check(idle, [waits]).verdicts[0][1], Refuted)


# -- the machine -------------------------------------------------------------------------------------------------------
PROPOLIS, ARMS = "propolis-2026/linux/tail-lag/n1-sq3-cq3", "arm-recheck/linux/arm-on-cork/n1-sq3-cq3"
SPDK, MDEV, OPENVMM = (
    "spdk-interrupt/linux/never/n1-sq2-cq2",
    "nvme-mdev/linux/half/n1-sq2-cq2",
    ("openvmm/linux/head-when-full/n1-sq2-cq2"),
)
QEMU, BARRIERS = "qemu/linux/head/n1-sq2-cq2", "memory=tso,threads=one,device_locks=no"
LIVE = dict.fromkeys(ROWS, "proved")
LOST = {"safety": "proved", "uncorked": "refuted", "drains": "refuted"}

MUSEUM = {
    # The guest's load of EventIdx passes its store of the shadow index: Linux before f1ed3df2 (2018), SPDK before
    # 7188bb99 (2019). The fix is the fence.
    f"{PROPOLIS}/memory=tso,guest_fence=no": LOST,
    f"{PROPOLIS}/memory=tso": LIVE,
    "propolis-2026/spdk/tail-lag/n1-sq3-cq3/memory=tso,guest_fence=no": LOST,
    "propolis-2026/spdk/tail-lag/n1-sq3-cq3/memory=tso": LIVE,
    # The same from the other side: a device that arms, and looks again without a fence before it corks.
    f"{ARMS}/memory=tso,device_fence_cq=no": LOST,
    f"{ARMS}/memory=tso": LIVE,
    # What it looks at after SQ EventIdx it looks at once more, in the next pop, behind the lock that this takes.
    f"{ARMS}/memory=tso,device_fence_sq=no": LIVE,
    f"{PROPOLIS}/memory=tso,backend=detached-repoll": LIVE,
    # A device that sleeps on the read after SQ EventIdx: vfio_user.c set_sq_eventidx, vsq.c nvme_mdev_vsq_suspend_io.
    f"{SPDK}/memory=tso": LIVE,
    f"{SPDK}/memory=tso,device_fence_sq=no": LOST,
    f"{MDEV}/memory=tso": LIVE,
    f"{MDEV}/memory=tso,device_fence_sq=no": LOST,
    # The barrier before each DMA access: dma.h dma_barrier.
    f"{QEMU}/{BARRIERS}": LIVE,
    f"{QEMU}/{BARRIERS},device_fence_sq=no": LOST,
    f"{QEMU}/{BARRIERS},device_fence_cq=no": {**LIVE, "drains": "refuted"},
    # One fence for both EventIdx: queue.rs probe_inner. A look after each completion makes up for that at the SQ.
    f"{OPENVMM}/memory=tso": LIVE,
    f"{OPENVMM}/memory=tso,device_fence_sq=no": LIVE,
    f"{OPENVMM}/memory=tso,device_fence_sq=no,backend=detached": LOST,
    f"{OPENVMM}/memory=tso,device_fence_cq=no": {**LIVE, "drains": "refuted"},
    # Propolis's locks stand where others have fences.
    f"{PROPOLIS}/memory=tso,threads=one": LIVE,
    f"{PROPOLIS}/memory=tso,threads=one,device_locks=no": LOST,
}


@pytest.mark.parametrize("name", MUSEUM)
def test_a_fence_left_out_has_the_verdicts_that_are_known(name: str) -> None:
    found = from_name(name)
    for prop, verdict in explicit.check(found.system, properties(found.machine, found.system)).verdicts:
        said = {"proved": Proved, "refuted": Refuted}[MUSEUM[name].get(prop.row, "refuted")]
        assert isinstance(verdict, said), prop.name


FENCES = "guest_fence=no,device_fence_sq=no,device_fence_cq=no"


@pytest.mark.parametrize("name", [PROPOLIS, ARMS])
def test_under_sequential_consistency_no_fence_matters_and_nothing_waits(name: str) -> None:
    plain, unfenced = from_name(name).system, from_name(f"{name}/{FENCES}").system
    assert plain.fingerprint() == unfenced.fingerprint()
    assert not [a for a in plain.actions if a.family == "flush"]


def test_all_sequentially_consistent_runs_are_runs_under_tso() -> None:
    """What hangs, hangs; and stores do wait, or a proof says little."""
    found = from_name("propolis-2025/linux/tail/n1-sq3-cq3/memory=tso")
    outcome = explicit.check(found.system, properties(found.machine, found.system), covers(found.machine, found.system))
    assert {p.row for p, v in outcome.verdicts if isinstance(v, Refuted)} >= {"uncorked", "drains"}
    assert outcome.unreached == ()


def test_a_proof_for_all_sizes_does_not_speak_of_tso() -> None:
    found = from_name(f"{ARMS}/memory=tso")
    with pytest.raises(SlipError, match="memory=tso is not proved for all sizes"):
        AnySize(found.assembled, found.machine.policy, several=False)
    AnySize(from_name(ARMS).assembled, found.machine.policy, several=False)


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_every_device_runs_and_no_store_lacks_room(device: str) -> None:
    found = Instance(device, "linux", DEVICES[device].policy, 1, 2, 2, {"memory": "tso"})
    safety = [prop for prop in properties(found.machine, found.system) if isinstance(prop, InRange)]
    outcome = explicit.check(found.system, safety, [each for each in covers(found.machine, found.system)
                                                    if each.name == "delays a store"])  # fmt: skip
    assert safety and all(isinstance(verdict, Proved) for _, verdict in outcome.verdicts)
    assert not outcome.unreached


LINED_UP = [
    *("cq_full=queue,backend=detached", "threads=one", "cork=self-kick", "poll=yes", "sq_arm=idle", "sq_arm=never"),
    *("sq_event=tail", "sq_event=tail-1", "sq_reread=no", "sq_read=wake", "serve=all", "cork=arm-recheck-corked"),
    *("threads=one,device_locks=no,cork=park", "threads=one,device_locks=no,backend=detached", "workers=2,serve=all"),
    "notify=lost-bits,workers=2",
]


@pytest.mark.parametrize("choices", LINED_UP)
@pytest.mark.parametrize("fences", ["yes", "no"])
def test_no_choice_makes_more_stores_wait_than_there_is_room_for(choices: str, fences: str) -> None:
    found = from_name(f"arm-recheck/linux/arm-on-cork/n1-sq2-cq2/memory=tso,{choices},"
                      f"device_fence_sq={fences},device_fence_cq={fences}")  # fmt: skip
    safety = [prop for prop in properties(found.machine, found.system) if isinstance(prop, InRange)]
    assert all(isinstance(v, Proved) for _, v in explicit.check(found.system, safety, reductions=REDUCTIONS).verdicts)


def test_threads_that_share_a_word_take_a_lock() -> None:
    with pytest.raises(ChoiceError, match="device_locks=no is of a device with one thread: set threads=one"):
        _ = from_name(f"{ARMS}/memory=tso,device_locks=no").choices
    assert from_name(f"{ARMS}/device_locks=no").choices.memory == "sc"


EVENTS = "delete+create", "config", "create", "reset", "restart", "recreate", "pause"
LIVELY = [f"{device}/n1-sq2-cq2" for device in ("arm-recheck/linux/arm-on-cork", "spdk-interrupt/linux/never")]


@pytest.mark.slow
@pytest.mark.parametrize("event", [*EVENTS[:2], *(pytest.param(each, marks=pytest.mark.deep) for each in EVENTS[2:])])
def test_with_every_fence_an_event_does_what_it_does_without_store_buffers(event: str) -> None:
    names = [f"{design}/events={event}{memory}" for design in LIVELY for memory in ("", ",memory=tso")]
    found = [[row.verdict.word for row in each.rows] for each in many.check([from_name(name) for name in names])]
    assert found[::2] == found[1::2]


def test_a_guest_without_its_fence_hangs_as_queues_come_and_go() -> None:
    (checked,) = many.check([from_name(f"{LIVELY[1]}/events=delete+create,memory=tso,guest_fence=no")], ["drains"])
    assert [row.verdict.word for row in checked.rows] == ["refuted"]


def test_an_event_waits_for_the_stores_to_words_that_it_changes() -> None:
    machine = from_name(f"{LIVELY[1]}/events=delete+create+pause,memory=tso,guest_fence=no").machine
    steps = {action.family: action for action in machine.parts.life.steps(machine)}
    waiting = {each.name for buffer in machine.buffers for record in buffer.records for each in record.variables}
    assert waiting & {str(each.value) for each in variables(steps["delete_sq"].guard)}
    assert not waiting & {str(each.value) for each in variables(steps["pause"].guard)}


@pytest.mark.parametrize("kept", ["words=keep,events=recreate", "on_reset=keep,events=reset"])
def test_words_of_before_an_event_are_refused(kept: str) -> None:
    with pytest.raises(ChoiceError, match="described with memory=sc only: set words=clear"):
        _ = from_name(f"{LIVELY[1]}/memory=tso,{kept}").choices


def test_one_thread_has_one_buffer_and_a_worker_of_all_sqs_has_one() -> None:
    def buffers(name: str) -> list[str]:
        machine = from_name(name).machine
        return [record.name for buffer in machine.buffers for record in buffer.records if record.name.count("stores")]

    assert buffers("spdk-interrupt/linux/never/n2-sq2-cq2/memory=tso") == ["device.stores"]
    assert buffers("qemu/linux/head/n2-sq2-cq2/memory=tso,threads=one") == ["device.stores"]
    assert buffers("qemu/linux/head/n1-sq2-cq2/memory=tso") == ["sq0.worker.stores", "poster.stores"]
    assert buffers("propolis-2026-shared/linux/tail-lag/n2-sq2-cq2/memory=tso") == ["worker.stores"]
    assert buffers(f"{ARMS}/memory=tso") == []


@pytest.mark.parametrize(("choices", "said"), [("memory=tso,threads=one", Proved), (BARRIERS, Refuted)])
def test_a_lock_waits_for_all_stores_of_the_thread(choices: str, said: type) -> None:
    found = from_name(f"{QEMU}/{choices}")
    taken = [found.system.action(step).guard for step in ("reserve(SQ0)", "attempt")]
    waits = any_of(~buffer.drained for buffer in found.machine.buffers if isinstance(buffer, Queue))
    asked = [always("a lock drains", "litmus", ~(waits & any_of(taken)))]
    assert isinstance(explicit.check(found.system, asked).verdicts[0][1], said)


@pytest.mark.parametrize("name", [
    *(f"{PROPOLIS}/memory=tso", f"{PROPOLIS}/memory=tso,backend=detached-repoll", f"{ARMS}/memory=tso"),
    *(f"{ARMS}/memory=tso,device_fence_cq=no", f"{ARMS}/memory=tso,device_fence_sq=no,backend=detached"),
])  # fmt: skip
def test_the_two_spellings_agree_where_the_order_is_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lined-up machine has as many states, too: what waits is the same."""

    def decided() -> tuple[list[type], int]:
        instance = Instance(**from_name(name).parts)  # of which no machine was made yet
        outcome = explicit.check(instance.system, properties(instance.machine, instance.system))
        return [type(verdict) for _, verdict in outcome.verdicts], outcome.states

    by_place = decided()
    monkeypatch.setattr(MemoryPart, "_by_place", False)
    assert decided() == by_place


# -- a part of one's own -----------------------------------------------------------------------------------------------
@step("worker {}")
def scribble(m: Machine, q: SQ, w: Serving) -> Guarded:
    """Stores EventIdx past the buffer."""
    return when(w.at == "arm", q(event=q.head))


class Scribbles(Reader):
    """A reader that has one more step."""

    def steps(self, m: Machine, q: SQ, w: Serving) -> Iterator[Action]:
        yield from super().steps(m, q, w)
        yield scribble(m, q, w)


class Twice(Reader):
    """A reader of one's own whose order of stores nobody knows."""


def test_a_part_of_ones_own_has_a_line_and_its_stores_go_through_it() -> None:
    def made(part: type[Reader]) -> Machine:
        choices = from_name(f"{ARMS}/memory=tso").choices
        return Machine(assembled(choices, [part]), find_policy("tail-1"), 1, 2, 2)

    machine = made(Twice)
    assert any(isinstance(buffer, Queue) for buffer in machine.buffers)
    assert list(steps(machine))
    with pytest.raises(InstanceError, match=r"scribble.* stores to sq0\.event past the store buffer of its thread"):
        list(steps(made(Scribbles)))


# -- which fences are needed -------------------------------------------------------------------------------------------
def test_every_fence_is_needed_by_some_design() -> None:
    """The device's at SQ EventIdx by those that sleep on the read after it, which Propolis's workers do not."""
    words = {name: expected.word(each.verdicts) for name, (_, each) in MEMORY.recorded.items()}
    rows = [{column: words[MEMORY.cell(row, column).name] for column in MEMORY.columns} for row in MEMORY.rows]
    needed = {column for row in rows for column in row if row["all fences"] == "live" and row[column] != "live"}
    assert needed == {"no guest_fence", "no device_fence_sq", "no device_fence_cq", "no device fence"}


@pytest.mark.slow
@pytest.mark.parametrize(("fence", "said"), [("yes", Proved), ("no", Refuted)])
def test_the_fence_at_a_post_is_needed_with_two_sqs(fence: str, said: type) -> None:
    """Where nobody looks after a completion: the read that follows EventIdx is what finds the room, and kicks."""
    design = "arm-recheck/linux/tail-1/n2-sq2-cq2/backend=detached,cork=park"
    found = from_name(f"{design},memory=tso,device_fence_cq={fence}")
    asked = [prop for prop in properties(found.machine, found.system) if prop.row == "uncorked"]
    outcome = explicit.check(found.system, asked, reductions=REDUCTIONS)
    assert all(isinstance(verdict, said) for _, verdict in outcome.verdicts)
