"""What is asked of a system besides properties: costs, times, proofs for every size, and whether a log is a run."""
