"""Frozen dataclasses that are defined faster than by `dataclasses.dataclass(frozen=True)`.

`dataclass` compiles six methods for each class. A command that checks one small instance defines some sixty classes,
and so spends a tenth of its time there. `frozen` compiles only `__init__`, and shares the code of the other methods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import Any, NoReturn, TypeVar, dataclass_transform

_Class = TypeVar("_Class", bound=type)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(of: _Class) -> _Class:
    """Makes a class a frozen dataclass: its annotations name the fields, and values are equal if their fields are."""
    dataclass(init=False, repr=False, eq=False)(of)  # records the fields without compiling anything
    parts = fields(of)
    names = tuple(part.name for part in parts)
    compared = tuple(part.name for part in parts if part.compare)

    def key(self: Any) -> tuple[Any, ...]:
        is_ = self.__dict__
        return tuple([is_[name] for name in compared])

    def equal(self: Any, other: object) -> Any:
        return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(key(self))

    def shown(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    own: dict[str, Callable[..., Any]] = {
        "__init__": _init(of),
        "__repr__": shown,
        "__setattr__": _set,
        "__delattr__": _delete,
        **({} if "__eq__" in of.__dict__ else {"__eq__": equal, "__hash__": hashed}),
    }
    for name, method in own.items():
        if name not in of.__dict__ or name == "__hash__":
            setattr(of, name, method)
    return of


def _init(of: Any) -> Callable[..., None]:
    """The `__init__` of a class, which takes the fields by position or by name."""
    known: dict[str, Any] = {}
    heads, lines = [], []
    for part in fields(of):
        name = part.name
        value = name
        if part.default is not MISSING:
            known[f"_{name}"] = part.default
            heads.append(f"{name}=_{name}")
        elif part.default_factory is not MISSING:
            known[f"_{name}"], known["_none"] = part.default_factory, MISSING
            heads.append(f"{name}=_none")
            value = f"_{name}() if {name} is _none else {name}"
        else:
            heads.append(name)
        lines.append(f" is_[{name!r}] = {value}\n")
    after = " self.__post_init__()\n" if hasattr(of, "__post_init__") else ""
    exec(f"def __init__(self, {', '.join(heads)}):\n is_ = self.__dict__\n{''.join(lines)}{after}", known)
    made: Callable[..., None] = known["__init__"]
    return made


def _set(self: object, name: str, _: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
