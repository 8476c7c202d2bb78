"""`dataclass` as in the standard library, made in a tenth of the time: a program that starts for one check has a hundred of them.

The standard library writes and compiles the source of six methods for each class, half a millisecond a time. Here the fields are
read by it as ever, and the methods are ready-made; only `__init__` is compiled, for a class that is used, when it is first used.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass  # what type checkers know how to read

__all__ = ["dataclass"]

if not TYPE_CHECKING:

    def dataclass(*, frozen: bool = False, slots: bool = False) -> Callable[[type], type]:
        """Make a dataclass. `frozen`, `slots`: as in the standard library."""

        def make(cls: type) -> type:
            made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            for name, method in _methods(made, frozen=frozen).items():
                if name not in cls.__dict__:
                    setattr(made, name, method)
            return made

        return make


def _methods(cls: type, *, frozen: bool) -> dict[str, Any]:
    """Return the methods of a class, by name."""
    fields = dataclasses.fields(cls)
    values = _getter([one.name for one in fields])
    compared = _getter([one.name for one in fields if one.compare])
    shown = [one.name for one in fields if one.repr]

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        made = _init(cls, frozen=frozen)
        cls.__init__ = made  # type: ignore[misc]  # this was only until now
        made(self, *args, **kwargs)

    def same(self: object, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    @recursive_repr()
    def described(self: object) -> str:
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def reduced(self: object) -> tuple[type, tuple[Any, ...]]:
        return self.__class__, values(self)

    methods: dict[str, Any] = {"__init__": init, "__eq__": same, "__repr__": described, "__hash__": None}
    if frozen:
        methods |= {"__hash__": lambda self: hash(compared(self)), "__setattr__": _unchangeable, "__delattr__": _unchangeable}
        methods["__reduce__"] = reduced  # without, pickle would set fields
    return methods


def _getter(names: list[str]) -> Callable[[object], tuple[Any, ...]]:
    """Return a function that returns the values of some fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda one: (getattr(one, names[0]),)) if names else (lambda one: ())  # noqa: ARG005


def _unchangeable(self: object, name: str, *_: object) -> None:
    msg = f"{name!r} of a frozen {self.__class__.__qualname__}"
    raise dataclasses.FrozenInstanceError(msg)


def _init(cls: type, *, frozen: bool) -> Callable[..., None]:
    """Write and compile the method that sets the fields."""
    known: dict[str, Any] = {"_missing": dataclasses.MISSING, "_set": object.__setattr__}
    parameters, lines = ["self"], []
    for number, one in enumerate(dataclasses.fields(cls)):
        value = one.name
        if one.default_factory is not dataclasses.MISSING:
            known[f"_made{number}"] = one.default_factory
            parameters.append(f"{one.name}=_missing")
            value = f"_made{number}() if {one.name} is _missing else {one.name}"
        elif one.default is not dataclasses.MISSING:
            known[f"_usual{number}"] = one.default
            parameters.append(f"{one.name}=_usual{number}")
        else:
            parameters.append(one.name)
        slot = cls.__dict__.get(one.name)
        if frozen and slot is not None and hasattr(slot, "__set__"):
            known[f"_set{number}"] = slot.__set__  # quicker than to look for it
            lines.append(f" _set{number}(self, {value})")
        else:
            lines.append(f" _set(self, {one.name!r}, {value})" if frozen else f" self.{one.name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or " pass"), known)  # noqa: S102  names of our own fields
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made
