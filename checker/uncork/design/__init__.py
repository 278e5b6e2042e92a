"""`uncork repair` and `uncork frontier`: search for live designs."""
