"""Traces, tables and progress for people and for other programs. Rich is imported only here."""
