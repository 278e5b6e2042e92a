"""Decides instances, one or many; compares verdicts with the expected ones; exit codes, signals."""
