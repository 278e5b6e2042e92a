"""uncork: decides whether a guarded-command system can get stuck, and shows how.

`uncork.api` has what a script calls. Nothing in `core` and `engines` knows what NVMe is; `uncork_nvme` has the machine,
`uncork_properties` what must hold of it.
"""

__version__ = "0.1.0"
