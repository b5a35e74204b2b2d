"""What the schema finds wrong, in the words that kubectl users know (recorded from Kubernetes 1.35)."""

import pytest

from roadbed.apimachinery.causes import text_of
from roadbed.apimachinery.schema import Schema


def problems(spec, value, old=None):
    schema = Schema.compile({"type": "object", "properties": {"spec": spec}})
    was = None if old is None else {"spec": old}
    return [text_of(cause) for cause in schema.validate({"spec": value}, old=was)]


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        (
            {"type": "string", "enum": ["small", "medium"]},
            "huge",
            'spec: Unsupported value: "huge": supported values: "small", "medium"',
        ),
        (
            {"type": "integer"},
            "x",
            'spec: Invalid value: "string": spec in body must be of type integer: "string"',
        ),
        (
            {"type": "string"},
            None,
            'spec: Invalid value: "null": spec in body must be of type string: "null"',
        ),
        (
            {"type": "integer"},
            True,
            'spec: Invalid value: "boolean": spec in body must be of type integer: "boolean"',
        ),
        (
            {"type": "integer"},
            1.5,
            'spec: Invalid value: "number": spec in body must be of type integer: "number"',
        ),
        (
            {"x-kubernetes-int-or-string": True},
            [],
            'spec: Invalid value: "array": spec in body must be of type integer,string: "array"',
        ),
        (
            {"type": "string", "format": "date"},
            "soon",
            'spec: Invalid value: "soon": spec in body must be of type date: "soon"',
        ),
        (
            {"type": "string", "pattern": "^[a-z]+$"},
            "A",
            "spec: Invalid value: \"A\": spec in body should match '^[a-z]+$'",
        ),
        ({"type": "string", "maxLength": 2}, "abc", "spec: Too long: may not be more than 2 bytes"),
        (
            {"type": "string", "minLength": 2},
            "a",
            'spec: Invalid value: "a": spec in body should be at least 2 chars long',
        ),
        (
            {"type": "integer", "minimum": 0},
            -1,
            "spec: Invalid value: -1: spec in body should be greater than or equal to 0",
        ),
        (
            {"type": "number", "maximum": 1, "exclusiveMaximum": True},
            1,
            "spec: Invalid value: 1: spec in body should be less than 1",
        ),
        (
            {"type": "integer", "multipleOf": 5},
            7,
            "spec: Invalid value: 7: spec in body should be a multiple of 5",
        ),
        (
            {"type": "number", "multipleOf": 1e-10},
            1e300,
            "spec: Invalid value: 1e+300: spec in body should be a multiple of 1e-10",
        ),
        (
            {"type": "number", "multipleOf": 0.5},
            3,
            "spec: Invalid value: 0: factor MultipleOf declared for spec must be positive: 0",
        ),
        (
            {"type": "array", "maxItems": 1, "items": {"type": "string"}},
            ["a", "b"],
            "spec: Too many: 2: must have at most 1 item",
        ),
        (
            {"type": "array", "minItems": 1, "items": {"type": "string"}},
            [],
            "spec: Invalid value: 0: spec in body should have at least 1 items",
        ),
        (
            {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
            ["a", "a"],
            'spec: Invalid value: "": spec in body shouldn\'t contain duplicates',
        ),
        ({"type": "object", "required": ["size"]}, {}, "spec.size: Required value"),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"k": "v"},
            'spec.k: Invalid value: "string": spec.k in body must be of type integer: "string"',
        ),
        (
            {"type": "object", "maxProperties": 0},
            {"a": 1},
            "spec: Too many: 1: must have at most 0 items",
        ),
        (
            {"type": "array", "items": {"type": "object", "required": ["x"]}},
            [{}],
            "spec[0].x: Required value",
        ),
        (
            {"type": "object", "not": {"required": ["a"]}},
            {"a": 1},
            '<nil>: Invalid value: "": "spec" must not validate the schema (not)',
        ),
        (
            {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            ["a", "b", "a", "a"],
            'spec[2]: Duplicate value: "a"',
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
            [{"name": "a", "n": 1}, {"name": "a", "n": 2}],
            'spec[1]: Duplicate value: {"name":"a"}',
        ),
    ],
)
def test_a_violation_is_said_as_kubernetes_says_it(spec, value, expected):
    assert problems(spec, value) == [expected]


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"type": "integer"}, 1.0),
        ({"type": "number"}, 1),
        ({"type": "string", "nullable": True}, None),
        ({"type": "string", "format": "no-such-format"}, "anything"),
        ({"type": "number", "multipleOf": 0.1}, 0.3),
        ({"type": "integer", "multipleOf": 2}, 9007199254740994),
        ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}, "80%"),
        ({"x-kubernetes-preserve-unknown-fields": True}, {"any": ["thing"]}),
        ({"type": "array", "x-kubernetes-list-type": "set", "items": {}}, [1, True, "1"]),
        ({"type": "string", "maxLength": 2}, "éé"),
    ],
)
def test_what_kubernetes_accepts_is_accepted(spec, value):
    assert problems(spec, value) == []


