"""The recorded proofs for all sizes: a line for each design with one SQ, and with any number.

`proved` names the properties that are proved for CQs of at least `least` entries. `breaks` is the first needed lemma
that fails, as `lemma, after step`; or the property and the sizes at which a run refutes the design, as
`property at sizes`; or empty.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from importlib.resources import files

from uncork.core.size import symbol
from uncork.core.sorts import SlipError
from uncork_nvme.anysize import any_workers
from uncork_nvme.choices import Choice, parse
from uncork_nvme.instance import Instance, find_policy

from uncork_properties import matrix

_PARKED = ("tail-1", "head", "reserve-permits", "reserve-slots", "head-when-full")
"""Policies that are live with cork=park if EventIdx is written before the shadow is read and every step kicks."""
_TWO_KICKS = "kick_on_reserve=yes;kick_on_remit=yes"
"""The least kicks with which several SQs are live, if EventIdx is written only while the CQ is full."""
_NO_KICK = "kick_on_doorbell=no;kick_on_post=no;kick_on_reserve=no;kick_on_remit=no"
_EVENTS = "events=delete+create"
"""SQs come and go, each any finite number of times."""
_READS = (
    "sq_read=wake;sq_event=tail",
    "sq_read=wake;sq_arm=idle;sq_event=tail",
    "sq_read=wake;sq_event=tail;sq_reread=no",
    "sq_read=wake;sq_arm=idle;sq_event=tail;sq_reread=no",
)
"""Other ways to look at an SQ and to arm it; the last two do not read the tail again."""
WORKERS = "workers=2"
"""Any number of workers an SQ, of which two are an example."""
_KEPT = f"notify=kept;{WORKERS}"
_TSO = "memory=tso"


@dataclass(frozen=True)
class Line:
    """A line of the file; `sqs` is `one` or `any`; overrides are joined by `;`, other lists by spaces."""

    device: str
    guest: str
    policy: str
    overrides: str
    sqs: str
    least: int = 2
    proved: str = ""
    breaks: str = ""

    @property
    def several(self) -> bool:
        """Whether the line is about any number of SQs."""
        return self.sqs == "any"

    @property
    def choices(self) -> dict[str, Choice]:
        """The overrides as choices."""
        return dict(parse(each) for each in self.overrides.split(";") if each)


def designs() -> Iterator[Line]:
    """The designs of the file: each policy on each kind of device, and good designs with other guests and workers."""
    for sqs in ("one", "any"):
        for device in ("propolis-2026", "arm-recheck"):
            for policy in filter(_at_every_size, matrix.POLICIES):
                yield Line(device, "linux", policy, "", sqs)
        yield Line("mmio", "linux", "tail", "", sqs)
        yield Line("mmio", "linux", "tail", "kick_on_remit=yes", sqs)
        for policy in _PARKED:
            yield Line("arm-recheck", "linux", policy, "cork=park", sqs)
        yield Line("arm-recheck", "linux", "tail-1", "cork=park;kick_delivery=at-once;notify=kept", sqs)
        for guest in ("spdk", "lazy"):
            yield Line("arm-recheck", guest, "arm-on-cork", "", sqs)
        yield Line("propolis-2026", "spdk", "tail", "", sqs)
        for other in ("early_free=no", "backend=detached", "backend=detached-repoll"):
            yield Line("arm-recheck", "linux", "arm-on-cork", other, sqs)
        for workers in (WORKERS, _KEPT, f"kick_delivery=at-once;{_KEPT}"):
            yield Line("arm-recheck", "linux", "arm-on-cork", workers, sqs)
            yield Line("propolis-2026", "linux", "head-when-full", f"{_TWO_KICKS};{workers}", sqs)
            yield Line("propolis-2026", "linux", "tail-1", f"kick_on_post=yes;{_TWO_KICKS};{workers}", sqs)
        for workers in (WORKERS, _KEPT):
            yield Line("hand-over", "linux", "tail-1", workers, sqs)
            yield Line("hand-over", "linux", "reserve-permits", f"backend=detached;{workers}", sqs)
        yield Line("hand-over", "linux", "reserve-permits", WORKERS, sqs)
        yield Line("hand-over", "linux", "head-when-full", WORKERS, sqs)
        yield Line("arm-recheck", "linux", "tail-1", "cork=park;backend=detached", sqs)
        yield Line("arm-recheck", "linux", "tail-1", "cork=park;backend=detached;post_order=read-then-arm", sqs)
        for kick in ("kick_on_post", "kick_on_reserve", "kick_on_remit"):
            yield Line("arm-recheck", "linux", "arm-on-cork", f"{kick}=no", sqs)
        for reads in _READS:
            yield Line("arm-recheck", "linux", "arm-on-cork", reads, sqs)
        for policy in ("head", "head-when-full", "tail-1", "reserve-slots", "tail-lag", "tail", "never"):
            yield Line("qemu", "linux", policy, "", sqs)
        for device, policy in (("qemu-9.1", "head"), ("qemu-7.1", "never")):
            yield Line(device, "linux", policy, "", sqs)
        for guest in ("spdk", "lazy"):
            yield Line("qemu", guest, "head", "", sqs)
        for other in ("post_order=read-then-arm", "sq_reread=no", "on_full_doorbell=nothing"):
            yield Line("qemu", "linux", "head", other, sqs)
        yield Line("qemu", "linux", "head-when-full", "post_order=read-then-arm", sqs)
        for policy in ("head-when-full", "tail-1", "never"):
            yield Line("openvmm", "linux", policy, "", sqs)
        for other in ("backend=detached", "post_order=read-then-arm", "sq_reread=no"):
            yield Line("openvmm", "linux", "head-when-full", other, sqs)
        for policy in ("head-when-full", "leave if permits>=1 else head"):
            yield Line("propolis-2026", "linux", policy, _TWO_KICKS, sqs)
        for policy in ("tail-1", "reserve-permits", "leave if permits>=1 else head"):
            yield Line("propolis-2026", "linux", policy, f"kick_on_post=yes;{_TWO_KICKS}", sqs)
        for policy in ("tail-1", "reserve-permits", "head-when-full"):
            yield Line("hand-over", "linux", policy, "", sqs)
        yield Line("hand-over", "linux", "reserve-permits", "backend=detached", sqs)
        for policy in ("tail-1", "reserve-permits", "head-when-full"):
            yield Line("hand-over", "linux", policy, _TSO, sqs)
        yield Line("hand-over", "linux", "reserve-permits", f"backend=detached;{_TSO}", sqs)
        yield Line("arm-recheck", "linux", "arm-on-cork", _TSO, sqs)
        yield Line("arm-recheck", "linux", "tail-1", f"cork=park;backend=detached;{_TSO}", sqs)
        yield from _of_one_thread(sqs)
    for fence in ("guest_fence", "device_fence_cq"):  # without it these hang, at sizes that a search reaches
        yield Line("arm-recheck", "linux", "arm-on-cork", f"{_TSO};{fence}=no", "one")
    for policy in ("reserve-permits", "reserve-slots", "tail-1", "head-when-full"):
        yield Line("arm-recheck", "linux", policy, f"cork=park;{_EVENTS}", "any")
    for policy in ("tail-1", "reserve-permits", "head-when-full"):
        yield Line("hand-over", "linux", policy, _EVENTS, "any")
    yield Line("hand-over", "linux", "reserve-permits", f"{_EVENTS};backend=detached", "any")
    yield Line("hand-over", "linux", "tail-1", f"{_EVENTS};{WORKERS}", "any")
    yield Line("arm-recheck", "linux", "tail-1", f"cork=park;{_EVENTS};{_KEPT}", "any")
    for without in ("kick_on_release=no", "post_order=read-then-arm"):
        yield Line("arm-recheck", "linux", "tail-1", f"cork=park;{_EVENTS};{without}", "any")


def _of_one_thread(sqs: str) -> Iterator[Line]:
    """Designs and devices with one thread for all SQs, those that poll, and those that kick themselves."""
    yield Line("arm-recheck", "linux", "arm-on-cork", "threads=one", sqs)
    for other in ("", "backend=detached;", "kick_on_remit=no;"):
        yield Line("arm-recheck", "linux", "tail-1", f"cork=park;{other}threads=one", sqs)
    for device, policy, other in (
        *(("arm-recheck", "never", f"cork=park;{_NO_KICK};"), ("propolis-2026", "tail", ""), ("mmio", "tail", "")),
    ):
        for threads in ("", "threads=one;"):
            yield Line(device, "linux", policy, f"{other}{threads}poll=yes", sqs)
    for threads in ("", ";threads=one"):
        yield Line("arm-recheck", "linux", "never", f"cork=self-kick{threads}", sqs)
    for device, policy in (
        ("spdk-poll", "never"),
        ("femu", "head-1"),
        ("spdk-interrupt", "never"),
        ("nvme-mdev", "head"),
    ):
        yield Line(device, "linux", policy, "", sqs)
    yield Line("spdk-interrupt", "linux", "never", "sq_reread=no", sqs)


def _at_every_size(name: str) -> bool:
    """Whether a policy can be stated at every size; a policy that divides a size cannot."""
    try:
        find_policy(name).writes(symbol("C", 2))
    except SlipError:
        return False
    return True


def known() -> list[Line]:
    """The lines of the file."""
    reader = csv.DictReader(files("uncork_properties").joinpath("recorded", "proofs.csv").read_text().splitlines())
    return [Line(**{**row, "least": int(row["least"])}) for row in reader]  # type: ignore[arg-type]  # the rest is text


def proved(instance: Instance) -> frozenset[str]:
    """The properties that are recorded as proved of an instance, with every size of its queues.

    A guest that submits fewer entries at a time has no other runs than the guest of the line. Where a line has several
    workers, it is about any number.
    """
    if instance.assembled.own:
        return frozenset()
    found = set[str]()
    for line in known():
        if line.policy != instance.policy or line.several != (instance.sqs > 1) or line.least > instance.cq_size:
            continue
        choices = Instance(line.device, line.guest, line.policy, *instance.shape, line.choices).choices
        like: dict[str, Choice] = {"submit_batch": min(choices.submit_batch, instance.choices.submit_batch)}
        like |= {"workers": instance.choices.workers} if any_workers(choices) else {}
        if choices.replace(like) == instance.choices:
            found |= {*line.proved.split()}
    return frozenset(found)


def dumps(lines: Iterable[Line]) -> str:
    """The text of the file with these lines."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Line)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(line) for line in lines)
    return text.getvalue()
