"""The NVMe controller as a driver sees it: PCI configuration, registers, queues in memory, admin commands.

Registers and commands are those of the NVMe Base Specification (1.3 and later): CAP, CC, CSTS, AQA, ASQ, ACQ and the
doorbells; Create I/O CQ and SQ; Doorbell Buffer Config, 7Ch.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from uncork.conform.rig.qtest import Failed, Qemu

_CONFIG_ADDRESS, _CONFIG_DATA = 0xCF8, 0xCFC
_SLOT = 4
"""The controller's PCI device number on bus 0."""
_BAR = 0xE000_0000
_COMMAND, _BAR0 = 0x04, 0x10
_MEMORY_AND_MASTER = 0b110

_CC, _CSTS, _AQA, _ASQ, _ACQ, _DOORBELLS = 0x14, 0x1C, 0x24, 0x28, 0x30, 0x1000
_ENABLED = 4 << 20 | 6 << 16 | 1
"""CC: entries of 16 and 64 bytes, pages of 4 KiB, enabled."""

PAGE = 4096
_ADMIN_SQ, _ADMIN_CQ, SHADOW, EVENT, _SCRATCH, _QUEUES = (PAGE * (64 + k) for k in range(6))
"""Addresses in the guest's memory. The pages from `_QUEUES` on are the I/O queues, one page each."""
_ADMIN_ENTRIES = 32
SQE, CQE = 64, 16
"""Bytes of a queue entry."""

_CREATE_SQ, _CREATE_CQ, _DBBUF = 0x01, 0x05, 0x7C
READ, WRITE, FLUSH, UNKNOWN = 0x02, 0x01, 0x00, 0x7F
"""I/O opcodes. `UNKNOWN` is no command: a controller completes it with an error as soon as it fetches it."""


@dataclass(frozen=True)
class Completion:
    """A CQ entry: SQ identifier, SQ head, command identifier, status and phase tag."""

    sqid: int
    sq_head: int
    cid: int
    status: int
    phase: int


