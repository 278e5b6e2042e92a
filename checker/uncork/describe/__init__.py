"""`uncork list` and `uncork show`: what there is."""
