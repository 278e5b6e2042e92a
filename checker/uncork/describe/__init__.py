"""`uncork list` and `uncork show`: describe the catalogue."""
