"""Frozen records that cost little to define."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """A frozen dataclass: its fields are set once, it is equal to one of its class with the same fields, it has a hash.

    `dataclass(frozen=True)` writes and compiles six functions for each class, and a command loads two hundred classes.
    Here `__init__` alone is compiled; the others serve every class (docs/decisions/0068).
    `fields`, `replace` and `asdict` of the standard library take records as they take dataclasses.
    """
    made = dataclass(repr=False, eq=False)(cls)
    known = fields(made)  # type: ignore[arg-type]  # what `dataclass` gives is one
    names = frozenset(each.name for each in known)
    compared = _values(*(each.name for each in known if each.compare))
    shown = tuple(each.name for each in known if each.repr)

    def same(self: T, other: object) -> object:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def show(self: T) -> str:
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def set_once(self: T, name: str, value: object) -> None:
        if name not in names or name in self.__dict__:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def keep(_: T, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    given = cls.__dict__
    methods: dict[str, Callable[..., Any]] = {
        "__eq__": same,
        "__hash__": lambda self: hash(compared(self)),
        "__repr__": show,
        "__setattr__": set_once,
        "__delattr__": keep,
    }
    for name, method in methods.items():
        if name not in given:
            setattr(made, name, method)
    return made


def _values(*names: str) -> Callable[[object], Any]:
    """What reads these attributes of an object, as something that can be compared and hashed."""
    return attrgetter(*names) if names else lambda _: ()
