"""What examples/harness/ring.c and ring.rs do, as a device of uncork: which steps they take, and in which order."""

from uncork_nvme import NO, YES, Cycle, Device, InWorker, Kept, Kicks, Park, Permits, Post, Reader

ring = Device(
    "ring",
    "Each SQ has a worker, which runs the commands and writes the completions.",
    "examples/harness/ring.c: worker, look, post, sq_doorbell, cq_doorbell, delete_sq, create_sq",
    policy="head",  # post
    parts={
        Reader: {"sq_read": "each", "sq_arm": "idle", "sq_event": "head", "sq_reread": YES},  # look
        Permits: {},  # look: no entry is taken without a permit
        Park: {},  # look: corked
        Post: {"post_order": "arm-then-read"},  # post
        InWorker: {},  # worker runs the command, and posts
        Kept: {},  # notify: once more, if the worker is awake
        Kicks: {  # kick, from cq_doorbell, post, look (twice) and release
            "kick_on_doorbell": YES,
            "kick_on_post": YES,
            "kick_on_reserve": YES,
            "kick_on_remit": YES,
            "kick_on_release": YES,
        },
        Cycle: {"look_on_change": NO, "words": "keep", "on_create": "both", "on_delete": "return"},
    },
)
