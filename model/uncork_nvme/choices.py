"""What varies between devices and guests: each a named choice with its values and meaning."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import field
from functools import cache
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args, get_origin

from uncork.core.frozen import frozen
from uncork.core.numbers import whole
from uncork.core.sorts import did_you_mean

YES: Final = "yes"
NO: Final = "no"
Yes: TypeAlias = Literal["yes", "no"]
No: TypeAlias = Literal["no", "yes"]
"""A choice that is made unless it is said otherwise; and one that is not."""
Choice: TypeAlias = str | int


class InstanceError(ValueError):
    """Something that was asked for does not exist or does not work; the message says what to write instead."""


class ChoiceError(ValueError):
    """A choice or value that does not exist; the message lists what does."""


MAX_SIZE = 65536
"""The largest queue that NVMe knows, in entries: no more can be submitted, consumed or under way at once."""
MAX_WORKERS = 128
"""Each worker is steps of its own: with more of them a machine takes minutes to build, and no search of it ends."""


def _choice(meaning: str, *joined: str, most: int = 0) -> Any:
    """A choice of what its type names, the default first.

    It may be a number up to `most`; or several values `joined` by +, but for the first, which is the default.
    """
    return {"meaning": meaning, "values": joined, "most": most, "joined": bool(joined)}


_Class = TypeVar("_Class", bound=type)


def _typed(of: _Class) -> _Class:
    """Has each choice take the values that its type names.

    So the types of this module are no text: to evaluate it takes a millisecond, whatever the command.
    """
    for name, type_ in of.__annotations__.items():
        said = getattr(of, name)
        named = [get_args(part) for part in (type_, *get_args(type_)) if get_origin(part) is Literal]
        values = named[0] if named else said["values"]
        setattr(of, name, field(default=values[0] if values else 1, metadata={**said, "values": values}))
    return of


@frozen
@_typed
class GuestChoices:
    """What the guest's driver does: how it submits, consumes, frees, and decides to ring."""

    doorbell_buffer: Literal["on", "off"] = _choice(
        "whether there is a doorbell buffer; off: every move of an index rings its doorbell register"
    )
    submit_batch: int = _choice("guest: most SQEs in one move of the SQ shadow tail", most=MAX_SIZE)
    drain: Literal["all", "any"] | int = _choice(
        "guest: CQEs consumed before the CQ head is published: all; any number; or at most this number",
        most=MAX_SIZE,
    )
    early_free: Yes = _choice(
        "guest: a consumed CQE's command slot is reusable before the CQ head is published; or only after the publish,"
        " and after the doorbell if one is due",
    )
    need_event: Literal["strict", "closed"] = _choice(
        "guest: ring if EventIdx is in [old, new) (NVMe 2.x B.5.1), or in [old, new] (the example of B.5.2)",
    )
    event_look: Literal["after", "before"] = _choice(
        "guest: looks at EventIdx after it has moved a shadow index; or before, and then moves the index"
    )
    cq_head: Literal["told", "kept"] = _choice(
        "guest: tells the device how far it has consumed, by the CQ shadow head or the doorbell; or never"
    )


@frozen
@_typed
class ReaderChoices:
    """How the device learns an SQ's tail, and asks for its doorbell."""

    sq_read: Literal["each", "wake"] = _choice(
        "when the device reads the SQ shadow tail, besides after arming: before it takes each entry; or when a worker"
        " wakes up, which then takes the entries that it knows of",
    )
    sq_arm: Literal["each", "idle", "never"] = _choice(
        "when the device writes SQ EventIdx: after each entry taken; or when no entry is left to take; or never",
    )
    sq_event: Literal["head", "tail", "tail-1", "tail-anew"] = _choice(
        "what the device writes to SQ EventIdx: the SQ head; the tail as last read; one behind that tail; or the tail "
        "that it reads once more just before"
    )
    sq_reread: Yes = _choice("the device reads the SQ shadow tail again after it writes SQ EventIdx")
    sq_answer: Literal["at-once", "later"] = _choice(
        "the device's second read of the SQ shadow tail is one step; or two: it asks, and acts on the answer later, "
        "which is the tail of then. A doorbell waits for neither, and only wakes a worker",
    )
    sq_event_cache: No = _choice(
        "the device writes SQ EventIdx each time; or only if the value differs from what it remembers to have written"
        " last",
    )
    sq_compare: Literal["head", "written"] = _choice(
        "with sq_event=tail-anew: the read after SQ EventIdx finds more if the tail is not the SQ head; or only if it "
        "is not the tail that was just written, even if that tail is past the head",
    )
    sq_last_look: No = _choice(
        "with sq_event=tail-anew: a worker that has found nothing more sleeps; or it lets go of the SQ, compares the "
        "SQ shadow tail with the SQ head, writes SQ EventIdx once more, and reads the tail again",
    )


