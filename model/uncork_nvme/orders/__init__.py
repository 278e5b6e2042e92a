"""Orders of single accesses: programs of a few loads and stores, under x86-TSO and under Arm's memory."""
