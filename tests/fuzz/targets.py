"""What is fuzzed: each target takes bytes and may refuse them, but only as a client would be told.

A target raises nothing for an input that is handled: an ``ApiError`` below 500 is an answer. Anything else that comes
out of it is a finding.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery import fieldpath
from roadbed.apimachinery.cel import CelRules
from roadbed.apimachinery.cel_check import check_rules
from roadbed.apimachinery.crdschema import misshapen
from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.fields import FieldSelector
from roadbed.apimachinery.fieldset import check_trie
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.managedfields import decode_untrusted
from roadbed.apimachinery.nodes import compile_node
from roadbed.apimachinery.patch import json_patch, merge_patch
from roadbed.apimachinery.quantity import parse_quantity
from roadbed.apimachinery.schema import Schema
from roadbed.apimachinery.strategic import strategic_merge
from roadbed.apimachinery.structural import check_structural
from roadbed.apimachinery.timestamps import parse_time
from roadbed.apimachinery.yamlload import load_json, load_value
from roadbed.apiserver import protobuf, routes


@dataclass(frozen=True, slots=True)
class Target:
    """One function under test, the seeds of its inputs, and the errors that are its way to refuse."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]
    refusals: tuple[type[Exception], ...] = ()

    def __call__(self, content: bytes) -> None:
        try:
            self.run(content)
        except ApiError as error:
            if error.code >= 500:
                raise
        except self.refusals:
            return


LIVE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"app": "a"}, "finalizers": ["example.org/a"]},
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {"containers": [{"name": "a", "image": "a:1", "ports": [{"containerPort": 80}]}]}
        },
    },
}
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 20},
        "port": {"x-kubernetes-int-or-string": True},
        "items": {
            "type": "array",
            "maxItems": 5,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["key"],
            "items": {
                "type": "object",
                "required": ["key"],
                "properties": {"key": {"type": "string"}, "value": {"type": "number", "nullable": True}},
            },
        },
        "any": {"x-kubernetes-preserve-unknown-fields": True, "type": "object"},
    },
}
SCHEMA = {"type": "object", "properties": {"spec": SPEC}}


def _json(content: bytes) -> Any:
    return load_json(content)  # as a body is read: what it refuses, no other parser meets


_COMPILED = Schema.compile(SCHEMA)


def _schema(content: bytes) -> None:
    value = _json(content)
    if isinstance(value, dict):
        _COMPILED.prune(value)
        _COMPILED.default(value)
        _COMPILED.validate(value)


def _structural(content: bytes) -> None:
    value = _json(content)
    if not isinstance(value, dict) or any(misshapen(value, "")) or check_structural(value):
        return
    Schema.compile(value).validate({"spec": {"size": 3}})


def _patch(content: bytes) -> None:
    value = _json(content)
    merge_patch(LIVE, value)
    json_patch(LIVE, value)


def _strategic(content: bytes) -> None:
    value = _json(content)
    if isinstance(value, dict):
        strategic_merge(LIVE, value, None)


def _address(content: bytes) -> None:
    path, _, query = content.partition(b"?")
    routes.options(query)
    found = routes.route(path.decode("utf-8", "replace"))
    if found is not None:
        routes.verb("GET", found, {})