@frozen
@_typed
class AdmissionChoices:
    """What keeps the CQ from overflowing."""

    cq_full: Literal["permits", "ignore-in-flight", "queue", "ignore"] = _choice(
        "what keeps the CQ from overflowing: the device takes a command only with a permit, a free CQ slot that no "
        "other command counts on; or only if the CQ has a free slot, whatever is in flight; or always, and "
        "completions queue until there is room; or nothing: commands are always taken and their completions posted",
    )
    pool: Literal["none"] | int = _choice(
        "requests of each SQ; a command holds a request from when it is taken until its completion is posted. Always "
        "enough; or this number, and the device stops looking at an SQ without a free request",
        most=MAX_SIZE,
    )
    on_request: Literal["look", "nothing", "lose-waited"] = _choice(
        "with a pool: a request that comes back to an empty pool makes the device look at the SQ, if it knows of "
        "entries; or only a CQ doorbell that finds the CQ full causes this look; or the device looks, but the request "
        "of a completion that had to wait for room never comes back",
    )
    on_full_doorbell: Literal["post", "nothing"] = _choice(
        "with cq_full=queue: a doorbell of a CQ that was full as last known has queued completions posted; or only the "
        "next completion does",
    )


@frozen
@_typed
class FullChoices:
    """What an SQ does that finds no room in the CQ."""

    cork: Literal["park", "arm-recheck", "arm-recheck-corked", "arm-recheck-uncorked", "self-kick"] = _choice(
        "an SQ that finds no permit is parked at once; or the worker writes EventIdx as the policy says at a cork, "
        "fences, reads the CQ shadow head again, and parks the SQ only if there is still no room (if there is room: "
        "whether the SQ counts as corked does not change; or it counts as corked until it is kicked; or it does not);"
        " or the worker notifies itself when it parks the SQ, and so looks again and again",
    )
    cork_lock: Literal["held", "let-go", "let-go-permits"] = _choice(
        "a worker that writes EventIdx and looks again before it parks its SQ holds the CQ lock through all of it; or "
        "takes the lock anew for each of these steps, and its second look only asks whether the CQ shadow head has "
        "moved past the head that the device knows; or this look also finds room that was credited meanwhile",
    )


@frozen
@_typed
class PostChoices:
    """The steps around a CQE, and CQ EventIdx."""

    post_order: Literal["read-then-arm", "arm-then-read", "read-arm-read"] = _choice(
        "the two steps after a CQE is written: read the CQ shadow head, and arm (write CQ EventIdx); or, where "
        "completions queue, the head is read before a post, and if there is no room the device arms and reads again",
    )
    event_outside: Literal["none", "cq", "both"] = _choice(
        "which EventIdx the device keeps at a value that no index has, such as 0xFFFFFFFF, which a guest passes when "
        "its index wraps: none; CQ EventIdx, if the policy never writes it; or also SQ EventIdx, with sq_arm=never",
    )
    cq_event_cache: No = _choice(
        "the device writes CQ EventIdx each time; or only if the value differs from what it remembers to have written"
        " last"
    )
    cq_compare: Literal["head", "written"] = _choice(
        "with post_order=read-arm-read: the device writes CQ EventIdx as the policy says, and the second read finds "
        "room if the head is not the one that it knows; or the device reads the head once more, writes that, and finds "
        "room only if the head moves past what it wrote",
    )


@frozen
@_typed
class BackendChoices:
    """Who completes commands, and who looks at the SQ afterwards."""

    backend: Literal["in-worker", "detached", "detached-repoll"] = _choice(
        "a worker runs the command it took, posts its completion and looks at its SQ again; or completions come from "
        "a backend in any order, and no worker looks again; or from a backend, and the SQ's worker is notified after "
        "each completion",
    )


