"""A device of choices only: what it does is what parts of the catalogue do, each with its settings.

uncork check --device examples/devices/completer.py:mine --guest linux --sqs 1
"""

from uncork_nvme import NO, YES, Detached, Device, Kept, Kicks, Park, Permits, Post, Reader

mine = Device(
    "completer",
    "Completions come from a thread of their own, which arms before it reads.",
    "completer 1.4, src/queue.c: sq_pop, cq_post",  # where you read it: version or commit, file, functions
    policy="head",
    parts={
        Reader: {"sq_read": "each", "sq_arm": "each", "sq_event": "head", "sq_reread": YES},  # sq_pop
        Permits: {},  # sq_pop takes a command only with a free CQ slot
        Park: {},
        Post: {"post_order": "arm-then-read"},  # cq_post
        Detached: {},
        Kept: {},
        Kicks: {"kick_on_doorbell": YES, "kick_on_post": YES},
    },
    assumes="The thread that completes takes no more than one completion at a time.",
)

without_the_kick = mine.but("without-the-kick", "As completer, but a post wakes no SQ.", {Kicks: {"kick_on_post": NO}})
