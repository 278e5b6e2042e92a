"""Exporters: a system in the language of another tool, one module for each. They reject what they cannot express."""

from __future__ import annotations


class Inexpressible(Exception):
    """The target language cannot express something, which the message names. Nothing approximate is written instead."""
