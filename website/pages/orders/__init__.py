"""Orders of single accesses: the tables of docs/memory.md, which are decided as they are written."""
