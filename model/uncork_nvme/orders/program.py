"""Programs of a few loads and stores side by side, as systems that any engine decides.

A program is text: `x=1` stores and `r=x` loads, `x=1 release`, `r=x acquire` and `r=x acquire-pc` with an order (STLR,
LDAR and LDAPR); `until x=1` loads again and again until it reads that; `fence full`, `fence ld` and `fence st` are DMB
SY, DMB LD and DMB ST, `fence release` and `fence acquire` those of C++ and Rust; `lock l` and `unlock l`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from uncork.core.expr import Expr, all_of, ite
from uncork.core.property import Always, always
from uncork.core.sorts import Nat, Ring, SlipError, did_you_mean
from uncork.core.system import Action, Guarded, Record, System, say, step, var, when

from uncork_nvme.orders.arm import Accesses, Arm, Choice
from uncork_nvme.orders.tso import Tso

VALUES = 3
"""Words and registers hold 0, 1 or 2, and are 0 at first."""

MEMORIES = ("sc", "tso", "arm")
"""Sequential consistency, x86-TSO and Arm."""

_FENCES = ("full", "ld", "st", "release", "acquire")
_ORDERS = {"store": ("", "release"), "load": ("", "acquire", "acquire-pc"), "until": ("", "acquire", "acquire-pc")}


@dataclass(frozen=True)
class Instruction:
    """One instruction: `kind` is store, load, until, fence, lock or unlock; `word` is the kind of a fence."""

    kind: str
    word: str
    order: str = ""
    value: int = 0
    register: str = ""

    @property
    def weaker(self) -> Instruction | None:
        """The instruction without its order; None if nothing is left of it."""
        if self.kind in ("fence", "lock", "unlock"):
            return None
        return Instruction(self.kind, self.word, "", self.value, self.register)

    @property
    def orders(self) -> bool:
        """Whether it is there for its order."""
        return self.weaker != self

    def __str__(self) -> str:
        said = {
            "store": f"{self.word}={self.value}",
            "load": f"{self.register}={self.word}",
            "until": f"until {self.word}={self.value}",
        }.get(self.kind, f"{self.kind} {self.word}")
        return f"{said} {self.order}".rstrip()


def parsed(text: str) -> list[Instruction]:
    """The instructions of a program; raises `SlipError` for one that there is not."""
    return [_instruction(part.split()) for part in text.split(";") if part.strip()]


def _instruction(words: Sequence[str]) -> Instruction:
    if len(words) == 2 and words[0] in ("lock", "unlock"):
        return Instruction(words[0], words[1])
    if words[0] == "fence" and len(words) == 2:
        if words[1] not in _FENCES:
            raise SlipError(f"no such fence: {words[1]}{did_you_mean(words[1], _FENCES)}")
        return Instruction("fence", words[1])
    again, rest = words[0] == "until", words[words[0] == "until" :]
    target, equals, source = rest[0].partition("=") if rest else ("", "", "")
    kind = "until" if again else "store" if source.isdecimal() else "load"
    order = " ".join(rest[1:])
    if not (target and equals and source) or order not in _ORDERS[kind] or (again and not source.isdecimal()):
        raise SlipError(f"{' '.join(words)!r} is no instruction: write x=1, r=x, r=x acquire, until x=1 or fence full")
    if kind == "load":
        return Instruction(kind, source, order, register=target)
    if int(source) >= VALUES:
        raise SlipError(f"{rest[0]}: a word holds less than {VALUES}")
    return Instruction(kind, target, order, int(source))


class Program(Record):
    """A thread: where it stands in its code, and its registers."""

    def __init__(self, label: str, code: Sequence[Instruction]) -> None:
        self.label, self.code = label, code
        registers = [each.register for each in code if each.register]
        super().__init__(
            label,
            at=var(Nat(len(code)), "the next instruction"),
            **{register: var(Ring(VALUES), "a register") for register in dict.fromkeys(registers)},
        )

    @property
    def accesses(self) -> Accesses:
        """What it stores to and loads."""
        return Accesses(
            [each.word for each in self.code if each.kind in ("store", "unlock")],
            {each.word for each in self.code if each.kind in ("load", "until")},
        )

    @property
    def ended(self) -> Expr:
        """Whether it is at its end."""
        return self.at == len(self.code)


@step("{}", of="run")
def run(program: Program, at: int, choice: int, command: Guarded) -> Guarded:
    """Runs one instruction."""
    return command


class Litmus:
    """Programs side by side in one of the `MEMORIES`, as a `system`.

    `room` is how many stores Arm's memory keeps that not all have seen: by default all. The threads are called T0, T1
    and so on, unless they have `names`.
    """

    def __init__(
        self,
        codes: Sequence[Sequence[Instruction]],
        memory: str,
        *,
        room: int | None = None,
        names: Sequence[str] = (),
    ) -> None:
        called = names or [f"T{number}" for number in range(len(codes))]
        self.programs = [Program(name, code) for name, code in zip(called, codes, strict=True)]
        threads = {program.label: program.accesses for program in self.programs}
        locks = sorted({each.word for code in codes for each in code if each.kind == "lock"})
        if memory not in MEMORIES:
            raise SlipError(f"no such memory: {memory}{did_you_mean(memory, MEMORIES)}")
        self.memory: Arm | Tso
        if memory == "arm":
            self.memory = Arm(threads, VALUES, locks=locks, room=room)
        else:
            self.memory = Tso(threads, VALUES, locks=locks, buffered=memory == "tso")
        actions = [action for program in self.programs for action in self._steps(program)]
        records = [*self.memory.records, *self.programs]
        self.system = System(
            "litmus", tuple(v for record in records for v in record.variables), (*actions, *self.memory.steps)
        )

    def _steps(self, program: Program) -> Iterator[Action]:
        for at, instruction in enumerate(program.code):
            for number, choice in enumerate(self._choices(program.label, instruction)):
                yield run(program, at, number, self._command(program, at, choice))

    def _choices(self, name: str, instruction: Instruction) -> Iterator[Choice]:
        kind, word, order = instruction.kind, instruction.word, instruction.order
        match kind:
            case "store":
                return self.memory.store(name, word, instruction.value, order)
            case "load" | "until":
                return self.memory.load(name, word, order)
            case "fence":
                return self.memory.fence(name, word)
            case "lock":
                return self.memory.lock(name, word)
            case _:
                return self.memory.unlock(name, word)

    def _command(self, program: Program, at: int, choice: Choice) -> Guarded:
        instruction, onward = program.code[at], program(at=at + 1)
        if instruction.kind == "load":
            onward |= program(**{instruction.register: choice.value})
        elif instruction.kind == "until":
            onward = program(at=ite(choice.value == instruction.value, at + 1, program.at))
        command = when((program.at == at) & choice.guard, onward, choice.updates)
        if instruction.kind not in ("load", "until"):
            return command.says(str(instruction))
        newest = self.memory.value(instruction.word)
        return command.says(f"{instruction}: reads {{}}", choice.value).but_where(
            ~(choice.value == newest), f"{instruction}: reads {{}}, and memory holds {{}}", choice.value, newest
        )

    @property
    def ended(self) -> Expr:
        """Whether every program is at its end and every store in memory."""
        return all_of(program.ended for program in self.programs) & self.memory.settled

    @property
    def registers(self) -> Mapping[str, Expr]:
        """The registers of all programs, and the words in memory, by name."""
        codes = [(program, each) for program in self.programs for each in program.code]
        words = sorted({each.word for _, each in codes if each.kind in _ORDERS})
        read = {each.register: getattr(program, each.register) for program, each in codes if each.register}
        return read | {word: self.memory.value(word) for word in words}

    def holds(self, outcome: str) -> Expr:
        """Whether all has ended with these values, such as `r=1 x=2`."""
        asked = [part.partition("=")[::2] for part in outcome.split()]
        unknown = [name for name, _ in asked if name not in self.registers]
        if unknown:
            raise SlipError(f"no such register or word: {unknown[0]}{did_you_mean(unknown[0], self.registers)}")
        return self.ended & all_of(self.registers[name] == int(value) for name, value in asked)

    def never(self, outcome: str) -> Always:
        """The property that the programs do not end with these values."""
        return always(f"not {outcome}", "outcome", ~self.holds(outcome), say(f"all has ended with {outcome}"))


def litmus(texts: Sequence[str], memory: str, room: int | None = None) -> Litmus:
    """The programs of these texts side by side."""
    return Litmus([parsed(text) for text in texts], memory, room=room)
