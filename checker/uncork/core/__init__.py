"""The one language: expressions, systems, properties, traces and verdicts, as inert data."""
