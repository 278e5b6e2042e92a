"""The machine: one NVMe completion queue, the submission queues that complete into it, their guest and their device.

Terms are the NVMe Base Specification's (Doorbell Buffer Config, 2.x 5.2.5 and Annex B.5; 1.3 and 1.4 5.7 and 7.13) and
Oxide Propolis's (permit, corked, kick). This package knows no engine.
"""

from uncork.core.expr import ite, maximum, minimum

from uncork_nvme.policies import LEAVE, CQView, leave_if, policy

__all__ = ["LEAVE", "CQView", "ite", "leave_if", "maximum", "minimum", "policy"]