@frozen
@_typed
class CrewChoices:
    """The workers, and what a notification does to them."""

    workers: int = _choice("workers of each SQ; one worker pops at a time, to the end of its remit", most=MAX_WORKERS)
    serve: Literal["own", "all"] = _choice(
        "which SQs a worker serves: its own SQ; or every SQ of the CQ in turn, beginning with the notified SQ or with"
        " the SQ after its last command, until a whole round finds no entry: `workers` is then the number of all "
        "workers",
    )
    threads: Literal["many", "one"] = _choice(
        "workers of different SQs run concurrently; or one thread serves all SQs of the CQ, one look after the other",
    )
    poll: Literal["no", "yes", "changed"] = _choice(
        "workers look at their SQ when they are notified; or again and again, without a notification; or a poller "
        "reads the SQ shadow tail again and again, and notifies the worker of entries if the tail is not the one that "
        "the poller saw last",
    )
    notify: Literal["kept", "spent", "lost-bits", "dealt", "stale-bits", "dropped"] = _choice(
        "what happens to a notification that finds no worker asleep: a worker looks once more before it sleeps; or "
        "the notification is spent (each worker sets a bit when its look finds nothing; a notification waits for a "
        "look under way, then wakes as many workers with a bit as the device knows entries, or all if it knows none);"
        " or spent, and the bits of workers that it does not wake are lost, and a worker that looks while another's "
        "bit is set is refused; or spent, and all workers (`workers` is their number) are dealt to the SQs that exist, "
        "anew whenever an SQ comes or goes, when all bits are cleared and all workers look; or the same, but a worker "
        "that is given another SQ leaves its bit at the SQ before; or it is gone, whatever the worker is doing",
    )
    doorbell_wakes: Literal["own", "first", "every"] = _choice(
        "whose workers look after an SQ's doorbell: those of this SQ; or those of SQ0 only, whose poll group handles "
        "doorbells, while each other SQ is in a poll group of its own; or those of every SQ",
    )


@frozen
@_typed
class KickChoices:
    """Where room is noticed, whom a kick wakes, and when it arrives."""

    kick_on_doorbell: Yes = _choice(
        "the CQ doorbell wakes the corked SQs; with cq_full=queue it causes a look at every SQ if the CQ was full",
    )
    kick_on_post: No = _choice("a read of the CQ shadow head after a post wakes the corked SQs if it frees room")
    kick_on_reserve: No = _choice(
        "a read of the CQ shadow head before a permit is taken, the re-check included, wakes them too"
    )
    kick_on_remit: No = _choice("a permit that a worker gives back because its SQ is empty wakes them too")
    kick_on_release: No = _choice("a permit that such a command gives back wakes the corked SQs")
    kick_size: Literal["all", "room", "hand-over"] = _choice(
        "a kick wakes every corked SQ; or any as many as there are available permits (perhaps none), and leaves the "
        "others corked; or as many, the longest corked first, and hands each its permit",
    )
    kick_delivery: Literal["at-once", "deferred", "held"] = _choice(
        "a kick notifies an SQ in the step that finds room; or in a later step, while no worker looks at that SQ, "
        "because a notification takes the lock that a look holds; or the CQ's doorbell handler waits for every look "
        "under way, and holds the CQ lock meanwhile",
    )


@frozen
@_typed
class BufferChoices:
    """The words of the doorbell buffer: which side goes by them, and what the device does with a doorbell's value."""

    used_by: Literal["both", "guest", "device"] = _choice(
        "which side goes by these queues' words in the doorbell buffer: guest and device; or only the guest, because "
        "the device refused the buffer or leaves these queues out; or only the device, because the guest leaves them "
        "out, and rings for every move",
    )
    after_reset: Literal["forget", "follow"] = _choice(
        "guest: after a reset it goes by no doorbell buffer until it configures one; or still by the old one, of which"
        " the device knows no more until the guest configures it again (which it then does, at some time)",
    )
    on_doorbell: Literal["learn", "store"] = _choice(
        "what the device does with the index that a doorbell carries: it takes it; or it also stores it in the shadow "
        "word",
    )
    byte_order: Literal["same", "other"] = _choice(
        "the byte orders in which guest and device write the words: the same; or two, so that each reads only 0 as it "
        "was written: the device reads any other index as a number that no queue has, and the guest, which takes 16 of"
        " EventIdx's 32 bits, reads 0",
    )


