"""Drives a real device: QEMU, its NVMe controller, a guest driver in Python; and a real guest."""
