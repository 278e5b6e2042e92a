"""What guest and device do to one entry or one index, in the order of their sources, and what must not come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from uncork_nvme.orders.program import Instruction, Litmus, parsed


@dataclass(frozen=True)
class Question:
    """What goes wrong with an entry or a wake-up, as the `outcome` of the guest's and the device's program."""

    name: str
    wrong: str
    outcome: str


SQE = Question("An SQE is taken", "the device must not see the new tail and the old SQE", "t=1 s=0")
CQE = Question("A CQE is consumed", "the guest must not see the new phase and the old rest of the CQE", "p=1 c=0")
SQ = Question(
    *("SQ EventIdx", "the guest must not see the old EventIdx, and ring no doorbell, if the device sees the old tail"),
    "e=0 t=0",
)
CQ = Question(
    *("CQ EventIdx", "the guest must not see the old EventIdx, and ring no doorbell, if the device sees the old head"),
    "e=0 h=0",
)


@dataclass(frozen=True)
class Kernel:
    """Two programs, the guest's first, and the question that they are asked. `where` is the source of `who`."""

    question: Question
    who: str
    guest: str
    device: str
    where: str

    @property
    def codes(self) -> list[list[Instruction]]:
        """The programs."""
        return [parsed(self.guest), parsed(self.device)]

    def at(self, memory: str) -> Litmus:
        """The programs in a memory."""
        return Litmus(self.codes, memory, names=("guest", "device"))

    def without(self) -> Iterator[tuple[str, Kernel]]:
        """The kernel with one order left out, each with what that is; a lock is left out wherever it is taken."""
        for side in ("guest", "device"):
            code, locks = parsed(getattr(self, side)), set[str]()
            for number, each in enumerate(code):
                if not each.orders or (each.kind in ("lock", "unlock") and each.word in locks):
                    continue
                if each.kind in ("lock", "unlock"):
                    locks.add(each.word)
                    left = [other for other in code if other.kind not in ("lock", "unlock") or other.word != each.word]
                    said = f"the {side}'s lock"
                else:
                    weaker = each.weaker
                    left = [*code[:number], *([weaker] if weaker else []), *code[number + 1 :]]
                    said = f"the {side}'s `{each}`" + (f" before `{code[number + 1]}`" if code[number + 1 :] else "")
                text = "; ".join(map(str, left))
                yield said, replace(self, guest=text) if side == "guest" else replace(self, device=text)


_SUBMITS = "sqe=1; fence st; tail=1; fence full; e=event"
_REAPS = "p=phase; fence ld; c=cqe"
_PUBLISHES = "head=1; fence full; e=event"
_TAKES = "t=tail; fence full; s=sqe"
_POSTS = "cqe=1; fence release; phase=1"
_ARMS = "event=1; fence full; t=tail"

_LINUX = "Linux e3ea126c, drivers/nvme/host/pci.c: "
_VFIO = "SPDK 3230130e, lib/nvmf/vfio_user.c: "
_DRIVER = "SPDK 3230130e, lib/nvme/"
_QEMU = "QEMU d922088e, hw/nvme/ctrl.c: "
_PROPOLIS = "Propolis 372a5744, hw/nvme/queue.rs: "
_OPENVMM = "OpenVMM 1488a37b, vm/devices/storage/nvme/src/queue.rs: "
_NVMET = "nvmet-mdev-pci 6cff00f99f33, drivers/nvme/target/mdev-pci/queue.c: "
_MDEV = "nvme-mdev, the fork's drivers/nvme/mdev/vsq.c: "
_FEMU = "FEMU 7b7eaf13, hw/femu/"
_USNVMEMU = "usnvmemu 076aeeb3, nvme_firmware/src/controller/mod.rs: "

