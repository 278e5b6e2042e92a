"""`uncork list`, `uncork show` and `uncork diff`: describe the catalogue."""
