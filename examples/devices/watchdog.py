"""A device with steps and variables of its own: a watchdog wakes an SQ that is corked for long.

    uncork check --device examples/devices/watchdog.py:mine --guest linux --sqs 1

Propolis of 2025 hangs, since nobody looks at the CQ again. With a watchdog it does not.
"""

from uncork_nvme import DEVICES, Bool, Park, notified, step, var, when


class Watchdog(Park):
    """An SQ that finds no room is parked, and a timer is started, which wakes it."""

    def of_sq(self, size, cq_size, sqs):
        """The variables that each SQ has besides those of the machine."""
        return {"timer": var(Bool(), "the watchdog of the SQ runs")}

    def also(self, q):
        """What else happens as an SQ is parked."""
        return [*super().also(q), q(timer=True)]

    def steps(self, m, q, w):
        """The steps of a worker that finds no room, and of the watchdog."""
        yield from super().steps(m, q, w)
        yield expire(m, q, w)


@step("watchdog {}")
def expire(m, q, w):
    """The time is up: the SQ is looked at again, if it is still corked."""
    woken = notified(q, q.corked)
    return when(q.timer, q(timer=False, corked=False), woken).says(f"{q.label} was corked for long: wakes its worker")


mine = DEVICES["propolis-2025"].but(
    "watchdog", "Propolis of 2025 with a watchdog for each corked SQ.", {Watchdog: {}}, source="an example"
)
