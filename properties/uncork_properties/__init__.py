"""What must hold of the machine, and the expected verdicts as data."""
