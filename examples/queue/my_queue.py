"""The device of examples/queue/queue.c."""

from uncork_nvme import NO, YES, Device, InWorker, Kept, Kicks, Park, Permits, Post, Reader

mine = Device(
    "queue",
    "One worker, which runs the commands.",
    "examples/queue/queue.c: sq_work, cq_post, cq_doorbell",
    policy="head",  # cq_post
    parts={
        Reader: {"sq_read": "each", "sq_arm": "idle", "sq_event": "head", "sq_reread": NO},  # sq_work
        Permits: {},  # sq_work: no entry is taken without room
        Park: {},  # sq_work: corked
        Post: {"post_order": "arm-then-read"},  # cq_post
        InWorker: {},  # sq_work runs, and posts
        Kept: {},  # wake_worker: once more, if it is running
        Kicks: {"kick_on_doorbell": YES, "kick_on_post": YES},  # uncork, from cq_doorbell and cq_post
    },
)
mended = mine.but("queue-mended", "As queue, and it looks again before it sleeps.", {Reader: {"sq_reread": YES}})
