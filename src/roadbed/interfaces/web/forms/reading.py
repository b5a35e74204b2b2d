"""From the inputs of a form back to a value: the inverse of ``model.build``.

Called when a form is sent and whenever its YAML is asked for. It drops what was left empty and optional
groups in which nothing was chosen, so that the object says only what the person said. It does not
validate: a number that is no number stays a text, and the API server says so at its field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from roadbed.interfaces.web import yamlview

from .model import MOST_DEPTH, Field, Schema, alternatives_of, build, child_path, kind_of

MOST_ROWS = 500
CHOICE = "|choice"  # the radio of an object's alternatives; no path can contain it

_INTEGER = re.compile(r"[+-]?\d{1,18}\Z")
_ABSENT = object()


def read(schema: Schema, inputs: Mapping[str, str], *, path: str = "") -> Any:
    """Give the value that ``inputs`` (last value of each name) hold for ``schema``; None where nothing is set."""
    found = _read(schema, inputs, path, required=True, depth=0)
    return None if found is _ABSENT else found


def initial(schema: Schema) -> Any:
    """Give the value that an untouched form sends: the defaults of what must be there."""
    return read(schema, inputs_of(build(schema, None)))


def inputs_of(made: Field) -> dict[str, str]:
    """Give the inputs that a browser would send for a form as it stands."""
    found: dict[str, str] = {}
    if made.kind in ("object", "array"):
        if made.alternatives:
            found[f"{made.path}{CHOICE}"] = str(made.chosen)
        for child in made.children:
            found |= inputs_of(child)
    elif made.kind == "map":
        for child in made.children:
            found[child.path.removesuffix(".value") + ".key"] = child.name
            found |= inputs_of(child)
    elif made.kind == "boolean":
        found[made.path] = "true" if made.value is True else "false"
    else:
        found[made.path] = str(made.value)
    return found


def _read(schema: Schema, inputs: Mapping[str, str], path: str, *, required: bool, depth: int) -> Any:
    kind = kind_of(schema) if depth < MOST_DEPTH else "yaml"
    if kind == "object":
        return _read_object(schema, inputs, path, required=required, depth=depth)
    if kind == "array":
        return _read_array(schema, inputs, path, depth)
    if kind == "map":
        return _read_map(schema, inputs, path)
    text = inputs.get(path)
    if text is None:
        return _ABSENT
    if kind == "yaml":
        return _read_yaml(text)
    return _scalar(schema, text, required=required)


def _scalar(schema: Schema, text: str, *, required: bool) -> Any:
    if schema.get("type") == "boolean":
        chosen = text == "true"
        # Unchecked, with no default and no need to be there, is nothing said.
        return chosen if chosen or required or "default" in schema else _ABSENT
    if text == "":
        return _ABSENT
    if schema.get("x-kubernetes-int-or-string"):
        return int(text) if _INTEGER.match(text) else text
    if schema.get("type") in ("integer", "number"):
        return _number(text)
    for option in schema.get("enum") or ():
        if not isinstance(option, str) and yamlview.dump(option).split("\n")[0] == text:
            return option
    return text.replace("\r\n", "\n")


def _number(text: str) -> Any:
    if _INTEGER.match(text):
        return int(text)
    try:
        found = float(text)
    except ValueError:
        return text
    return found if found - found == 0 else text  # inf and nan have no JSON


def _read_yaml(text: str) -> Any:
    if not text.strip():
        return _ABSENT
    try:
        return yamlview.load(f"value:\n{_indented(text)}")["value"]
    except yamlview.YamlError:
        return text  # the server will say that a text is not what it wants here


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.replace("\r\n", "\n").split("\n"))


def _read_object(schema: Schema, inputs: Mapping[str, str], path: str, *, required: bool, depth: int) -> Any:
    ways = alternatives_of(schema)
    picked = inputs.get(f"{path}{CHOICE}", "0")
    chosen = ways[int(picked)].names if ways and picked.isdigit() and int(picked) < len(ways) else ()
    others = {name for way in ways for name in way.names} - set(chosen)
    needed = set(schema.get("required") or ()) | set(chosen)
    found: dict[str, Any] = {}
    for name, inner in (schema.get("properties") or {}).items():
        if name in others or not isinstance(inner, dict):
            continue
        value = _read(inner, inputs, child_path(path, name), required=name in needed, depth=depth + 1)
        if value is not _ABSENT:
            found[name] = value
    if not required and _says_nothing(schema, found):
        return _ABSENT
    return found


def _says_nothing(schema: Schema, found: dict[str, Any]) -> bool:
    """Tell a group that holds only its defaults from one in which somebody chose something."""
    inner = schema.get("properties") or {}
    return all(inner[name].get("default", _ABSENT) == value for name, value in found.items())


def _read_array(schema: Schema, inputs: Mapping[str, str], path: str, depth: int) -> Any:
    rows: list[Any] = []
    for number in _numbers(inputs, f"{path}[", "]"):
        at = f"{path}[{number}]"
        value = _read(schema["items"], inputs, at, required=True, depth=depth + 1)
        if value is not _ABSENT:
            rows.append(value)
    return rows or _ABSENT


def _read_map(schema: Schema, inputs: Mapping[str, str], path: str) -> Any:
    found: dict[str, Any] = {}
    for number in _numbers(inputs, f"{path}{{", "}"):
        key = inputs.get(f"{path}{{{number}}}.key", "").strip()
        text = inputs.get(f"{path}{{{number}}}.value", "")
        value = _scalar(schema["additionalProperties"], text, required=True)
        if key:
            found[key] = "" if value is _ABSENT else value
    return found or _ABSENT


def _numbers(inputs: Mapping[str, str], before: str, after: str) -> list[int]:
    """Give the numbers of the rows that a form sent, in order; rows taken out leave gaps."""
    found = {
        int(number)
        for name in inputs
        if name.startswith(before) and (number := name[len(before) :].partition(after)[0]).isdigit()
    }
    return sorted(found)[:MOST_ROWS]
