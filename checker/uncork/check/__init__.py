"""`uncork check`: instances are checked, and held against what is expected of them."""
