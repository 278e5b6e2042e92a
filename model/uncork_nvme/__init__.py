"""The machine: one NVMe completion queue, the submission queues that complete into it, their guest and their device.

Terms are the NVMe Base Specification's (Doorbell Buffer Config, 2.x 5.2.5 and Annex B.5; 1.3 and 1.4 5.7 and 7.13) and
Oxide Propolis's (permit, corked, kick). This package knows no engine.

A file of the user's own imports from here: what policies need, and what devices and guests are made of.
"""

import importlib
from typing import TYPE_CHECKING, Any

from uncork.core.expr import ite, maximum, minimum

from uncork_nvme.policies import LEAVE, CQView, leave_if, policy

if TYPE_CHECKING:
    from uncork.core.expr import Expr as Expr
    from uncork.core.expr import all_of as all_of
    from uncork.core.expr import any_of as any_of
    from uncork.core.expr import count as count
    from uncork.core.sorts import Bool as Bool
    from uncork.core.sorts import Enum as Enum
    from uncork.core.sorts import Nat as Nat
    from uncork.core.sorts import Range as Range
    from uncork.core.sorts import Ring as Ring
    from uncork.core.system import Fairness as Fairness
    from uncork.core.system import step as step
    from uncork.core.system import var as var
    from uncork.core.system import when as when

    from uncork_nvme.catalogue import DEVICES as DEVICES
    from uncork_nvme.catalogue import GUESTS as GUESTS
    from uncork_nvme.choices import NO as NO
    from uncork_nvme.choices import YES as YES
    from uncork_nvme.device import Device as Device
    from uncork_nvme.device import Guest as Guest
    from uncork_nvme.own.lemma import lemma as lemma
    from uncork_nvme.parts.backend import Detached as Detached
    from uncork_nvme.parts.backend import InWorker as InWorker
    from uncork_nvme.parts.backend import Repoll as Repoll
    from uncork_nvme.parts.completions import Completions as Completions
    from uncork_nvme.parts.crew import Kept as Kept
    from uncork_nvme.parts.crew import LostBits as LostBits
    from uncork_nvme.parts.crew import Spent as Spent
    from uncork_nvme.parts.guest import Driver as Driver
    from uncork_nvme.parts.life import Cycle as Cycle
    from uncork_nvme.parts.memory import Memory as Memory
    from uncork_nvme.parts.post import Post as Post
    from uncork_nvme.parts.reader import ByMessage as ByMessage
    from uncork_nvme.parts.reader import Reader as Reader
    from uncork_nvme.parts.room.admission import FreeSlots as FreeSlots
    from uncork_nvme.parts.room.admission import NeverLooks as NeverLooks
    from uncork_nvme.parts.room.admission import Permits as Permits
    from uncork_nvme.parts.room.full import ArmRecheck as ArmRecheck
    from uncork_nvme.parts.room.full import Park as Park
    from uncork_nvme.parts.room.full import SelfKick as SelfKick
    from uncork_nvme.parts.room.kicks import AsManyAsRoom as AsManyAsRoom
    from uncork_nvme.parts.room.kicks import HandOver as HandOver
    from uncork_nvme.parts.room.kicks import Kicks as Kicks
    from uncork_nvme.state.actors import Worker as Worker
    from uncork_nvme.state.kicks import notified as notified

_STANDS_IN = {
    "uncork.core.expr": ("Expr", "all_of", "any_of", "count"),
    "uncork.core.sorts": ("Bool", "Enum", "Nat", "Range", "Ring"),
    "uncork.core.system": ("Fairness", "step", "var", "when"),
    "uncork_nvme.catalogue": ("DEVICES", "GUESTS"),
    "uncork_nvme.choices": ("NO", "YES"),
    "uncork_nvme.device": ("Device", "Guest"),
    "uncork_nvme.own.lemma": ("lemma",),
    "uncork_nvme.parts.room.admission": ("FreeSlots", "NeverLooks", "Permits"),
    "uncork_nvme.parts.backend": ("Detached", "InWorker", "Repoll"),
    "uncork_nvme.parts.completions": ("Completions",),
    "uncork_nvme.parts.crew": ("Kept", "LostBits", "Spent"),
    "uncork_nvme.parts.room.full": ("ArmRecheck", "Park", "SelfKick"),
    "uncork_nvme.parts.guest": ("Driver",),
    "uncork_nvme.parts.room.kicks": ("AsManyAsRoom", "HandOver", "Kicks"),
    "uncork_nvme.parts.life": ("Cycle",),
    "uncork_nvme.parts.memory": ("Memory",),
    "uncork_nvme.parts.post": ("Post",),
    "uncork_nvme.parts.reader": ("ByMessage", "Reader"),
    "uncork_nvme.state.actors": ("Worker",),
    "uncork_nvme.state.kicks": ("notified",),
}
"""What devices are made of, by module. A policy needs none of it, so it is imported where it is asked for."""

__all__ = ["LEAVE", "CQView", "ite", "leave_if", "maximum", "minimum", "policy"]
__all__ += [name for names in _STANDS_IN.values() for name in names]


def __getattr__(name: str) -> Any:
    for module, names in _STANDS_IN.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'uncork_nvme' has no attribute {name!r}")
