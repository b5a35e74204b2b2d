"""Custom resources with a scale subresource: the numbers behind it are held to be numbers.

``crd`` gives this strategy to versions that name a scale; every write through the object itself or its status is
judged, as the schema need not say anything of these fields.

Source: k8s.io/apiextensions-apiserver/pkg/registry/customresource/validator.go (ValidateScaleSpec, ValidateScaleStatus).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from roadbed.apimachinery.causes import go_json, invalid_value
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.request import Object
from roadbed.apiserver.strategy import CustomStrategy, FieldPaths

if TYPE_CHECKING:
    from roadbed.apiserver.registry import Scale

MOST: Final = 2**31 - 1
_GO: Final = {type(None): "<nil>", str: "string", bool: "bool", int: "int64", float: "float64",
              list: "[]interface {}", dict: "map[string]interface {}"}  # fmt: skip


class ScaledStrategy(CustomStrategy):
    """Custom resources of which replicas can be asked for."""

    def __init__(self, scale: Scale, *, has_status: bool, field_paths: FieldPaths | None = None) -> None:
        super().__init__(has_status=has_status, field_paths=field_paths)
        self._scale = scale

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        del old
        scale = self._scale
        found = [*_replicas(obj, scale.spec_path), *_replicas(obj, scale.status_path)]
        if scale.selector_path:
            _, problem = _at(obj, scale.selector_path, str)
            if problem:
                found.append(invalid_value(_shown(scale.selector_path), "", problem))
        return found


def _replicas(obj: Object, path: Sequence[str]) -> Iterator[Cause]:
    number, problem = _at(obj, path, int)
    if problem:
        yield invalid_value(_shown(path), 0, problem)
    elif number is not None and number < 0:
        yield invalid_value(_shown(path), number, "should be a non-negative integer")
    elif number is not None and number > MOST:
        yield invalid_value(_shown(path), number, f"should be less than or equal to {MOST}")


def _at(obj: Object, path: Sequence[str], wanted: type) -> tuple[Any, str]:
    """Give what stands at a path, None for nothing, and why it can't be what is wanted."""
    value: Any = obj
    for depth, name in enumerate(path):
        if type(value) is not dict:
            return None, _problem(path[: depth + 1], value, "map[string]interface{}")
        if name not in value:
            return None, ""
        value = value[name]
    if type(value) is not wanted:
        return None, _problem(path, value, _GO[wanted])
    return value, ""


def _problem(path: Sequence[str], value: Any, wanted: str) -> str:
    return f"{_shown(path)} accessor error: {_printed(value)} is of the type {_GO[type(value)]}, expected {wanted}"


def _printed(value: Any) -> str:
    """Give a value as Go prints it."""
    match value:
        case str():
            return value
        case None:
            return "<nil>"
        case list():
            return f"[{' '.join(map(_printed, value))}]"
        case dict():
            return f"map[{' '.join(f'{name}:{_printed(value[name])}' for name in sorted(value))}]"
    return go_json(value)


def _shown(path: Sequence[str]) -> str:
    return f".{'.'.join(path)}"
