"""Exporters: a system in the languages of other tools, one module a format. They refuse what they cannot express."""

from __future__ import annotations


class Inexpressible(Exception):
    """The target cannot express something. The message says what; nothing that is almost right is emitted instead."""
