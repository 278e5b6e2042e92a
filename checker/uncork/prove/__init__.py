"""`uncork prove`: proofs for queues of every size, and their certificates."""
