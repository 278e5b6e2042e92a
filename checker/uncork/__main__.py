"""`python -m uncork` is `uncork`."""

from uncork.cli import main

main()
