"""`uncork trace`, `simulate` and `record`: runs."""
