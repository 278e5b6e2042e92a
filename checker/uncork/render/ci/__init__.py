"""What a check found, for the tools of a CI."""
