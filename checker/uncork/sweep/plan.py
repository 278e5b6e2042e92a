"""A sweep: many independent instances, what the file knows of them, and what is still to be searched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from uncork_nvme.instance import Instance

from uncork import __version__
from uncork.decide import many
from uncork.engines import Budget
from uncork.sweep.store import Store, StoredVerdict, best, contradictions
from uncork.sweep.workers import Died, Results, Task


@dataclass(frozen=True)
class Asked:
    """What is asked of each instance; `recheck` asks again what another engine or version has decided."""

    rows: tuple[str, ...]
    budget: Budget
    engine: str = "explicit"
    recheck: bool = False


@dataclass(frozen=True)
class Known:
    """An instance, its system, and of each property the verdict that counts, as far as there is one."""

    instance: Instance
    fingerprint: str
    verdicts: dict[str, StoredVerdict]


class Sweep:
    """Instances and a file; what is searched is written there as it ends, and all that is told is read from there."""

    def __init__(self, store: Store, instances: Sequence[Instance], asked: Asked) -> None:
        self.store, self.instances, self.asked = store, instances, asked
        self.fingerprints = [many.fingerprint(instance) for instance in instances]
        store.name(instances, self.fingerprints)
        self.systems = dict(zip(reversed(self.fingerprints), reversed(instances), strict=True))
        """By fingerprint, the first of its instances."""
        self.searched = 0
        self.tasks = sorted(self._undecided(), key=lambda task: -many.effort(task.instance))

    def _undecided(self) -> Iterator[Task]:
        for mark, instance in self.systems.items():
            rows = to_ask(self.store.known(mark), self.asked)
            if rows:
                yield Task(replace(instance), mark, rows, self.asked.budget, self.asked.engine)

    def go(self, run: Callable[[Sequence[Task]], Results]) -> None:
        """Searches what is undecided, and commits each as it ends; raises `KeyboardInterrupt` at the end of it."""
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
        """What is known of each instance, of the properties that were asked about."""
        verdicts = {mark: best(self.store.known(mark)) for mark in self.systems}
        return [
            Known(instance, mark, {row: verdicts[mark][row] for row in self.asked.rows if row in verdicts[mark]})
            for instance, mark in zip(self.instances, self.fingerprints, strict=True)
        ]

    def contradictions(self) -> list[tuple[str, str]]:
        """What cannot be true at once: the instance, and a sentence."""
        return [(i.name, each) for mark, i in self.systems.items() for each in contradictions(self.store.known(mark))]


def to_ask(known: Sequence[StoredVerdict], asked: Asked) -> tuple[str, ...]:
    """The properties that are worth a search: those not decided, unless the same search with as much left them open."""

    def same(found: StoredVerdict) -> bool:
        return (found.engine, found.version) == (asked.engine, __version__)

    def worth(row: str) -> bool:
        of_it = [found for found in known if found.row == row and (same(found) or not asked.recheck)]
        return not any(found.decided or (same(found) and not found.might_go_further(asked.budget)) for found in of_it)

    return tuple(row for row in asked.rows if worth(row))
