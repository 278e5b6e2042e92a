"""`uncork conform exec`: a program of the user's own around a device, beside a model. See docs/harness.md."""