def test_all_violations_are_reported_at_once():
    spec = {
        "type": "object",
        "required": ["engine"],
        "properties": {"size": {"enum": ["small"], "type": "string"}, "disk": {"type": "integer"}},
    }
    assert len(problems(spec, {"size": "huge", "disk": "x"})) == 3


def test_a_failed_alternative_is_explained_by_the_branch_that_came_closest():
    spec = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "oneOf": [{"required": ["a"], "properties": {"a": {"minLength": 3}}}, {"required": ["b"]}],
    }
    assert problems(spec, {"a": "x"}) == [
        '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid',
        'spec.a: Invalid value: "x": spec.a in body should be at least 3 chars long',
    ]
    assert problems(spec, {"a": "xyz", "b": "y"}) == [
        (
            '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). '
            "Found 2 valid alternatives"
        )
    ]


def test_what_did_not_change_is_forgiven_on_update():
    """A schema may become stricter under objects that exist; they can still be edited elsewhere."""
    spec = {
        "type": "object",
        "properties": {"old": {"type": "string", "maxLength": 1}, "new": {"type": "integer", "minimum": 5}},
    }
    before = {"old": "too long", "new": 9}
    assert problems(spec, {"old": "too long", "new": 7}, old=before) == []
    assert problems(spec, {"old": "also too long", "new": 7}, old=before) == [
        "spec.old: Too long: may not be more than 1 byte"
    ]
    assert problems(spec, {"old": "too long", "new": 1}, old=before) == [
        "spec.new: Invalid value: 1: spec.new in body should be greater than or equal to 5"
    ]


def test_items_of_a_map_list_are_compared_by_their_keys_on_update():
    spec = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "v": {"type": "integer", "maximum": 1}},
        },
    }
    before = [{"name": "a", "v": 5}, {"name": "b", "v": 0}]
    assert problems(spec, [{"name": "b", "v": 1}, {"name": "a", "v": 5}], old=before) == []
    assert len(problems(spec, [{"name": "b", "v": 5}, {"name": "a", "v": 5}], old=before)) == 1


def test_an_embedded_resource_must_name_its_kind_and_have_good_metadata():
    spec = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "x-kubernetes-preserve-unknown-fields": True,
    }
    assert problems(spec, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {"a": "b"}}}) == []
    found = problems(spec, {"apiVersion": "a/b/c", "metadata": {"labels": {"a": "no spaces"}}})
    assert found[:2] == [
        "spec.kind: Required value",
        'spec.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
    ]
    assert found[2].startswith('spec.metadata.labels: Invalid value: "no spaces": a valid label must be')


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2020-01-01T00:00:00Z", "2020-01-01"),
        ("date", "2020-02-29", "2021-02-29"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("email", "a@b.c", "a"),
        ("uri", "https://example.com/x", "not a uri"),
        ("hostname", "a-b.example.com", "a_b.example.com"),
        ("uuid", "550e8400-e29b-41d4-a716-446655440000", "550e8400"),
        ("uuid4", "550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-11d4-a716-446655440000"),
        ("byte", "YQ==", "Y"),
        ("duration", "1h30m", "soon"),
        ("mac", "12:34:56:78:9a:bc", "12:34"),
        ("isbn", "978-0321751041", "978-0321751042"),
        ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
        ("hexcolor", "#fff", "#ff"),
        ("rgbcolor", "rgb(0,255,10)", "rgb(0,256,10)"),
        ("ssn", "123-45-6789", "12-345"),
        ("bsonobjectid", "507f1f77bcf86cd799439011", "507f"),
        ("k8s-short-name", "my-name", "my.name"),
        ("k8s-long-name", "my.name", "My.Name"),
    ],
)
def test_formats_are_checked(name, good, bad):
    assert problems({"type": "string", "format": name}, good) == []
    assert len(problems({"type": "string", "format": name}, bad)) == 1
