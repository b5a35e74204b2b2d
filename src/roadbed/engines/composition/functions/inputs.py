"""Reading a function's input, which no schema has checked: every fault is named with its field.

Called by the built-in functions while they parse their input. ``Reader`` walks JSON that a person wrote
inside a Composition; the messages have the form of Kubernetes' field errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


class InputError(ValueError):
    """The input makes no sense; the message begins with the path of the field."""


def required(path: str, detail: str) -> InputError:
    """Give the error for a field that must be set."""
    return InputError(f"{path}: Required value: {detail}")


def invalid(path: str, value: object, detail: str) -> InputError:
    """Give the error for a field that has a wrong value."""
    shown = f'"{value}"' if isinstance(value, str) else repr(value)
    return InputError(f"{path}: Invalid value: {shown}: {detail}")


@dataclass(frozen=True, slots=True)
class Reader:
    """One JSON object of the input and where it is. Getters raise InputError for a wrong type."""

    value: dict[str, Any]
    path: str = ""

    def at(self, name: str) -> str:
        """Give the path of a member."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        """Say whether a member is set to anything but null."""
        return self.value.get(name) is not None

    def text(self, name: str) -> str:
        """Give a string, empty where it is not set."""
        return str(self._typed(name, str, "") or "")

    def integer(self, name: str) -> int | None:
        """Give a whole number, or None."""
        value = self.value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or int(value) != value:
            raise invalid(self.at(name), value, "must be an integer")
        return int(value)

    def child(self, name: str) -> Reader | None:
        """Give a nested object, or None."""
        value = self._typed(name, dict, None)
        return None if value is None else Reader(value, self.at(name))

    def children(self, name: str) -> Iterator[Reader]:
        """Give the objects of an array."""
        for index, value in enumerate(self._typed(name, list, None) or ()):
            path = f"{self.at(name)}[{index}]"
            if not isinstance(value, dict):
                raise invalid(path, value, "must be an object")
            yield Reader(value, path)

    def _typed(self, name: str, kind: type[str | dict[str, Any] | list[Any]], default: Any) -> Any:
        value = self.value.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            wanted = {"str": "a string", "dict": "an object", "list": "an array"}
            raise invalid(self.at(name), value, f"must be {wanted[kind.__name__]}")
        return value
