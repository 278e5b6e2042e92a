"""Makes pages and pictures for browsers."""
