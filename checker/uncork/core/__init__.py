"""The modelling language as inert data: expressions, systems, properties, traces and verdicts."""

from collections.abc import Callable

before_own_code: list[Callable[[str], None]] = []
"""Called with the path of a file before the first code of the user's own runs in this process."""
