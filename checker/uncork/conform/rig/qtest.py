"""A QEMU without a guest: a program drives its devices through QEMU's test protocol and shares its memory.

The processor is stopped from the start (`-S`): neither KVM nor root nor a guest operating system is needed. The
protocol is lines of text on a socket (QEMU, docs/devel/qtest.rst). The guest's memory is an anonymous file that both
map.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import socket
import subprocess
import sys
import time
from types import TracebackType

from uncork.conform.rig.child import ends_with_us

PROGRAM = "qemu-system-x86_64"
MEMORY = 16 << 20
"""Bytes of the guest's memory, from address 0."""
ROUNDS = 8
"""No-op round trips between two steps. Each runs the bottom halves of QEMU's main loop, which start one another."""
LATE = 0.003
"""Seconds that a command takes in the second namespace. In the first, commands take no time."""
PATIENCE = 20.0
"""Seconds after which a QEMU that does not answer counts as failed."""


class Missing(Exception):
    """QEMU is not installed. The message says what to install."""


class Failed(Exception):
    """QEMU ended or gave a wrong answer. The message has its last output."""


def find(program: str | None = None) -> str:
    """Returns the path of `program`, or of the default QEMU. Raises `Missing`."""
    found = shutil.which(program or PROGRAM)
    if found is None:
        raise Missing(f"{program or PROGRAM} is not installed (Debian, Ubuntu: apt-get install qemu-system-x86)")
    if not sys.platform.startswith("linux"):
        raise Missing("QEMU is driven through memory without a name, which only Linux has")
    return found


class Qemu:
    """A running QEMU with one NVMe controller and disks that hold nothing (`null-co`). Ends with its `with` block.

    Raises `Missing`, and `Failed` as soon as QEMU does not obey.
    """

    def __init__(self, program: str | None = None) -> None:
        self.program = find(program)
        self.version = _version(self.program)
        self.memory: mmap.mmap
        self._ours: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Qemu:
        ours, theirs = socket.socketpair()
        file = os.memfd_create("guest memory")
        try:
            os.ftruncate(file, MEMORY)
            self.memory = mmap.mmap(file, MEMORY)
            self._process = _start(self.program, file, theirs.fileno())
        finally:
            theirs.close()
            os.close(file)
        ours.settimeout(PATIENCE)
        self._ours, self._read = ours, ours.makefile("rb")
        try:
            self.settle()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends QEMU, whatever QEMU is doing."""
        if self._process:
            self._process.kill()
            self._process.wait()
            if self._process.stderr:
                self._process.stderr.close()
            self._process = None
        if self._ours:
            self._read.close()
            self._ours.close()
            self._ours = None

    def ask(self, line: str) -> list[str]:
        """Sends one command. Returns the words of the answer after OK. Raises `Failed`."""
        assert self._ours is not None, "not started"
        try:
            self._ours.sendall(line.encode() + b"\n")
            words = self._read.readline().decode().split()
        except OSError as error:
            raise Failed(f"QEMU does not answer {line!r}: {error}{self._last_words()}") from None
        if not words or words[0] != "OK":
            raise Failed(f"QEMU answers {' '.join(words) or 'nothing'} to {line!r}{self._last_words()}")
        return words[1:]

    def settle(self) -> None:
        """Waits until QEMU has no work left, except late commands."""
        for _ in range(ROUNDS):
            self.ask("endianness")

    def wait(self) -> None:
        """Waits until all commands have ended, late ones included."""
        time.sleep(1.5 * LATE)

    def write_port(self, port: int, value: int) -> None:
        """Writes 32 bits to an I/O port."""
        self.ask(f"outl {port:#x} {value:#x}")

    def read_port(self, port: int) -> int:
        """Reads 32 bits from an I/O port."""
        return int(self.ask(f"inl {port:#x}")[0], 16)

    def write(self, address: int, value: int) -> None:
        """Writes 32 bits to a device's register, at a physical address."""
        self.ask(f"writel {address:#x} {value:#x}")

    def read(self, address: int) -> int:
        """Reads 32 bits from a device's register."""
        return int(self.ask(f"readl {address:#x}")[0], 16)

    def _last_words(self) -> str:
        process = self._process
        if process is None or process.stderr is None:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        if process.poll() is None:
            return ""
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
        return f": {said[-1]}" if said else f", it ended with {process.returncode}"


def _version(program: str) -> str:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{program} does not run: {error}") from None
    words = said.stdout.split()
    if words[:3] != ["QEMU", "emulator", "version"]:
        raise Missing(f"{program} does not say that it is QEMU")
    return words[3]


def _start(program: str, memory: int, control: int) -> subprocess.Popen[bytes]:
    shown = f"size={MEMORY},share=on,mem-path=/proc/self/fd/{memory}"
    return subprocess.Popen(
        [
            *(program, "-accel", "tcg", "-S", "-nodefaults", "-no-user-config", "-display", "none"),
            *("-machine", "pc,memory-backend=ram", "-m", str(MEMORY >> 20)),
            *("-object", f"memory-backend-file,id=ram,{shown}"),
            *("-chardev", f"socket,id=control,fd={control}", "-object", "qtest,id=test,chardev=control,log=/dev/null"),
            *("-device", "nvme,id=nvme,serial=uncork,addr=4"),
            *("-blockdev", "null-co,node-name=disk,read-zeroes=on", "-device", "nvme-ns,drive=disk,bus=nvme,nsid=1"),
            *("-blockdev", f"null-co,node-name=late,read-zeroes=on,latency-ns={round(LATE * 1e9)}"),
            *("-device", "nvme-ns,drive=late,bus=nvme,nsid=2"),
        ],
        pass_fds=(memory, control),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=ends_with_us(),  # Ctrl-C reaches only uncork, which ends QEMU
    )
