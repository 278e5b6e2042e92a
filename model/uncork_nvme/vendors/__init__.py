"""The devices and guests that were read: a file for each vendor."""
