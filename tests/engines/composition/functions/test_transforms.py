"""Each transform of patch-and-transform, and what it says when it can't."""

import pytest

from roadbed.engines.composition.functions.transforms import TransformError, resolve


def math(kind="Multiply", **settings):
    return {"type": "math", "math": {"type": kind, **settings}}


def string(kind, **settings):
    return {"type": "string", "string": {"type": kind, **settings}}


def convert(to, form="none"):
    return {"type": "convert", "convert": {"toType": to, "format": form}}


LITERAL = {"type": "literal", "literal": "a", "result": {"x": 1}}
REGEXP = {"type": "regexp", "regexp": "^b+$", "result": "bees"}


@pytest.mark.parametrize(
    ("transform", "value", "result"),
    [
        (math(multiply=2), 3, 6),
        (math(multiply=2), 1.5, 3.0),
        (math("ClampMin", clampMin=5), 3, 5),
        (math("ClampMax", clampMax=5), 3, 3),
        ({"type": "map", "map": {"small": {"cpu": 1}}}, "small", {"cpu": 1}),
        ({"type": "match", "match": {"patterns": [LITERAL, REGEXP]}}, "a", {"x": 1}),
        ({"type": "match", "match": {"patterns": [LITERAL, REGEXP]}}, "bbb", "bees"),
        ({"type": "match", "match": {"patterns": [LITERAL], "fallbackValue": "f"}}, "c", "f"),
        ({"type": "match", "match": {"patterns": [LITERAL], "fallbackTo": "Input"}}, "c", "c"),
        (string("Format", fmt="x-%s"), "y", "x-y"),
        (string("Convert", convert="ToUpper"), "ab", "AB"),
        (string("Convert", convert="ToLower"), "AB", "ab"),
        (string("Convert", convert="ToBase64"), "hi", "aGk="),
        (string("Convert", convert="FromBase64"), "aGk=", "hi"),
        (string("Convert", convert="ToJson"), {"b": 1, "a": [True]}, '{"a":[true],"b":1}'),
        (string("Convert", convert="ToSha1"), "hi", "c22b5f9178342609428d6f51b2c5af4c0bde6a42"),
        (string("Convert", convert="ToAdler32"), "hi", "20644050"),
        (string("TrimPrefix", trim="arn:"), "arn:x", "x"),
        (string("TrimSuffix", trim="-x"), "a-x", "a"),
        (string("Regexp", regexp={"match": "v([0-9]+)", "group": 1}), "a-v12-b", "12"),
        (string("Regexp", regexp={"match": "v[0-9]+"}), "a-v12-b", "v12"),
        (string("Join", join={"separator": ", "}), ["a", 1, True], "a, 1, true"),
        (string("Replace", replace={"search": "-", "replace": "_"}), "a-b-c", "a_b_c"),
        (convert("int"), "42", 42),
        (convert("bool"), "True", True),
        (convert("string"), 42, "42"),
        (convert("string"), True, "true"),
        (convert("string"), 1.5, "1.5"),
        (convert("int64"), 1.9, 1),
        (convert("float64", "quantity"), "1500m", 1.5),
        (convert("object", "json"), '{"a": 1}', {"a": 1}),
        (convert("array", "json"), "[1, 2]", [1, 2]),
    ],
)
def test_a_transform_gives(transform, value, result):
    assert resolve([transform], value) == result


@pytest.mark.parametrize(
    ("transform", "value", "message"),
    [
        (math(multiply=2), "3", "input is required to be a number for math transformer, got string"),
        (math(multiply=2), True, "got bool"),
        ({"type": "map", "map": {"a": 1}}, "b", "key b is not found in map"),
        ({"type": "map", "map": {"a": 1}}, 1, "type int64 is not supported for map transform"),
        ({"type": "match", "match": {"patterns": [LITERAL]}}, None, "unsupported input type 'null'"),
        (string("Convert", convert="FromBase64"), "%", "string is not valid base64"),
        (string("Regexp", regexp={"match": "x", "group": 2}), "x", 'regexp "x" had no matches for group 2'),
        (string("Join", join={"separator": ""}), "a", "could not parse input array"),
        (convert("int"), "4x", 'cannot convert "4x" to int64: invalid syntax'),
        (convert("array"), "[]", "conversion from string to array is not supported with format none"),
        (convert("string"), {}, "invalid input type map[string]interface {}"),
    ],
)
def test_a_transform_says_why_it_can_not(transform, value, message):
    with pytest.raises(TransformError, match="transform at index 0 returned error") as caught:
        resolve([transform], value)
    assert message in str(caught.value)


def test_transforms_feed_each_other():
    chain = [convert("int"), math(multiply=3), string("Format", fmt="%d GiB")]
    assert resolve(chain, "7") == "21 GiB"