def _text(run: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda content: run(content.decode("utf-8", "replace"))


def _cel(content: bytes) -> None:
    rule = {"rule": content.decode("utf-8", "replace")}
    spec = {**SPEC, "x-kubernetes-validations": [rule]}
    root = {"type": "object", "properties": {"spec": spec}}
    if check_rules(root, "schema"):
        return
    rules = CelRules.compile(compile_node(root))
    if rules is not None:
        rules.validate({"spec": {"size": 3, "name": "abc", "items": [{"key": "a", "value": 1.5}]}}, None)


def _field_path(content: bytes) -> None:
    path = content.decode("utf-8", "replace")
    obj = json.loads(json.dumps(LIVE))
    fieldpath.find(obj, path)
    fieldpath.expand_wildcards(obj, path)
    fieldpath.set_value(obj, path, 1)


_OBJECTS = (
    json.dumps(LIVE).encode(),
    b'{"spec":{"size":3,"name":"abc","port":"http","items":[{"key":"a","value":null}],"any":{"x":[1.0,{}]}}}',
    b'[{"op":"replace","path":"/spec/replicas","value":2},{"op":"remove","path":"/metadata/labels/app"}]',
    b'[{"op":"copy","from":"/spec","path":"/x"},{"op":"move","from":"/metadata/finalizers/0","path":"/metadata/finalizers/-"}]',
    b'{"spec":{"template":{"spec":{"containers":[{"name":"a","$patch":"delete"}],"$setElementOrder/containers":[{"name":"a"}]}}}}',
    b'{"$retainKeys":["a"],"$deleteFromPrimitiveList/finalizers":["x"],"metadata":null}',
)
_PROTOBUF = (
    b"k8s\x00\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x14\x0a\x05\x0a\x01a\x1a\x00\x12\x0b\x0a\x03key\x12\x05value\x1a\x00\x22\x00",
    b"k8s\x00\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x12\x0a\x03\x0a\x01a\x12\x0b\x0a\x03key\x12\x04\x00\xff\x01\x02",
    b"k8s\x00\x0a\x15\x0a\x07apps/v1\x12\x0aDeployment\x12\x0e\x0a\x03\x0a\x01a\x12\x07\x08\x03\x12\x03\x0a\x01x",
    b"k8s\x00",
)

TARGETS: dict[str, Target] = {
    "address": Target(
        _address,
        (
            b"/api/v1/namespaces/default/configmaps/a?fieldManager=x&dryRun=All",
            b"/apis/apps/v1/watch/namespaces/a/deployments/b/status?watch=1&timeoutSeconds=3",
        ),
    ),
    "cel": Target(
        _cel,
        (
            b"self.size > 1 && self.name.startsWith('a')",
            b"self.items.all(i, i.key != '' || has(i.value))",
            b"quantity('1Gi').isGreaterThan(quantity('1Mi')) ? true : self.size == oldSelf.size",
            b"self.name.matches('^[a-z]+$') && [1,2].exists_one(x, x == self.size)",
        ),
    ),
    "field-path": Target(
        _field_path,
        (b"spec.template.spec.containers[0].image", b"metadata.labels[app]", b"spec['a.b'].*[*]"),
        (fieldpath.FieldPathError,),
    ),
    "field-selector": Target(
        _text(FieldSelector.parse), (b"metadata.name=a,status.phase!=Running", rb"metadata.name=a\,b\\\=")
    ),
    "label-selector": Target(
        _text(Selector.parse), (b"app=a,tier in (x,y),!gone,z notin (q),n>3", b"example.org/name!=x, y==")
    ),
    "managed-fields": Target(
        lambda content: decode_untrusted(_json(content)),
        (
            (
                b'[{"manager":"a","operation":"Apply","apiVersion":"v1","time":"2026-01-01T00:00:00Z",'
                b'"fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:a":{}},"f:x":{"k:{\\"a\\":1}":{},"v:3":{},"i:0":{}}}}]'
            ),
        ),
        (ValueError,),
    ),
    "fields-v1": Target(
        lambda content: check_trie(_json(content)),
        (b'{"f:a":{".":{},"k:{\\"n\\":\\"x\\"}":{"f:b":{}}},"v:\\"s\\"":{}}',),
        (ValueError,),
    ),
    "patch": Target(_patch, _OBJECTS),
    "protobuf": Target(protobuf.decode, _PROTOBUF),
    "quantity": Target(_text(parse_quantity), (b"100m", b"1.5Gi", b"12e6", b"-0.1Ki"), (ValueError,)),
    "schema": Target(_schema, _OBJECTS),
    "strategic": Target(_strategic, _OBJECTS),
    "structural": Target(_structural, (json.dumps(SCHEMA).encode(),), (ValueError,)),
    "time": Target(
        _text(parse_time), (b"2024-05-06T07:08:09Z", b"2024-05-06T07:08:09.123456+02:00"), (ValueError,)
    ),
    "yaml": Target(
        load_value,
        (
            b"a: &x [1, 2]\nb: *x\nc:\n  - on\n  - 0777\n  - 1_000\n  - 2024-01-01\n? d\n: e\n",
            b'{"a": [1.0, "\\u0041", null], "b": {"c": true}}',
            b"|\n  text\n---\n- >-\n  folded\n",
        ),
    ),
}
