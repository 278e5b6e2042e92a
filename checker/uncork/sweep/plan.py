"""A sweep: many independent instances, their verdicts in the file, and the searches that are left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from uncork_nvme.instance import Instance

from uncork import __version__
from uncork.decide import many
from uncork.decide.processes import Died
from uncork.engines import Budget
from uncork.sweep.store import Store, StoredVerdict, best, contradictions
from uncork.sweep.workers import Results, Task


@dataclass(frozen=True)
class Asked:
    """The question asked of every instance. `recheck` searches again what another engine or version decided."""

    rows: tuple[str, ...]
    budget: Budget
    engine: str = "explicit"
    recheck: bool = False


@dataclass(frozen=True)
class Known:
    """An instance, its system's fingerprint, and the best known verdict on every property."""

    instance: Instance
    fingerprint: str
    verdicts: dict[str, StoredVerdict]


class Sweep:
    """Instances and a file. Results are written to the file as they are found; all output is read from the file."""

    def __init__(self, store: Store, instances: Sequence[Instance], asked: Asked) -> None:
        self.store, self.instances, self.asked = store, instances, asked
        self.fingerprints = [many.fingerprint(instance) for instance in instances]
        store.name(instances, self.fingerprints)
        self.systems = dict(zip(reversed(self.fingerprints), reversed(instances), strict=True))
        """Maps every fingerprint to its first instance."""
        self.searched = 0
        self.tasks = sorted(self._undecided(), key=lambda task: -many.effort(task.instance))

    def _undecided(self) -> Iterator[Task]:
        for mark, instance in self.systems.items():
            rows = to_ask(self.store.known(mark), self.asked)
            if rows:
                yield Task(replace(instance), mark, rows, self.asked.budget, self.asked.engine)

    def go(self, run: Callable[[Sequence[Task]], Results]) -> None:
        """Searches undecided instances and commits each result at once. Raises `KeyboardInterrupt` after Ctrl-C."""
        with closing(run(self.tasks)) as results:
            for task, result in results:
                if isinstance(result, Died):
                    self.store.lost(task.fingerprint, task.instance, task.rows, task.engine, result.times)
                elif result.outcome.stopped:
                    continue
                else:
                    self.store.record(task.fingerprint, result, task.engine, task.budget)
                self.searched += 1

    def known(self) -> list[Known]:
        """Yields what is known about the properties asked for of every instance."""
        verdicts = {mark: best(self.store.known(mark)) for mark in self.systems}
        return [
            Known(instance, mark, {row: verdicts[mark][row] for row in self.asked.rows if row in verdicts[mark]})
            for instance, mark in zip(self.instances, self.fingerprints, strict=True)
        ]

    def contradictions(self) -> list[tuple[str, str]]:
        """Yields contradictions: the instance, and a sentence."""
        return [(i.name, each) for mark, i in self.systems.items() for each in contradictions(self.store.known(mark))]


def to_ask(known: Sequence[StoredVerdict], asked: Asked) -> tuple[str, ...]:
    """Returns the properties to search: undecided ones, unless the same search with this budget left them open."""

    def same(found: StoredVerdict) -> bool:
        return (found.engine, found.version) == (asked.engine, __version__)

    def worth(row: str) -> bool:
        of_it = [found for found in known if found.row == row and (same(found) or not asked.recheck)]
        return not any(found.decided or (same(found) and not found.might_go_further(asked.budget)) for found in of_it)

    return tuple(row for row in asked.rows if worth(row))
