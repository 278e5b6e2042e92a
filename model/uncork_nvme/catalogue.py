"""Every device and guest that has a name here, and how those of the user's own are found."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TypeVar

from uncork.core.sorts import did_you_mean

from uncork_nvme.choices import InstanceError
from uncork_nvme.device import Composed, Device, Guest
from uncork_nvme.names import ambiguous, of_file
from uncork_nvme.vendors import designs, femu, guests, nvme_mdev, nvmet_mdev, openvmm, propolis, qemu, spdk, usnvmemu

DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        *(propolis.PROPOLIS_2025, propolis.PROPOLIS_2026, propolis.PROPOLIS_2026_SHARED, propolis.MMIO),
        *(designs.ARM_RECHECK, designs.HAND_OVER, qemu.QEMU, qemu.QEMU_9_1, qemu.QEMU_7_1),
        *(spdk.SPDK_POLL, spdk.SPDK_INTERRUPT, openvmm.OPENVMM, openvmm.OPENVMM_2024),
        *(nvme_mdev.NVME_MDEV, femu.FEMU, usnvmemu.USNVMEMU, usnvmemu.USNVMEMU_REMOTE),
        *(nvmet_mdev.NVMET_MDEV_PCI, nvmet_mdev.NVMET_MDEV_PCI_SCAN, nvmet_mdev.NVMET_MDEV_PCI_BATCH),
    )
}
"""The devices by name."""

GUESTS: dict[str, Guest] = {
    guest.name: guest
    for guest in (
        *(guests.LINUX, guests.SPDK, guests.LAZY, guests.LIBVFN, guests.SERENITYOS, guests.MANY_TO_ONE),
        guests.MMIO_ONLY,
    )
}
"""The guests by name."""

POLLS = "{} polls unconditionally: it is live without doorbells, so a verdict says nothing about its EventIdx."
"""What is printed about a device whose workers never wait."""

_Kind = TypeVar("_Kind", bound=Composed)


def find_device(name: str) -> Device:
    """The device with a name, or of `path/to/file.py:name`; raises `InstanceError`."""
    return _find(name, DEVICES, Device)


def find_guest(name: str) -> Guest:
    """The guest with a name, or of `path/to/file.py:name`; raises `InstanceError`."""
    return _find(name, GUESTS, Guest)


def forget() -> None:
    """Makes the next look-up of a device or guest of the user's own read its file again."""
    if "uncork_nvme.own.device" in sys.modules:
        from uncork_nvme.own import device

        device.forget()


def _find(name: str, known: Mapping[str, _Kind], kind: type[_Kind]) -> _Kind:
    if name in known:
        return known[name]
    what = kind.__name__.lower()
    own = of_file(name)
    if own is None:
        path = name.rstrip(":")
        if path.endswith(".py") and os.path.isfile(path):
            raise InstanceError(f"{name!r} is a file: which {what} of it? Write {path}:name")
        raise InstanceError(
            f"there is no {what} {name!r}{did_you_mean(name, known)}; one of your own is named path/to/file.py:name"
        )
    first, slash, _ = name.partition("/")
    if slash and first not in known and not os.path.isfile(own[0]) and first and not os.path.isdir(first):
        hint = did_you_mean(first, known)
        raise InstanceError(f"there is no file {own[0]}, and no {what} {first!r}{hint}")
    if wrong := ambiguous(name, known):
        raise InstanceError(f"{what} {name}: {wrong}")
    from uncork_nvme.own import device  # imported late: few need it, and it takes a tenth of the time of all imports

    return device.load(name, kind)
