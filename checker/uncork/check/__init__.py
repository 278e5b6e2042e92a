"""`uncork check`: checks instances and compares the verdicts with the expected ones."""
