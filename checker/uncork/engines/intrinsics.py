"""Instructions that hot loops need and Python cannot express, as numba intrinsics. `compiling` declares them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@intrinsic  # type: ignore[untyped-decorator]
def call(_context: Any, address: Any, state: Any, out: Any, labels: Any) -> Any:
    """Calls `i64 f(ptr, ptr, ptr)` at an address."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        function = builder.inttoptr(arguments[0], ir.FunctionType(word, [word, word, word]).as_pointer())
        return builder.call(function, arguments[1:])

    return types.int64(types.intp, types.intp, types.intp, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(_context: Any, address: Any) -> Any:
    """Prefetches the memory at an address that will soon be read. Returns the address."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        to_read, keep, data = number(0), number(3), number(1)
        builder.call(function, [builder.inttoptr(arguments[0], byte), to_read, keep, data])
        return arguments[0]

    return types.intp(types.intp), generate
