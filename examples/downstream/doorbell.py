"""The EventIdx of our device: what it asks the guest for after it has posted a completion."""

from uncork_nvme import ite


def event_idx(cq):
    """One behind the tail while there is a permit for every SQ, else the head."""
    return ite(cq.permits >= cq.sqs, cq.tail - 1, cq.head)


def before_the_fix(cq):
    """The tail, as we had it: a guest that drains the CQ rings for nothing. Kept to see that the check still fails."""
    return cq.tail
