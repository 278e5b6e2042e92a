"""Compiles the hot loops, and caches their machine code in files between runs.

Numba compiles the loops, but importing numba takes longer than deciding a small system. So the machine code is cached,
and a cached file is loaded by LLVM alone. The name of a file is a hash of everything that its code depends on: the
source of every engine module, the versions of Python and of the compilers, the processor, and the types of the
arguments. A file starts with a hash of its content, so a damaged file is detected and compiled again.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from uncork.engines import waiting

_SAID = "UNCORK_KEEPS_NO_CODE"
"""The variable that is set once the note is printed. Child processes inherit it, and do not print the note again."""

_ROOM = 2**20
"""Bytes of free space that a folder for code needs."""

_COMPILES = "compiling the loops of the {}: once after an install, half a minute or so"
"""What is told while nothing else happens."""

_BEGUN: list[Callable[..., Any]] = []
"""Functions that numba compiles now: one that another calls is compiled within it."""

_DIGEST = hashlib.sha256().digest_size

_Types = tuple[Any, ...]
"""The type of each argument: an `_Array`, "int", or a tuple of these."""


class _Array(NamedTuple):
    """The type of an array: of its elements, and how many dimensions it has."""

    kind: str
    dimensions: int


@cache
def kept() -> Path | None:
    """The folder where code is cached, or None if no folder is writable, which a note says once.

    Call it before starting processes that compile, so that only one of them prints the note.
    """
    found = next((place for place in _places() if _takes(place)), None)
    if found is None and _SAID not in os.environ:
        _say()
    return found


def foretell() -> None:
    """Tells listeners that loops have to be compiled, if no code of this version is kept yet.

    Call it before starting processes that compile: nobody listens there.
    """
    folder = kept()
    if folder is None or next(folder.glob(f"*-{_mark()}*.o"), None) is None:
        waiting(_COMPILES.format("search"))


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a function of arrays, whole numbers and tuples of them that returns a whole number: compiles it.

    The function must not allocate or raise. Array indices are not checked. The compiled code runs without the GIL. The
    function may call functions that are `inlined`.
    """
    made: dict[_Types, Callable[..., int]] = {}

    def call(*args: Any) -> int:
        types = tuple(_type(arg) for arg in args)
        if types not in made:
            made[types] = _made(function, types)
        flat: list[int] = []
        for arg in args:
            _flatten(arg, flat)
        return made[types](*flat)

    call.__doc__, call.__name__ = function.__doc__, function.__name__
    call.__wrapped__ = function  # type: ignore[attr-defined]
    return call


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a function that only `compiled` functions call; it is compiled with them."""
    function.__inlined__ = True  # type: ignore[attr-defined]
    return function


@inlined
def call(address: int, state: int, out: int, labels: int) -> int:
    """Calls `i64 f(ptr, ptr, ptr)` at an address."""
    raise NotImplementedError  # `intrinsics` has the code


@inlined
def prefetch(address: int) -> int:
    """Prefetches the memory at an address that will soon be read. Returns the address."""
    raise NotImplementedError


def with_numba(function: Callable[..., Any]) -> Any:
    """Compiles a loop that draws numba's random numbers, and so needs numba at run time. Numba caches its code."""
    place = kept()
    if place is not None:
        os.environ.setdefault("NUMBA_CACHE_DIR", str(place))
    from numba import njit

    found = njit(cache=place is not None, nogil=True)(function)
    if place is not None:
        ours = found._cache
        load, save = ours.load_overload, ours.save_overload

        def loaded(*args: Any) -> Any:
            code = _or_nothing(load, *args)
            if code is None:
                _BEGUN.append(function)
                waiting(_COMPILES.format("simulation"))
            return code

        def saved(*args: Any) -> None:
            _or_nothing(save, *args)
            _BEGUN.remove(function)
            if not _BEGUN:
                waiting("")

        ours.load_overload, ours.save_overload = loaded, saved
    return found


def _or_nothing(do: Callable[..., Any], *args: Any) -> Any:
    """The result of a cache operation, or None if it fails. The pickles of a damaged cache may raise anything."""
    try:
        return do(*args)
    except Exception:
        if _SAID not in os.environ:
            _say()
        return None


# -- arguments ---------------------------------------------------------------------------------------------------------
def _type(arg: Any) -> Any:
    if isinstance(arg, np.ndarray):
        return _Array(arg.dtype.str, arg.ndim)
    return tuple(_type(each) for each in arg) if isinstance(arg, tuple) else "int"


def _flatten(arg: Any, flat: list[int]) -> None:
    """Appends an argument as numba passes it: an array is owner, size, bytes per element, address, shape, strides."""
    if isinstance(arg, np.ndarray):
        if not arg.flags.c_contiguous:
            raise TypeError("an array whose elements do not follow one another")
        flat += (0, 0, arg.size, arg.itemsize, arg.ctypes.data, *arg.shape, *arg.strides)
    elif isinstance(arg, tuple):
        for each in arg:
            _flatten(each, flat)
    else:
        flat.append(arg)


def _words(types: Any) -> int:
    """The number of words in which an argument is passed."""
    if types == "int":
        return 1
    return 5 + 2 * types.dimensions if isinstance(types, _Array) else sum(_words(each) for each in types)