@frozen
@_typed
class LifeChoices:
    """What happens to queues, controller and buffer besides their use."""

    events: str = _choice(
        "events in the life of the queues, each at most as often as it is named, as in delete+create+create. create: "
        "an SQ on a live CQ (at first as many SQs are missing as are created and not deleted); delete: an SQ, with "
        "commands in flight; config: the doorbell buffer, while queues are in use; reset: the controller, used "
        "without a doorbell buffer afterwards; restart: the controller, used with it; recreate: all queues, SQs and CQ,"
        " are deleted and created again, without a reset; pause: the device is paused and resumed",
        "none", "create", "delete", "config", "reset", "restart", "recreate", "pause",
    )  # fmt: skip
    look_on_change: No = _choice("the workers look at every SQ after queues are created or deleted")
    words: Literal["clear", "keep"] = _choice(
        "guest: clears the shadow and EventIdx of a queue before it is created again; or both words keep their old "
        "values",
    )
    on_create: Literal["shadow", "both", "neither"] = _choice(
        "what the device writes for a new SQ: 0 to its shadow tail; 0 to its shadow tail and EventIdx; or neither",
    )
    cq_begins: Literal["afresh", "at-old-head", "at-old-tail"] = _choice(
        "where the device begins in a CQ that is created again, also after a reset: at index 0; or it takes the head "
        "for where it was in the old CQ; or it goes on where it wrote the last CQE of the old CQ",
    )
    on_config: Literal["shadow", "both"] = _choice(
        "what the device writes when the doorbell buffer is configured: the indices to the shadows; or to the shadows"
        " and EventIdx",
    )
    on_delete: Literal["return", "abandon", "post", "late"] = _choice(
        "a command whose SQ was deleted gives its permit back when it completes; or its permit is lost; or an SQ is "
        "deleted only after its commands in flight have posted, or found the CQ full and were dropped; or an SQ is "
        "deleted at once, and its commands in flight post their CQEs afterwards",
    )
    activation: Literal["at-once", "later", "later-look"] = _choice(
        "an SQ that is created, and every SQ of a resumed device, is served at once; or some time later, and a "
        "notification that comes before is lost; or the same, and the device looks at the SQ when it begins to serve "
        "it",
    )
    on_reset: Literal["forget", "keep"] = _choice(
        "a reset device forgets the doorbell buffer; or still reads the old pages"
    )
    on_resume: Literal["look", "keep", "forget-corked", "forget-notified", "forget-looks"] = _choice(
        "a resumed device looks at every SQ; or goes on as before; or has forgotten which SQs were corked; or which "
        "notifications no look had followed; or which looks were due during the pause: these looks found nothing, and"
        " only a later notification makes a worker look",
    )

    @property
    def happening(self) -> Counter[str]:
        """The events that may happen, each with the most times that it does."""
        return Counter() if self.events == "none" else Counter(self.events.split("+"))


@frozen
@_typed
class MemoryChoices:
    """The order in which threads see one another's stores, and the fences that stand in it."""

    memory: Literal["sc", "tso", "arm"] = _choice(
        "sequentially consistent; or x86-TSO: a store waits in its thread's buffer, and leaves it some time later, or"
        " at a fence, a lock or a trap; or Arm's memory, where stores to different words leave a buffer in any order, "
        "and a load may read what a word was before (the fences matter with the last two only)",
    )
    guest_fence: Yes = _choice(
        "guest: a full fence stands between the store of a shadow index and the look at EventIdx"
    )
    device_fence_sq: Yes = _choice(
        "a full fence stands between the store of SQ EventIdx and the second read of the SQ shadow tail"
    )
    device_fence_cq: Yes = _choice(
        "a full fence stands between a store of CQ EventIdx and a following read of the CQ shadow head",
    )
    device_locks: Yes = _choice(
        "the device takes a lock, which waits for the stores of its thread, before a look at an SQ, before a post, and "
        "as a permit comes back; or its one thread takes none, and only its fences empty its buffer",
    )

    device_lock_after: Literal["nothing", "post", "take"] = _choice(
        "with memory=arm and device_locks=no: where the device's thread takes a lock of its host's, and gives it back, "
        "which nobody else in the model takes: nowhere; or after each CQE, as it signals an interrupt; or after each "
        "command that it takes, as it hands the command on",
    )
    device_load_fence: Yes = _choice(
        "with memory=arm: an acquire or a load fence stands behind each load of a shadow index by the device; or none "
        "does, and the device may read an index as it was before"
    )
    cqe_store: Literal["release", "before", "plain", "whole"] = _choice(
        "with memory=arm: a release or a store fence stands between the rest of a CQE and its phase; or before the CQE,"
        " whose phase is in memory after all that its thread stored before, but perhaps before the rest; or there is "
        "none, and the phase waits for those of earlier CQEs only; or there is none, and one store has all of a CQE"
    )
    cqe_load: Literal["fenced", "plain"] = _choice(
        "guest, with memory=arm: an acquire or a load fence stands between the load of a CQE's phase and those of the "
        "rest; or none does"
    )
    sqe_store: Literal["fenced", "plain"] = _choice(
        "guest, with memory=arm: a release or a store fence stands between the stores of an SQE and of its tail; or "
        "none does"
    )
    sqe_load: Literal["fenced", "plain"] = _choice(
        "with memory=arm: an acquire or a load fence stands between the device's load of a tail and those of the SQE; "
        "or none does"
    )

    @property
    def weak(self) -> bool:
        """Whether a store may wait in its thread's buffer: x86-TSO, or Arm's memory."""
        return self.memory != "sc"

    @property
    def arm(self) -> bool:
        """Whether memory is Arm's."""
        return self.memory == "arm"


