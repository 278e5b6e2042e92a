"""Writes the results of a check for CI tools."""

FORMATS = ("junit", "sarif", "markdown")
"""The modules that write files. Each has a function `dumps`."""
