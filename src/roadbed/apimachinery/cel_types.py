"""The static types of validation rules: a schema as CEL sees it, so that a typo does not compile.

``cel`` uses it when a definition is admitted, once per schema node that has rules; nothing is kept. Object
schemas become message types in a descriptor pool of their own, for the checker only: at evaluation values
are plain maps and lists, converted here where CEL's type is not JSON's (times, durations, bytes, names
that are no identifiers).

Not exposed, as in Kubernetes: unknown fields that a schema preserves, lists and maps without item schema,
properties whose name can't be escaped, all of ``metadata`` but ``name`` and ``generateName``.

Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#available-validation-expressions
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable
from typing import Any, Final

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

from .cel_library import runtime
from .nodes import Node

Converter = Callable[[Any], Any]

RESERVED: Final = frozenset(
    [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_SPELLED: Final = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SPECIAL: Final = re.compile(r"__|[-./]")
_IDENTIFIER: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}

_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final[dict[str, tuple[int, str]]] = {
    "integer": (_FIELD.TYPE_INT64, "Int64Value"),
    "number": (_FIELD.TYPE_DOUBLE, "DoubleValue"),
    "boolean": (_FIELD.TYPE_BOOL, "BoolValue"),
    "string": (_FIELD.TYPE_STRING, "StringValue"),
}
_TIMES: Final = ("date-time", "date")
_DYNAMIC: Final = ".google.protobuf.Value"


def escape(name: str) -> str:
    """Give the identifier by which rules name a property; empty if there is none."""
    if name in RESERVED:
        return f"__{name}__"
    escaped = _SPECIAL.sub(lambda found: _SPELLED[found.group(0)], name)
    return escaped if _IDENTIFIER.fullmatch(escaped) and not name[:1].isdigit() else ""


class RuleTypes:
    """The types of one schema node and all below it, in a pool for one environment."""

    def __init__(self) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        self._file = descriptor_pb2.FileDescriptorProto(name="rule.proto", package="rule", syntax="proto2")
        for module in (struct_pb2, timestamp_pb2, duration_pb2, wrappers_pb2):
            known = descriptor_pb2.FileDescriptorProto()
            module.DESCRIPTOR.CopyToProto(known)
            self.pool.Add(known)
            self._file.dependency.append(known.name)

    def type_of(self, node: Node, *, is_root: bool = False) -> Any | None:
        """Give the CEL type of a node, its pool completed; None where the node is not exposed. Call once."""
        message = self._file.message_type.add(name="Holder")
        is_exposed = self._add_field(message, "self", node, is_root=is_root)
        self.pool.Add(self._file)
        return self._type(message.field[0], message) if is_exposed else None

    def _type(self, field: Any, message: Any) -> Any:
        kinds = runtime().Type
        if field.label == _FIELD.LABEL_REPEATED:
            for entry in message.nested_type:
                if entry.options.map_entry and field.type_name.endswith("." + entry.name):
                    return kinds.Map(kinds.STRING, self._single(entry.field[1]))
            return kinds.List(self._single(field))
        return self._single(field)

    @staticmethod
    def _single(field: Any) -> Any:
        kinds = runtime().Type
        plain = {
            _FIELD.TYPE_INT64: kinds.INT,
            _FIELD.TYPE_DOUBLE: kinds.DOUBLE,
            _FIELD.TYPE_BOOL: kinds.BOOL,
            _FIELD.TYPE_STRING: kinds.STRING,
            _FIELD.TYPE_BYTES: kinds.BYTES,
        }
        if field.type in plain:
            return plain[field.type]
        known = {
            _DYNAMIC: kinds.DYN,
            ".google.protobuf.Timestamp": kinds.TIMESTAMP,
            ".google.protobuf.Duration": kinds.DURATION,
        }
        return known.get(field.type_name) or kinds(field.type_name.removeprefix("."))

    def _add_field(self, message: Any, name: str, node: Node, *, is_root: bool = False) -> bool:
        """Add one property; False if its schema is not exposed."""
        number = len(message.field) + 1
        field = message.field.add(
            name=name, number=number, label=_FIELD.LABEL_OPTIONAL, json_name=f"f{number}"
        )
        if self._fill(message, field, node, is_root=is_root or node.embedded_resource):
            return True
        message.field.pop()
        return False

    def _fill(self, message: Any, field: Any, node: Node, *, is_root: bool) -> bool:
        if node.int_or_string:
            field.type, field.type_name = _FIELD.TYPE_MESSAGE, _DYNAMIC
            return True
        if node.type == "array":
            return node.items is not None and self._fill_list(message, field, node.items)
        if node.type == "object" or is_root:
            additional = node.additional
            if additional is not None and not node.properties:
                return bool(additional.type or additional.int_or_string) and self._fill_map(
                    message, field, additional
                )
            field.type, field.type_name = _FIELD.TYPE_MESSAGE, self._message(node, is_root=is_root)
            return True
        return self._fill_scalar(field, node)

    def _fill_scalar(self, field: Any, node: Node) -> bool:
        if node.type not in _SCALARS:
            return False
        field.type, wrapper = _SCALARS[node.type]
        shape = node.checks.format if node.type == "string" else ""
        if shape == "byte":
            field.type, wrapper = _FIELD.TYPE_BYTES, "BytesValue"
        if shape in _TIMES or shape == "duration":
            field.type = _FIELD.TYPE_MESSAGE
            field.type_name = ".google.protobuf." + ("Duration" if shape == "duration" else "Timestamp")
        elif node.nullable:
            field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".google.protobuf.{wrapper}"
        return True

    def _fill_list(self, message: Any, field: Any, items: Node) -> bool:
        if not self._fill(message, field, items, is_root=items.embedded_resource):
            return False
        if field.label == _FIELD.LABEL_REPEATED:
            # A message type knows no list of lists; the inner one is left to run time.
            _forget_entry(message, field)
            field.type, field.type_name = _FIELD.TYPE_MESSAGE, _DYNAMIC
        field.label = _FIELD.LABEL_REPEATED
        return True

    def _fill_map(self, message: Any, field: Any, values: Node) -> bool:
        entry = descriptor_pb2.DescriptorProto(name=f"E{field.number}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=_FIELD.LABEL_OPTIONAL, type=_FIELD.TYPE_STRING)
        value = entry.field.add(name="value", number=2, label=_FIELD.LABEL_OPTIONAL)
        # What an inner map would add to the message is in vain: it is left to run time, as inner lists are.
        inner = descriptor_pb2.DescriptorProto()
        if not self._fill(inner, value, values, is_root=values.embedded_resource):
            return False
        if value.label == _FIELD.LABEL_REPEATED:
            value.label = _FIELD.LABEL_OPTIONAL
            value.type, value.type_name = _FIELD.TYPE_MESSAGE, _DYNAMIC
        # Protobuf refuses an entry that is not named after its field, in its own camel case.
        entry.name = "".join(part[:1].upper() + part[1:] for part in field.name.split("_")) + "Entry"
        message.nested_type.append(entry)
        field.label, field.type = _FIELD.LABEL_REPEATED, _FIELD.TYPE_MESSAGE
        field.type_name = f".rule.{message.name}.{entry.name}"
        return True

    def _message(self, node: Node, *, is_root: bool) -> str:
        message = self._file.message_type.add(name=f"Object{len(self._file.message_type)}")
        properties = dict(node.properties)
        if is_root:
            text = Node(type="string")
            meta = {"name": text, "generateName": text}
            properties |= {"apiVersion": text, "kind": text, "metadata": Node(type="object", properties=meta)}
        for name, each in properties.items():
            escaped = escape(name)
            if escaped:
                self._add_field(message, escaped, each)
        _part_names(message)
        return f".rule.{message.name}"


def _forget_entry(message: Any, field: Any) -> None:
    """Take away the entries of a map that was ``field``, if it was one."""
    for index, entry in enumerate(message.nested_type):
        if field.type_name == f".rule.{message.name}.{entry.name}":
            del message.nested_type[index]
            return


def _part_names(message: Any) -> None:
    """Leave maps to run time whose entries are named as a property or as another map's (``a_b`` and ``aB``)."""
    names = [field.name for field in message.field] + [entry.name for entry in message.nested_type]
    doubled = {name for name in names if names.count(name) > 1}
    if not doubled:
        return
    for field in message.field:
        if field.type_name.rpartition(".")[2] in doubled and field.label == _FIELD.LABEL_REPEATED:
            _forget_entry(message, field)
            field.label, field.type, field.type_name = _FIELD.LABEL_OPTIONAL, _FIELD.TYPE_MESSAGE, _DYNAMIC


