"""`uncork cost`: computes exact costs of a policy."""
