"""Engines that leave the search to Z3: bounded model checking, which refutes, and induction, which proves."""
