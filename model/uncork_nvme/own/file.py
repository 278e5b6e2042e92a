"""Loads files of the user's own, and says in which of their lines an error is.

The policies of a file run in a process of their own (`own/policy.py`). A device or guest runs in this process: its
parts make steps, and properties and engines read the records of the machine that the parts have made, not only
expressions. So a device's file is trusted as uncork's own code is. What may go wrong in it by mistake becomes an error
message with its line: any exception, and `sys.exit`. A file that ends the process in another way does not decide the
exit code: the command runs it in a second process (`uncork.decide.apart`).
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType

from uncork.core.sorts import SlipError, did_you_mean

from uncork_nvme.choices import ChoiceError, InstanceError


class _AsWritten(importlib.machinery.SourceFileLoader):
    """Loads the current text of a file, and writes no byte code.

    Python would use old byte code for a file that was saved again in the same second with the same length.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def module(path: str) -> ModuleType:
    """Runs a file as a module that no other module can import. Its folder has to be on `sys.path`."""
    stem = Path(path).stem
    spec = importlib.util.spec_from_file_location(stem, path, loader=_AsWritten(stem, path))
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


class File:
    """A file of the user's own, with the files beside it that it imports."""

    def __init__(self, path: str) -> None:
        self.path, self._is = path, Path(path).resolve()
        self.modules: list[ModuleType] = []
        """The file's module, and those of the files beside it; empty until it is loaded."""
        self._beside: set[Path] = set()

    def load(self) -> None:
        """Runs the file. Raises what the file raises."""
        linecache.checkcache()
        before, made = set(sys.modules), list[ModuleType]()
        try:
            with self.running():
                made.append(module(str(self._is)))
        finally:  # files of other folders may have the same names, and these may be saved and loaded again
            for name in [name for name in set(sys.modules) - before if self._is_beside(name)]:
                made.append(sys.modules.pop(name))
            self._beside = {found for each in made if (found := _file(each))}
        self.modules = made

    def _is_beside(self, name: str) -> bool:
        """Whether a module is of a file in the folder of this file, or in a package there."""
        where = self._is.parent.joinpath(*name.split("."))
        return _file(sys.modules[name]) in (where.with_suffix(".py"), where / "__init__.py")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Runs code of the file: it may import its neighbours, no byte code is written, and it prints to stderr."""
        kept, written = list(sys.path), sys.dont_write_bytecode
        importlib.invalidate_caches()
        sys.path.insert(0, str(self._is.parent))
        sys.dont_write_bytecode = True
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        finally:
            sys.path[:] = kept
            sys.dont_write_bytecode = written

    def at(self, filename: str, line: int, said: str) -> str:
        """A sentence about a line, with the line's text below."""
        text = linecache.getline(filename, line).strip() if line else ""
        name = self.path if Path(filename).resolve() == self._is else os.path.relpath(filename)
        return f"{name}{f':{line}' if line else ''}: {said}" + (f"\n    {text}" if text else "")

    def where(self, error: BaseException) -> tuple[str, int] | None:
        """The line of the file, or of one beside it, that an error comes from or names; None if there is none."""
        if isinstance(error, SyntaxError) and error.filename and error.lineno:
            return error.filename, error.lineno
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if self._has(frame.filename):
                return frame.filename, frame.lineno or 0
        return self._named_in(str(error))

    def raises(self, error: BaseException) -> bool:
        """Whether an error is raised by a line of the file that says so; else it may come from a signal."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        return self._has(last.filename) and "raise" in (last.line or "")

    def _has(self, filename: str) -> bool:
        path = Path(filename)
        return path in self._beside or path.parent == self._is.parent

    def _named_in(self, said: str) -> tuple[str, int] | None:
        """Where a step or a part stands that an error names."""
        words = set(re.findall(r"\w+", said))
        for of in self.modules:
            path = str(_file(of))
            for name in words & vars(of).keys():
                value = inspect.unwrap(vars(of)[name]) if callable(vars(of)[name]) else None
                code = getattr(value, "__code__", None)
                if code and code.co_filename == path:
                    return path, code.co_firstlineno
                for number, line in enumerate(linecache.getlines(path), 1):
                    if inspect.isclass(value) and re.match(rf"class {name}\b", line):
                        return path, number
        return None


def _file(of: ModuleType) -> Path | None:
    name = getattr(of, "__file__", None)
    return Path(name).resolve() if name else None


@contextlib.contextmanager
def told(*files: tuple[File, int], choices: bool = False) -> Iterator[None]:
    """Turns an error into an `InstanceError` that has the line of one of some files, and the text of the line.

    Each file comes with the line that an error is about which is in no line, and names no step or part, of any file; it
    is the first file's. With `choices` a `ChoiceError` stays one, for callers that leave out what does not go together.
    """
    try:
        yield
    except GeneratorExit:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and not any(file.raises(error) for file, _ in files):  # Ctrl-C
            raise
        kind = ChoiceError if choices and isinstance(error, ChoiceError) else InstanceError
        for file, _ in files:
            if where := file.where(error):
                raise kind(file.at(*where, _said(error))) from None
        file, line = files[0]
        raise kind(file.at(file.path, line, _said(error))) from None


_TWICE = re.compile(r"got multiple values for keyword argument '(\w+)'")
_NO_IMPORT = re.compile(r"cannot import name '(\w+)' from 'uncork_nvme'")


def _said(error: BaseException) -> str:
    """What an error says, with what to write instead if that is known."""
    said = str(error)
    if found := _TWICE.search(said):
        return f"there is a variable {found[1]!r} already: give yours another name"
    if found := _NO_IMPORT.search(said):
        import uncork_nvme

        return f"uncork_nvme has no {found[1]!r}{did_you_mean(found[1], uncork_nvme.__all__)}"
    if isinstance(error, SyntaxError):
        return error.msg
    if isinstance(error, (SlipError, ChoiceError, InstanceError)):
        return said
    kind = type(error).__name__
    if not isinstance(error, Exception):
        return f"{kind}{f' ({said})' if said else ''}: a file declares devices, and does not end the process"
    return f"{kind}: {said}" if said else kind
