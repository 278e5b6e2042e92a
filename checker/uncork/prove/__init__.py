"""`uncork prove` and `uncork verify`: for queues of every size."""
