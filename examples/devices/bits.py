"""A device with a lemma of its own: a notification finds a sleeping worker by a bit that the worker sets.

    uncork prove head --device examples/devices/bits.py:mine --sqs one

proves it for every queue size with one SQ; with `--sqs two` or `three` it is proved, too. Without the lemma the proof
does not know that a sleeping worker has its bit set.
"""

from uncork_nvme import DEVICES, Bool, Spent, Worker, all_of, any_of, ite, lemma, var


class Bitten(Worker):
    """A worker with a bit, which it sets as it falls asleep and clears as it wakes up."""

    def __init__(self, sq, number, of, places=()):
        super().__init__(sq, number, of, places, bit=var(Bool(), "a notification finds it asleep", True))

    def wakes(self):
        """What changes as the worker wakes up."""
        return super().wakes() | self(bit=False)

    def leaves(self):
        """What changes as the worker falls asleep."""
        return super().leaves() | self(bit=True)


class Bits(Spent):
    """Notifications look at the bit of a worker, and are spent if it is not set."""

    def worker(self, name, number):
        """One worker of an SQ."""
        return Bitten(name, number, self.chosen.workers, self.parts.places)

    def delivered(self, q, condition):
        """What a notification changes as it reaches the SQ's worker, if the condition holds."""
        return q(wakeups=ite(condition & any_of(w.bit for w in q.workers), 1, q.wakeups))


@lemma
def the_bit_says_who_sleeps(m, q):
    """A worker's bit is set while the worker sleeps, and only then."""
    return all_of(w.bit == w.asleep for w in q.workers)


mine = DEVICES["arm-recheck"].but(
    "bits", "The design arm-recheck, with a bit for each worker that sleeps.", {Bits: {}}, source="an example"
)
