"""`uncork sweep`: decides many instances and keeps the verdicts in a file."""
