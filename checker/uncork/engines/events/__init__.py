"""Runs a timed system event by event, from machine code of its own actions: costs at sizes that no search reaches."""

from uncork.engines.events.simulate import Measured, simulate

__all__ = ["Measured", "simulate"]