class Controller:
    """QEMU's NVMe controller. `restart` sets up all queues: CQ 1, and SQs 1, 2, ..."""

    CQ = 1

    def __init__(self, qemu: Qemu) -> None:
        self.qemu = qemu
        self._find()

    def _find(self) -> None:
        ident = self._config(0)
        if ident in (0, 0xFFFF_FFFF):
            raise Failed("QEMU has no NVMe controller in PCI slot 4")
        self._config(_BAR0, _BAR)
        self._config(_BAR0 + 4, 0)
        self._config(_COMMAND, _MEMORY_AND_MASTER)
        if self._register(0x04) & 0xF:
            raise Failed("the controller's doorbells are not 4 bytes apart (CAP.DSTRD)")

    def restart(
        self, sqs: int, sq_size: int, cq_size: int, *, config_first: bool, shadow: int = 0, event: int = 0
    ) -> None:
        """Resets the controller and sets up a CQ, `sqs` SQs, and the doorbell buffer before or after the queues.

        The guest's pages start as zeros, except the doorbell buffer's (`mark`). Raises `Failed` if a command fails.
        """
        self._disable()
        memory = self.qemu.memory
        memory[_ADMIN_SQ : _QUEUES + PAGE * (sqs + 1)] = bytes(_QUEUES + PAGE * (sqs + 1) - _ADMIN_SQ)
        self._admin_tail, self._admin_head, self._admin_phase = 0, 0, 1
        self._cid = 0
        self._register(_AQA, (_ADMIN_ENTRIES - 1) << 16 | (_ADMIN_ENTRIES - 1))
        for register, address in ((_ASQ, _ADMIN_SQ), (_ACQ, _ADMIN_CQ)):
            self._register(register, address)
            self._register(register + 4, 0)
        self._register(_CC, _ENABLED)
        self._await(1)
        self.mark(shadow, event)
        if config_first:
            self.configure()
            self.mark(shadow, event, admin=False)
        self._admin(_CREATE_CQ, prp1=_QUEUES, cdw10=(cq_size - 1) << 16 | self.CQ, cdw11=1)
        for number in range(1, sqs + 1):
            place, about = _QUEUES + PAGE * number, (sq_size - 1) << 16 | number
            self._admin(_CREATE_SQ, prp1=place, cdw10=about, cdw11=self.CQ << 16 | 1)
        if not config_first:
            self.configure()

    def configure(self) -> None:
        """Sends Doorbell Buffer Config."""
        self._admin(_DBBUF, prp1=SHADOW, prp2=EVENT)

    def mark(self, shadow: int, event: int, *, admin: bool = True) -> None:
        """Fills the doorbell buffer's pages with two values, with or without the words of the admin queues."""
        first = 0 if admin else 8
        for page, value in ((SHADOW, shadow), (EVENT, event)):
            self.qemu.memory[page + first : page + PAGE] = struct.pack("<I", value) * ((PAGE - first) // 4)

    # -- shared words and entries --------------------------------------------------------------------------------------
    def word(self, page: int, queue: int, *, cq: bool = False) -> int:
        """Returns a word of the page `SHADOW` or `EVENT`."""
        value: int = struct.unpack_from("<I", self.qemu.memory, page + _stride(queue, cq))[0]
        return value

    def set_word(self, page: int, queue: int, value: int, *, cq: bool = False) -> None:
        """Writes a word of the page `SHADOW` or `EVENT`."""
        struct.pack_into("<I", self.qemu.memory, page + _stride(queue, cq), value)

    def ring(self, queue: int, value: int, *, cq: bool = False) -> None:
        """Writes a doorbell register."""
        self._register(_DOORBELLS + _stride(queue, cq), value)

    def put(self, sq: int, slot: int, opcode: int, cid: int, nsid: int = 1) -> None:
        """Writes an I/O command of one block to a slot of an SQ."""
        place = _QUEUES + PAGE * sq + SQE * slot
        self.qemu.memory[place : place + SQE] = _command(opcode, cid, nsid=nsid, prp1=_SCRATCH)

    def completion(self, slot: int) -> Completion:
        """Returns the entry in a slot of the CQ."""
        return self._completion(_QUEUES + CQE * slot)

    def _completion(self, place: int) -> Completion:
        head, sqid, cid, status = struct.unpack_from("<8xHHHH", self.qemu.memory, place)
        return Completion(sqid, head, cid, status >> 1, status & 1)

    # -- registers and admin commands ----------------------------------------------------------------------------------
    def _config(self, offset: int, value: int | None = None) -> int:
        self.qemu.write_port(_CONFIG_ADDRESS, 1 << 31 | _SLOT << 11 | offset)
        if value is None:
            return self.qemu.read_port(_CONFIG_DATA)
        self.qemu.write_port(_CONFIG_DATA, value)
        return value

    def _register(self, offset: int, value: int | None = None) -> int:
        if value is None:
            return self.qemu.read(_BAR + offset)
        self.qemu.write(_BAR + offset, value)
        return value

    def _disable(self) -> None:
        self._register(_CC, 0)
        self._await(0)

    def _await(self, ready: int) -> None:
        for _ in range(100):
            if self._register(_CSTS) & 0b11 == ready:
                return
        raise Failed(f"the controller does not become {'ready' if ready else 'idle'}: CSTS {self._register(_CSTS):#x}")

    def _admin(self, opcode: int, *, prp1: int, prp2: int = 0, cdw10: int = 0, cdw11: int = 0) -> None:
        self._cid += 1
        place = _ADMIN_SQ + SQE * self._admin_tail
        command = _command(opcode, self._cid, prp1=prp1, prp2=prp2, cdw10=cdw10, cdw11=cdw11)
        self.qemu.memory[place : place + SQE] = command
        self._admin_tail = (self._admin_tail + 1) % _ADMIN_ENTRIES
        self.ring(0, self._admin_tail)
        self.qemu.settle()
        done = self._completion(_ADMIN_CQ + CQE * self._admin_head)
        if done.phase != self._admin_phase or done.cid != self._cid or done.status:
            raise Failed(f"admin command {opcode:#04x} fails: {done}")
        self._admin_head = (self._admin_head + 1) % _ADMIN_ENTRIES
        self._admin_phase ^= self._admin_head == 0
        self.ring(0, self._admin_head, cq=True)


def _stride(queue: int, cq: bool) -> int:
    return 4 * (2 * queue + cq)


def _command(
    opcode: int, cid: int, *, nsid: int = 0, prp1: int = 0, prp2: int = 0, cdw10: int = 0, cdw11: int = 0
) -> bytes:
    return struct.pack("<BBHI16xQQII16x", opcode, 0, cid, nsid, prp1, prp2, cdw10, cdw11)