SECTIONS: dict[str, type] = {
    "guest": GuestChoices,
    "reader": ReaderChoices,
    "admission": AdmissionChoices,
    "full": FullChoices,
    "post": PostChoices,
    "backend": BackendChoices,
    "crew": CrewChoices,
    "kicks": KickChoices,
    "life": LifeChoices,
    "buffer": BufferChoices,
    "memory": MemoryChoices,
}
"""The choices of the part in each slot of a machine."""


@frozen
class Choices(
    MemoryChoices,
    BufferChoices,
    LifeChoices,
    KickChoices,
    CrewChoices,
    BackendChoices,
    PostChoices,
    FullChoices,
    AdmissionChoices,
    ReaderChoices,
    GuestChoices,
):
    """One value for every choice. A device or guest names those that differ from the defaults.

    Numbers are 1 or more. Which values go together is for the parts to say that they make (`assembly.assembled`).
    """

    def __post_init__(self) -> None:
        for name, each in _fields().items():
            _check(each, getattr(self, name))

    def replace(self, values: Mapping[str, Choice]) -> "Choices":
        """These choices but for some; raises `ChoiceError` for a name or value that does not exist."""
        for name in values:
            _named(name)
        return dataclasses.replace(self, **values)  # type: ignore[arg-type]  # checked by __post_init__

    def items(self) -> dict[str, Choice]:
        """Every choice and its value."""
        return dict(vars(self))


ABOUT_EVENTS = (
    "look_on_change",
    "words",
    "on_create",
    "on_config",
    "on_delete",
    "activation",
    "kick_on_release",
    "on_reset",
    "on_resume",
    "after_reset",
    "cq_begins",
    "sq_event_cache",
    "cq_event_cache",
)
"""The choices that make no difference where there are no events."""


def check(name: str, value: Choice) -> None:
    """Raises `ChoiceError` for a name or value that does not exist."""
    _check(_named(name), value)


def parse(assignment: str) -> tuple[str, Choice]:
    """`name=value` as a choice and its value; raises `ChoiceError`."""
    name, equals, value = assignment.partition("=")
    if not equals:
        raise ChoiceError(f"{assignment!r} is not of the form name=value")
    each = _named(name.strip())
    value = value.strip()
    parsed: Choice = value
    if each.metadata["most"]:
        with suppress(ValueError):  # then it is one of the names, or refused as what it is
            parsed = whole(value)
    _check(each, parsed)
    return each.name, parsed


def parse_all(assignments: Iterable[str]) -> dict[str, Choice]:
    """The choices of any number of `name=value`; raises `ChoiceError`, also where one is given two values."""
    chosen: dict[str, Choice] = {}
    for name, value in map(parse, assignments):
        if chosen.setdefault(name, value) != value:
            raise ChoiceError(f"{name} is given two values, {chosen[name]} and {value}: leave one of them out")
    return chosen


def describe() -> list[tuple[str, list[str], str]]:
    """Every choice: its name, its values (the default first) and its meaning."""
    return [(name, _values(f), f.metadata["meaning"]) for name, f in _fields().items()]


@cache
def _fields() -> dict[str, dataclasses.Field[Any]]:
    """The choices by name."""
    return {f.name: f for f in dataclasses.fields(Choices)}


def _values(each: dataclasses.Field[Any]) -> list[str]:
    most = each.metadata["most"]
    more = [f"1 to {most}"] if most else ["several joined by +"] if each.metadata["joined"] else []
    return [*each.metadata["values"], *more]


def _named(name: str) -> dataclasses.Field[Any]:
    known = _fields()
    if name not in known:
        raise ChoiceError(f"there is no choice {name!r}{did_you_mean(name, known)}")
    return known[name]


def _check(each: dataclasses.Field[Any], value: Choice) -> None:
    if value in each.metadata["values"] or (type(value) is int and 1 <= value <= each.metadata["most"]):
        return
    if each.metadata["joined"] and isinstance(value, str):
        unknown = [part for part in value.split("+") if part not in each.metadata["values"][1:]]
        if not unknown:
            return
        value = unknown[0]
    raise ChoiceError(f"{each.name} cannot be {value!r}: it is one of {', '.join(_values(each))}")
