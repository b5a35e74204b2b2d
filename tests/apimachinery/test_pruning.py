"""Pruning: what a schema doesn't know goes, and what is preserved stays."""

import copy

import pytest

from roadbed.apimachinery.causes import text_of
from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.schema import Schema

KNOWN = {"type": "object", "properties": {"a": {"type": "string"}}}


def pruned(spec, value):
    schema = Schema.compile({"type": "object", "properties": {"spec": spec}})
    obj = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}, "spec": copy.deepcopy(value)}
    unknown = schema.prune(obj)
    assert obj["metadata"] == {"name": "n"}
    assert schema.prune(obj) == [], "pruning twice is pruning once"
    return obj["spec"], unknown


@pytest.mark.parametrize(
    ("spec", "value", "expected", "unknown"),
    [
        (KNOWN, {"a": "1", "b": 2}, {"a": "1"}, ["spec.b"]),
        (KNOWN, {"a": {"x": 1}}, {"a": {}}, ["spec.a.x"]),
        (
            {"type": "array", "items": KNOWN},
            [{"a": "1", "b": 2}, {"b": 3}],
            [{"a": "1"}, {}],
            ["spec[0].b", "spec[1].b"],
        ),
        ({"type": "object", "additionalProperties": KNOWN}, {"k": {"b": 1}}, {"k": {}}, ["spec.k.b"]),
        (
            {"type": "object", "additionalProperties": True},
            {"k": {"b": 1}, "s": 2},
            {"k": {}, "s": 2},
            ["spec.k.b"],
        ),
        (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            {"b": {"c": [1]}},
            {"b": {"c": [1]}},
            [],
        ),
        (
            {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"known": KNOWN},
            },
            {"known": {"b": 1}, "free": {"b": 1}},
            {"known": {}, "free": {"b": 1}},
            ["spec.known.b"],
        ),
        (
            {"type": "array", "x-kubernetes-preserve-unknown-fields": True, "items": {"type": "object"}},
            [{"free": 1}],
            [{"free": 1}],
            [],
        ),
    ],
)
def test_pruning(spec, value, expected, unknown):
    assert pruned(spec, value) == (expected, unknown)


def test_an_embedded_resource_keeps_its_metadata_but_only_known_members_of_it():
    spec = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": KNOWN}}
    value = {
        "apiVersion": "v1",
        "kind": "Y",
        "metadata": {"labels": {"a": "b"}, "nonsense": 1},
        "spec": {"b": 1},
        "extra": 1,
    }
    found, unknown = pruned(spec, value)
    assert found == {"apiVersion": "v1", "kind": "Y", "metadata": {"labels": {"a": "b"}}, "spec": {}}
    assert unknown == ["spec.extra", "spec.spec.b", "spec.metadata.nonsense"]


def test_metadata_is_brought_into_the_shape_of_object_meta():
    schema = Schema.compile({"type": "object"})
    obj = {
        "metadata": {
            "name": "n",
            "labels": {},
            "annotations": {"a": None},
            "creationTimestamp": None,
            "selfLink": "",
            "color": "red",
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "K", "name": "o", "uid": "u", "controller": None, "x": 1}
            ],
        }
    }
    assert schema.prune(obj) == ["metadata.color", "metadata.ownerReferences[0].x"]
    assert obj["metadata"] == {
        "name": "n",
        "annotations": {"a": ""},
        "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "o", "uid": "u"}],
    }


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (
            {"labels": {"a": 1}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string",
        ),
        (
            {"name": ["a"]},
            "json: cannot unmarshal array into Go struct field ObjectMeta.name of type string",
        ),
        ({"generation": "1"}, "of type int64"),
        ({"creationTimestamp": "yesterday"}, 'parsing time "yesterday"'),
        ("text", "json: cannot unmarshal string into Go value of type v1.ObjectMeta"),
    ],
)
def test_mistyped_metadata_is_refused_on_the_way_in_and_dropped_on_the_way_out(metadata, words):
    schema = Schema.compile({"type": "object"})
    with pytest.raises(BadRequestError) as caught:
        schema.prune({"metadata": metadata})
    assert words in caught.value.message
    assert text_of(caught.value.causes[0]).startswith("metadata: Invalid value: ")
    stored = {"metadata": metadata}
    schema.prune(stored, drop_invalid=True)
    assert stored["metadata"] == {}
