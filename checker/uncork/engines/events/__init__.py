"""Runs a timed system event by event, from machine code of its own actions: costs at sizes that no search reaches."""
