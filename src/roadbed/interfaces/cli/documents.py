"""Objects as text for programs and editors: JSON, YAML, names.

What is printed can be applied again: a text that YAML would read as a number or a truth is quoted.
``managedFields`` are left out unless asked for, as kubectl does.
"""

from __future__ import annotations

from typing import Any

import orjson

from roadbed.apimachinery import yamldump
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import name_of
from roadbed.apimachinery.request import Object

from .failures import usage
from .kinds import shown


def form_of(output: str, *forms: str) -> str:
    """Give what ``-o`` asks for, if it is ``json``, ``yaml`` or one of ``forms``; empty where it is not given.

    Raises:
        Failure: another form.
    """
    allowed = ("json", "yaml", *forms)
    if output and output not in allowed:
        raise usage(f"cannot give output as {output!r}", hint=f"-o takes {', '.join(allowed)}")
    return output


def to_yaml(value: Any) -> str:
    """Give YAML with keys in their order."""
    return yamldump.dump(value, width=10_000)


def to_json(value: Any) -> str:
    """Give JSON as people read it."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"


def rendered(value: Any, form: str) -> str:
    """Give JSON or YAML."""
    return to_json(value) if form == "json" else to_yaml(value)


def presented(obj: Object, *, managed_fields: bool = False) -> Object:
    """Give the object as it is printed."""
    if managed_fields or "managedFields" not in obj.get("metadata", {}):
        return obj
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return {**obj, "metadata": metadata}


def named(resource: Resource, obj: Object) -> str:
    """Give ``kind.group/name``, which every command takes back."""
    return f"{shown(resource)}/{name_of(obj)}"


def collected(objects: list[Object]) -> Object:
    """Give several objects as one ``List``."""
    return {"apiVersion": "v1", "kind": "List", "items": objects}
