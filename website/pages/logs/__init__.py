"""How many logs are rejected after a small change."""
