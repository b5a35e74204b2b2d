"""JSON patches and merge patches: their algebra, and how a patch that doesn't apply is refused."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import BadRequestError, InvalidError, RequestEntityTooLargeError
from roadbed.apimachinery.patch import MAX_OPERATIONS, diff_merge_patch, json_patch, merge_patch

SCALARS = st.one_of(st.booleans(), st.integers(-3, 3), st.text("ab", max_size=2))
NAMES = st.text("abc", min_size=1, max_size=1)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
PATCHES = st.recursive(
    st.one_of(SCALARS, st.none()), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@given(OBJECTS, OBJECTS)
def test_the_difference_of_two_objects_leads_from_one_to_the_other(old, new):
    assert merge_patch(old, diff_merge_patch(old, new)) == new


@given(OBJECTS)
def test_there_is_no_difference_between_an_object_and_itself(obj):
    assert diff_merge_patch(obj, copy.deepcopy(obj)) == {}


@given(OBJECTS, PATCHES)
def test_merging_twice_is_merging_once(obj, patch):
    once = merge_patch(obj, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS, PATCHES)
def test_a_merge_changes_neither_the_object_nor_the_patch(obj, patch):
    before = copy.deepcopy((obj, patch))
    merge_patch(obj, patch)
    assert (obj, patch) == before


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        # the examples of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_follows_the_rfc(target, patch, expected):
    assert merge_patch(target, patch) == expected


@given(OBJECTS, NAMES, VALUES)
def test_what_is_added_can_be_tested_and_removed(obj, name, value):
    added = json_patch(obj, [{"op": "add", "path": f"/{name}", "value": value}])
    assert json_patch(added, [{"op": "test", "path": f"/{name}", "value": value}]) == added
    removed = json_patch(added, [{"op": "remove", "path": f"/{name}"}])
    assert removed == {key: each for key, each in obj.items() if key != name}


@given(OBJECTS, st.lists(st.tuples(NAMES, VALUES), max_size=3))
def test_a_json_patch_leaves_the_document_given_alone(obj, writes):
    before = copy.deepcopy(obj)
    operations = [{"op": "add", "path": f"/{name}", "value": value} for name, value in writes]
    json_patch(obj, [*operations, {"op": "add", "path": "/list", "value": []}])
    assert obj == before


@pytest.mark.parametrize(
    ("document", "operations", "expected"),
    [
        ({"a": [1, 2]}, [{"op": "add", "path": "/a/1", "value": 9}], {"a": [1, 9, 2]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/0"}], {"a": [2]}),
        ({"a": 1}, [{"op": "replace", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a/b": 1, "m~n": 2}, [{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/m~0n"}], {}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"a": 1.0}, [{"op": "test", "path": "/a", "value": 1}], {"a": 1.0}),
    ],
)
def test_json_patch_follows_the_rfc(document, operations, expected):
    assert json_patch(document, operations) == expected


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (
            {"op": "add", "path": "/x/y", "value": 1},
            'add operation does not apply: doc is missing path: "/x/y": missing value',
        ),
        (
            {"op": "remove", "path": "/x"},
            "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
        ),
        ({"op": "replace", "path": "/list/7", "value": 1}, "doc is missing key: /list/7: missing value"),
        ({"op": "test", "path": "/a", "value": 2}, "testing value /a failed: test failed"),
        ({"op": "test", "path": "/a", "value": True}, "testing value /a failed: test failed"),
        ({"op": "swap", "path": "/a"}, "Unexpected kind: swap"),
        ({"op": "add", "value": 1}, "add operation failed to decode path: missing value"),
        ({"op": "add", "path": "/list/x", "value": 1}, "value was not a proper array index: 'x'"),
    ],
)
def test_an_operation_that_does_not_apply_is_refused_by_path(operation, words):
    with pytest.raises(InvalidError) as caught:
        json_patch({"a": 1, "list": []}, [operation])
    assert caught.value.message.startswith("the server rejected our request due to an error in our request")
    assert words in caught.value.message


def test_a_patch_is_a_bounded_list_of_objects():
    with pytest.raises(BadRequestError):
        json_patch({}, {"op": "add"})
    with pytest.raises(RequestEntityTooLargeError, match=f"is {MAX_OPERATIONS}, got {MAX_OPERATIONS + 1}"):
        json_patch({}, [{"op": "test", "path": "", "value": {}}] * (MAX_OPERATIONS + 1))


def test_copying_a_document_into_itself_is_bounded():
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 40
    with pytest.raises(RequestEntityTooLargeError, match="accumulated size increase of copy"):
        json_patch({"a": ["x" * 1000]}, doubling)
