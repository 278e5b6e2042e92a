"""Prints to a terminal."""
