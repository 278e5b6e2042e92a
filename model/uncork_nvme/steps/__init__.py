"""The steps of a machine, in protocol order."""
