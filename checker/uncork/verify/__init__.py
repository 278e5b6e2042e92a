"""`uncork verify`: what was written down of a proof, or of a check, is checked by others than who found it."""
