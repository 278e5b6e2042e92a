"""`uncork repair` and `uncork frontier`: the search for designs that are live."""
