"""uncork: decides whether a guarded-command system can get stuck, and shows how.

Nothing in this package but the command line knows what NVMe is; see
`uncork_nvme` for the machine and `uncork_properties` for what must hold of it.
"""

__version__ = "0.1.0"