def converter(node: Node) -> Converter | None:
    """Give what turns a JSON value of this schema into CEL's; None where nothing has to be turned."""
    if node.type == "string":
        shape = node.checks.format
        return _BY_FORMAT.get(shape)
    if node.type == "number":
        return lambda value: float(value) if type(value) is int else value
    if node.type == "array" and node.items is not None:
        each = converter(node.items)
        if each is None:
            return None
        return lambda value: [each(item) for item in value] if isinstance(value, list) else value
    if node.type == "object":
        return _map_converter(node)
    return None


def _map_converter(node: Node) -> Converter | None:
    renamed = {name: escape(name) for name in node.properties if escape(name) not in (name, "")}
    turned = {name: found for name, each in node.properties.items() if (found := converter(each)) is not None}
    rest = None if node.additional is None else converter(node.additional)
    if not renamed and not turned and rest is None:
        return None
    declared = node.properties

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        found = {}
        for name, each in value.items():
            turn = turned.get(name) if name in declared else rest
            found[renamed.get(name, name)] = each if turn is None else turn(each)
        return found

    return convert


def _timestamp(value: Any) -> Any:
    try:
        found = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(found if found.tzinfo else found.replace(tzinfo=dt.UTC))
    return message


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    sign, text = (-1, value[1:]) if value[:1] == "-" else (1, value.removeprefix("+"))
    parts = _DURATION.findall(text)
    if text != "0" and (not parts or "".join(map("".join, parts)) != text):
        return value
    total = sign * sum(int(float(amount) * _NANOSECONDS[unit]) for amount, unit in parts)
    message = duration_pb2.Duration()
    message.FromNanoseconds(total)
    return message


def _bytes(value: Any) -> Any:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return value


_BY_FORMAT: Final[dict[str, Converter]] = {
    "date-time": _timestamp,
    "date": _timestamp,
    "duration": _duration,
    "byte": _bytes,
}