KERNELS = (
    Kernel(
        SQE, "SPDK's driver", _SUBMITS, _TAKES, f"{_DRIVER}nvme_pcie_internal.h: nvme_pcie_qpair_update_mmio_required"
    ),
    Kernel(SQE, "Linux", _SUBMITS, _TAKES, f"{_LINUX}nvme_dbbuf_update_and_check_event"),
    Kernel(
        *(SQE, "SPDK's driver before 3a7a66e505", "sqe=1; tail=1; fence full; e=event", _TAKES),
        "the same before its spdk_wmb (issue 1828)",
    ),
    Kernel(SQE, "SPDK's target", _SUBMITS, "t=tail; fence ld; s=sqe", f"{_VFIO}nvmf_vfio_user_sq_poll"),
    Kernel(SQE, "SPDK's target before 93db90f7f3", _SUBMITS, "t=tail; s=sqe", "the same before its spdk_rmb"),
    Kernel(SQE, "QEMU", _SUBMITS, "t=tail; fence full; s=sqe", f"{_QEMU}nvme_process_sq, nvme_addr_read"),
    Kernel(
        *(SQE, "Propolis", _SUBMITS, "lock sq; t=tail; fence acquire; s=sqe; unlock sq"),
        f"{_PROPOLIS}SubQueue::pop, db_buf_read",
    ),
    Kernel(
        *(SQE, "OpenVMM", _SUBMITS, "lock doorbells; t=tail; unlock doorbells; s=sqe"),
        f"{_OPENVMM}DoorbellState::probe_inner, SubmissionQueue::poll_next",
    ),
    Kernel(SQE, "nvmet-mdev-pci", _SUBMITS, "t=tail; fence ld; s=sqe", f"{_NVMET}nvmet_mdev_sq_work: dma_rmb"),
    Kernel(SQE, "nvme-mdev", _SUBMITS, "t=tail; s=sqe", f"{_MDEV}nvme_mdev_vsq_get_cmd"),
    Kernel(SQE, "FEMU", _SUBMITS, "t=tail; s=sqe", f"{_FEMU}nvme-io.c: nvme_process_sq_io, nvme_copy_cmd"),
    Kernel(SQE, "usnvmemu", _SUBMITS, "t=tail; s=sqe", f"{_USNVMEMU}handle_shadow_sq; dma.rs: mmap_read, twice"),
    Kernel(CQE, "Linux", _REAPS, _POSTS, f"{_LINUX}nvme_poll_cq"),
    Kernel(CQE, "Linux before b69e2ef24b7b", "p=phase; c=cqe", _POSTS, "the same before its dma_rmb"),
    Kernel(CQE, "SPDK's driver", _REAPS, _POSTS, f"{_DRIVER}nvme_pcie_common.c: nvme_pcie_qpair_process_completions"),
    Kernel(CQE, "libvfn", _REAPS, _POSTS, "libvfn 81e9da3c, include/vfn/nvme/queue.h: nvme_cq_get_cqe"),
    Kernel(CQE, "libvfn before 9e4191a0", "p=phase; c=cqe", _POSTS, "the same before its dma_rmb"),
    Kernel(CQE, "SPDK's target", _REAPS, "cqe=1; phase=1; fence st", f"{_VFIO}post_completion"),
    Kernel(CQE, "SPDK's target before b7775dae8e", _REAPS, "phase=1; cqe=1", "the same: the phase before the status"),
    Kernel(CQE, "QEMU", _REAPS, "fence full; cqe=1; phase=1", f"{_QEMU}nvme_post_cqes: one copy of 16 bytes"),
    Kernel(CQE, "Propolis", _REAPS, "lock cq; cqe=1; cqe=1; phase=1; unlock cq", f"{_PROPOLIS}CompQueue::push"),
    Kernel(CQE, "OpenVMM", _REAPS, "cqe=1; fence release; phase=1; fence release", f"{_OPENVMM}CompletionQueue::write"),
    Kernel(CQE, "OpenVMM before #506", _REAPS, "cqe=1; phase=1", "the same before ffdc8f786: one copy of 16 bytes"),
    Kernel(CQE, "nvmet-mdev-pci", _REAPS, "cqe=1; fence st; phase=1; fence st", f"{_NVMET}nvmet_mdev_cq_work"),
    Kernel(
        *(CQE, "nvmet-mdev-pci before 28387e1aaeff", _REAPS, "cqe=1; phase=1; fence st"),
        "the same at c982e4b28482: one copy of 16 bytes, then dma_wmb",
    ),
    Kernel(CQE, "FEMU", _REAPS, _POSTS, f"{_FEMU}nvme-util.c: nvme_write_cqe: smp_wmb"),
    Kernel(
        *(CQE, "FEMU before 04ce8b1a7", _REAPS, "cqe=1; phase=1"),
        "the same at 99ce4fb2: nvme-io.c: nvme_post_cqe: one copy of 16 bytes",
    ),
    Kernel(
        *(CQE, "usnvmemu", _REAPS, "cqe=1; phase=1; lock irq; unlock irq"),
        f"{_USNVMEMU}post_cqe; dma.rs: mmap_write, a copy of 16 bytes; irq.rs: fire",
    ),
    Kernel(SQ, "Linux, SPDK's driver", _SUBMITS, _ARMS, "as above"),
    Kernel(SQ, "Linux before f1ed3df2", "sqe=1; fence st; tail=1; e=event", _ARMS, "the same before its mb"),
    Kernel(SQ, "SPDK's target", _SUBMITS, "event=1; fence full; t=tail; fence ld", f"{_VFIO}set_sq_eventidx"),
    Kernel(
        *(SQ, "QEMU", _SUBMITS, "event=1; fence full; t=tail"),
        f"{_QEMU}nvme_process_sq; include/system/dma.h: dma_barrier",
    ),
    Kernel(
        *(SQ, "Propolis", _SUBMITS, "lock sq; fence release; event=1; unlock sq; lock sq; t=tail; unlock sq"),
        f"{_PROPOLIS}SubQueue::pop twice, as a worker does before it sleeps",
    ),
    Kernel(SQ, "OpenVMM", _SUBMITS, "event=1; fence full; t=tail", f"{_OPENVMM}DoorbellState::probe_inner"),
    Kernel(SQ, "nvme-mdev", _SUBMITS, _ARMS, f"{_MDEV}nvme_mdev_vsq_suspend_io"),
    Kernel(SQ, "usnvmemu", _SUBMITS, "event=1; t=tail", f"{_USNVMEMU}handle_shadow_sq; dma.rs: mmap_write, mmap_read"),
    Kernel(SQ, "nvmet-mdev-pci", _SUBMITS, "event=1; fence full; t=tail", f"{_NVMET}nvmet_mdev_arm_sq_event"),
    Kernel(CQ, "QEMU", _PUBLISHES, "event=1; fence full; h=head", f"{_QEMU}nvme_post_cqes"),
    Kernel(
        *(CQ, "Propolis", _PUBLISHES, "lock cq; fence release; event=1; unlock cq; lock cq; h=head; unlock cq"),
        f"{_PROPOLIS}CompQueue::push, then reserve_entry",
    ),
    Kernel(CQ, "OpenVMM", _PUBLISHES, "event=1; fence full; h=head", f"{_OPENVMM}CompletionQueue::poll_ready"),
    Kernel(CQ, "nvmet-mdev-pci", _PUBLISHES, "event=1; fence full; h=head", f"{_NVMET}nvmet_mdev_arm_cq_event"),
)
"""What the sources do, and what some did before a fix. The other side is a source that has all its orders."""