# -- code --------------------------------------------------------------------------------------------------------------
def _made(function: Callable[..., Any], types: _Types) -> Callable[..., int]:
    name = f"{function.__module__}.{function.__name__}"
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(_object(function, name, types)))
    engine.finalize_object()
    word, address = ctypes.c_int64, ctypes.c_void_p
    kind = ctypes.CFUNCTYPE(ctypes.c_int32, address, address, *[word] * sum(_words(each) for each in types))
    code = kind(engine.get_function_address(_symbol(name, types)))

    def call(*flat: int) -> int:
        answer, raised = word(), address()
        if code(ctypes.byref(answer), ctypes.byref(raised), *flat):
            raise AssertionError(f"{name} raises an exception")
        return answer.value

    return call


def target(level: int) -> Any:
    """LLVM's code generator for this processor, at an optimisation level of 0 to 3."""
    _ready()
    name, features = _processor()
    return llvm.Target.from_default_triple().create_target_machine(cpu=name, features=features, opt=level)


@cache
def _ready() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@cache
def _processor() -> tuple[str, str]:
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


@cache
def _engine() -> Any:
    """Returns what holds the machine code of all loops. It is never freed.

    At a signal the process ends while another thread may still run that code.
    """
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target(3))
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    return engine


def _symbol(name: str, types: _Types) -> str:
    return f"{name}.{hashlib.sha256(repr(types).encode()).hexdigest()[:16]}"


@cache
def _depends() -> bytes:
    """A hash of everything that compiled code depends on, except the types of its arguments."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        found.update(path.read_bytes())
    versions = sys.version, llvmlite.__version__, np.__version__, _numba()
    found.update(repr((versions, _processor())).encode())
    return found.digest()


def _mark() -> str:
    """What the names of the files of this version have in common."""
    return _depends().hex()[:8]


def _numba() -> bytes:
    """The source of numba's version, read without importing numba."""
    spec = importlib.util.find_spec("numba")
    return b"" if spec is None or spec.origin is None else Path(spec.origin).with_name("_version.py").read_bytes()


def _object(function: Callable[..., Any], name: str, types: _Types) -> bytes:
    """The object file of a function, from the cache or newly compiled and then cached."""
    folder = kept()
    file = None
    if folder is not None:
        key = hashlib.sha256(_depends() + _symbol(name, types).encode()).hexdigest()
        family = f"{_symbol(name, types)}.{sys.implementation.cache_tag}"
        file = folder / f"{family}-{_mark()}{key[:24]}.o"
        with contextlib.suppress(OSError):
            found = file.read_bytes()
            if hashlib.sha256(found[_DIGEST:]).digest() == found[:_DIGEST]:
                return found[_DIGEST:]
    waiting(_COMPILES.format("search"))
    made = _compile(function, name, types)
    if file is not None:
        _keep(file, hashlib.sha256(made).digest() + made)
        for old in file.parent.glob(f"{family}-*.o"):
            if old != file:
                with contextlib.suppress(OSError):
                    old.unlink()
    return made


def _compile(function: Callable[..., Any], name: str, types: _Types) -> bytes:
    import numba

    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy", "_nrt": False}
    # The functions that it calls are compiled with it. A copy of its globals leaves the module itself unchanged.
    names = dict(function.__globals__)
    for other, value in names.items():
        if getattr(value, "__inlined__", False):
            names[other] = _part(value, options)
    copy = FunctionType(function.__code__, names, function.__name__)
    arguments = tuple(_numba_type(numba, each) for each in types)
    found = numba.njit(**options)(copy)
    found.compile(arguments)
    if found.overloads[arguments].signature.return_type not in (numba.int64, numba.boolean, numba.uint64):
        raise AssertionError(f"{name} gives no whole number")
    text = found.inspect_llvm(arguments)
    module = llvm.parse_assembly(text)
    module.get_function(found.overloads[arguments].fndesc.llvm_func_name).name = _symbol(name, types)
    return bytes(target(3).emit_object(module))


def _part(function: Any, options: dict[str, Any]) -> Any:
    import numba

    if function.__module__ == __name__:
        from uncork.engines import intrinsics

        return getattr(intrinsics, function.__name__)
    names = function.__globals__
    inner = {n: _part(v, options) for n in function.__code__.co_names if getattr(v := names.get(n), "__inlined__", 0)}
    copy = FunctionType(function.__code__, {**names, **inner}, function.__name__, function.__defaults__)
    return numba.njit(**options)(copy)


def _numba_type(numba: Any, types: Any) -> Any:
    if types == "int":
        return numba.int64
    if isinstance(types, _Array):
        return numba.types.Array(numba.from_dtype(np.dtype(types.kind)), types.dimensions, "C")
    return numba.types.Tuple([_numba_type(numba, each) for each in types])


# -- where it is kept --------------------------------------------------------------------------------------------------
def _keep(file: Path, content: bytes) -> None:
    """Writes a file atomically, since another process may write or read the same file."""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as draft:
            draft.write(content)
        os.replace(draft.name, file)
    except OSError:
        with contextlib.suppress(OSError, NameError):
            os.unlink(draft.name)
        if _SAID not in os.environ:
            _say()


def _places() -> Sequence[Path]:
    """The folders where code may be cached, in the order of preference."""
    given, home = os.environ.get("UNCORK_CODE"), os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    places = [Path(given)] if given else []
    places.append(Path(__file__).parent / "__pycache__")
    # For a user without a home, `expanduser` leaves the ~.
    return places + ([Path(home) / "uncork"] if os.path.isabs(home) else [])


def _takes(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(_ROOM))
    except OSError:
        return False
    return True


def _say() -> None:
    os.environ[_SAID] = "yes"
    print(
        "note: compiled code cannot be kept here, and is compiled anew; UNCORK_CODE names a folder that can be written",
        file=sys.stderr,
    )
