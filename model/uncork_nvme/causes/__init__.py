"""How the machine goes wrong, in words: what an SQ waits for in vain, and how invariants break."""
