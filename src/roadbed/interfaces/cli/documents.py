"""Objects as text for programs and editors: JSON, YAML, names.

What is printed can be applied again: a text that YAML would read as a number or a truth is quoted.
``managedFields`` are left out unless asked for, as kubectl does.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
import yaml

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import name_of
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.yamlload import load_value

from .failures import usage
from .kinds import shown

_SUSPECT = re.compile(r"[-+.0-9]|[yYnN]$")


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif _SUSPECT.match(text) and not _reads_as_itself(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _reads_as_itself(text: str) -> bool:
    try:
        return bool(load_value(text) == text)
    except BadRequestError:
        return False  # PyYAML decides by itself how to quote what can't stand alone


_Dumper.add_representer(str, _text)


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
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=10_000
    )
    return text


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
