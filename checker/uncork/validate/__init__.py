"""`uncork validate`: checks that the log of a real device is a run of the model."""
