"""A proof as files for other solvers: its obligations in SMT-LIB 2, one file for each family.

A checker does not trust the files. It generates the obligations again from its own model, compares them with the files,
and asks the solvers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from uncork.core.questions.argument import Argument, Lemma
from uncork.core.sorts import did_you_mean
from uncork.engines.deductive import buffered
from uncork.engines.deductive.obligations import Obligation, everything, ranges
from uncork.engines.deductive.smtlib import script

SOLVERS = ("z3", "cvc5")
"""The solvers that can check a certificate, by the names of their Python packages."""


def files(argument: Argument, kept: Sequence[str], without: frozenset[str] = frozenset()) -> Mapping[str, str]:
    """The files of a proof from the lemmas in `kept`: text by file name.

    Obligations `of` a property in `without` are left out. Raises `LookupError` for a lemma that the argument does not
    have, or for a property without obligations.
    """
    known = {lemma.name: lemma for lemma in [*argument.lemmas, *ranges(argument)]}
    for name in kept:
        if name not in known:
            raise LookupError(f"there is no lemma {name!r}{did_you_mean(name, known)}")
    lemmas: list[Lemma] = [known[name] for name in kept]
    families: dict[str, list[Obligation]] = {}
    obligations = [*everything(argument, lemmas), *buffered.everything(argument, lemmas)]
    for name in without.difference(each.of for each in obligations):
        raise LookupError(f"no obligation is of a property {name!r}")
    for each in obligations:
        if each.of not in without:
            families.setdefault(each.family, []).append(each)
    return {f"{family.replace(' ', '-')}.smt2": script(argument, lemmas, wanted) for family, wanted in families.items()}


@dataclass(frozen=True)
class Answer:
    """The answer of a solver to an obligation: `unsat` if the obligation is proved."""

    obligation: str
    said: str


def ask(solver: str, text: str) -> list[Answer]:
    """The answers of a solver to the text of a file. Raises `ImportError` if the solver is not installed."""
    lines = [line.strip().strip('"') for line in (_z3(text) if solver == "z3" else _cvc5(text))]
    lines = [line for line in lines if line]
    return [Answer(name, said) for name, said in zip(lines[::2], [*lines[1::2], "nothing"], strict=False)]


def asked(text: str) -> list[str]:
    """The names of the obligations in a file."""
    return [line[len('(echo "') : -len('")')] for line in text.splitlines() if line.startswith('(echo "')]


def version(solver: str) -> str:
    """The version of a solver."""
    if solver == "z3":
        import z3

        return str(z3.get_version_string())
    import cvc5

    return str(cvc5.__version__)


def _z3(text: str) -> list[str]:
    import z3

    context = z3.Context()  # must live until the answer is read
    return str(z3.Z3_eval_smtlib2_string(context.ref(), text)).splitlines()


def _cvc5(text: str) -> Iterator[str]:
    import cvc5

    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("incremental", "true")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "certificate")
    while not (command := parser.nextCommand()).isNull():
        yield from str(command.invoke(solver, parser.getSymbolManager())).splitlines()
