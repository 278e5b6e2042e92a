"""Loads the model with one token changed."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_PACKAGES = ("uncork_nvme", "uncork_properties")


class _Patched(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, old: str, new: str) -> None:
        super().__init__(name, path)
        self.old, self.new = old, new

    def path_stats(self, path: str) -> Any:
        raise OSError("never from the cache")

    def set_data(self, *_: Any, **__: Any) -> None:
        """Never into the cache."""

    def get_data(self, path: str) -> bytes:
        source = super().get_data(path).decode()
        assert source.count(self.old) == 1, f"{self.old!r} stands {source.count(self.old)} times in {path}"
        return source.replace(self.old, self.new).encode()


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, old: str, new: str) -> None:
        self.name, self.old, self.new = name, old, new

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if not (name.startswith("uncork_nvme.") and name.endswith(f".{self.name}")):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None and spec.origin is not None
        spec.loader = _Patched(name, spec.origin, self.old, self.new)
        return spec


@contextmanager
def mutated(module: str, old: str, new: str) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The modules `instance` and `catalogue` (of properties) over a model in which `old` became `new` in one module."""

    def loaded() -> list[str]:
        return [name for name in sys.modules if name.split(".")[0] in _PACKAGES]

    kept = {name: sys.modules.pop(name) for name in loaded()}
    finder = _Finder(module, old, new)
    sys.meta_path.insert(0, finder)
    try:
        yield (
            importlib.import_module("uncork_nvme.instance"),
            importlib.import_module("uncork_properties.catalogue"),
        )
    finally:
        sys.meta_path.remove(finder)
        for name in loaded():
            del sys.modules[name]
        sys.modules.update(kept)
