"""A real guest: Debian's cloud kernel and busybox boot under QEMU and read from its NVMe device; QEMU's trace is kept.

`python -m uncork.conform.rig.linux FOLDER` makes FOLDER/depth-8.log and so on, for `uncork validate --format qemu`.
Needs qemu-system-x86_64, and apt-get and dpkg-deb for the packages, which are unpacked and not installed. No root, no
KVM.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("linux-image-cloud-amd64", "busybox-static")
"""Debian packages. The first is a metapackage for the kernel."""
DEPTHS = (8, 1024)
"""Entries of the I/O queues: few, which wrap and fill all the time, and the default of Linux."""
READERS, READS = 8, 1250
"""The number of reading processes, and of blocks that each reads, bypassing the page cache."""
QEMU = "qemu-system-x86_64"
_SECONDS = 300
_INIT = rf"""#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
i=0
while [ $i -lt {READERS} ]; do
  /bin/busybox dd if=/dev/nvme0n1 of=/dev/null bs=4k count={READS} skip=$((i*{READS})) iflag=direct 2>/dev/null \
    || echo failed &
  i=$((i+1))
done
wait
echo "all read"
/bin/busybox poweroff -f
"""
EVENTS = ("create_cq", "create_sq", "dbbuf_config", "mmio_doorbell_*", "shadow_doorbell_*", "eventidx_*", "update_*",
          "io_cmd", "enqueue_req_completion", "irq_msix", "irq_pin")  # fmt: skip
"""Patterns of the events of QEMU's trace, without `pci_nvme_`: 8.0 renamed some, and both names are asked for."""


class Failed(Exception):
    """The guest did not finish, or a program is missing. The message says what to do."""


def unpacked(folder: Path) -> Path:
    """Fetches the files of the packages to a folder, unless they are there. Raises `Failed`."""
    root = folder / "root"
    if not (root / "bin" / "busybox").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run(["apt-get", "download", *PACKAGES], folder)
        (meta,) = folder.glob(f"{PACKAGES[0]}_*.deb")
        depends = _run(["dpkg-deb", "--field", meta.name, "Depends"], folder)
        _run(["apt-get", "download", depends.split()[0].rstrip(",")], folder)
        for package in folder.glob("*.deb"):
            _run(["dpkg-deb", "--extract", package.name, "root"], folder)
    return root


def initramfs(root: Path, folder: Path) -> Path:
    """Makes an initramfs of busybox and one script. busybox itself makes the archive."""
    tree, archive = folder / "initramfs", folder / "initramfs.cpio"
    for name in ("bin", "dev"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    busybox = shutil.copy(root / "bin" / "busybox", tree / "bin" / "busybox")
    (tree / "init").write_text(_INIT)
    (tree / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    made = subprocess.run([busybox, "cpio", "-o", "-H", "newc"], cwd=tree, input=names.encode(), capture_output=True)
    if made.returncode:
        raise Failed(f"busybox cpio: {made.stderr.decode().strip()}")
    archive.write_bytes(made.stdout)
    return archive


def boot(folder: Path, depth: int) -> Path:
    """Boots the guest with I/O queues of `depth` entries. Returns QEMU's trace of its device. Raises `Failed`."""
    root = unpacked(folder)
    (kernel,) = root.glob("boot/vmlinuz-*")
    trace = folder / f"depth-{depth}.log"
    trace.unlink(missing_ok=True)
    said = _run([
        QEMU, "-accel", "tcg", "-m", "256", "-nographic", "-no-reboot", "-nic", "none",
        "-kernel", str(kernel), "-initrd", str(initramfs(root, folder)),
        "-append", f"console=ttyS0 quiet panic=-1 nvme.io_queue_depth={depth}",
        "-blockdev", f"null-co,node-name=disk,size={1 << 30},read-zeroes=on",
        "-device", "nvme,serial=uncork,drive=disk,max_ioqpairs=1",
        *(word for event in EVENTS for word in ("-trace", f"pci_nvme_{event}")), "-D", str(trace),
    ], Path())  # fmt: skip
    if "all read" not in said or "failed" in said:
        raise Failed(f"the guest did not read all it should:\n{said[-2000:]}")
    return trace


def _run(command: list[str], where: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=where, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        hint = "apt-get install --no-install-recommends qemu-system-x86" if command[0] == QEMU else "Debian or Ubuntu"
        raise Failed(f"{command[0]} is not there; it needs {hint}") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} did not end within {_SECONDS} s") from None
    if done.returncode:
        raise Failed(f"{' '.join(command[:3])} ended with {done.returncode}: {done.stderr.decode().strip()[-500:]}")
    return done.stdout.decode(errors="replace")


def main(folder: Path) -> int:
    """Boots the guest once for every depth."""
    try:
        for depth in DEPTHS:
            trace = boot(folder.resolve(), depth)
            with trace.open() as file:
                lines = sum(1 for _ in file)
            print(f"{trace}: {lines:,} events, {READERS * READS:,} reads, queues of {depth} entries")
    except Failed as why:
        print(f"Error: {why}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
