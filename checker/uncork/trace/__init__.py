"""`uncork trace`, `simulate` and `record`: print runs."""
