"""What a real device is driven with: QEMU, its NVMe controller, a guest in plain Python; and a real guest."""
