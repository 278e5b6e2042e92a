"""Verdicts on instances: one, many, held against what is expected; and how that ends."""
