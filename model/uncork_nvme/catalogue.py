"""Every device and guest that has a name here."""

from __future__ import annotations

from uncork_nvme.device import Device, Guest
from uncork_nvme.vendors import designs, femu, guests, nvme_mdev, openvmm, propolis, qemu, spdk

DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        *(propolis.PROPOLIS_2025, propolis.PROPOLIS_2026, propolis.PROPOLIS_2026_SHARED, propolis.MMIO),
        *(designs.ARM_RECHECK, designs.HAND_OVER, qemu.QEMU, qemu.QEMU_9_1, qemu.QEMU_7_1),
        *(spdk.SPDK_POLL, spdk.SPDK_INTERRUPT, openvmm.OPENVMM, openvmm.OPENVMM_2024),
        *(nvme_mdev.NVME_MDEV, femu.FEMU),
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
