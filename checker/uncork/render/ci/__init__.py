"""What a check found, for the tools of a CI."""

FORMATS = ("junit", "sarif", "markdown")
"""The modules here that write files; each has `dumps`."""
