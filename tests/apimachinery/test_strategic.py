"""Strategic merge patches, case by case."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadbed.apimachinery.errors import BadRequestError, InvalidError
from roadbed.apimachinery.nodes import compile_node
from roadbed.apimachinery.strategic import strategic_merge

Object = dict[str, Any]

TEXT = {"type": "string"}


def merged_list(items: Object, strategy: str = "", key: str = "") -> Object:
    found: Object = {"type": "array", "items": items}
    if strategy:
        found["x-kubernetes-patch-strategy"] = strategy
    if key:
        found["x-kubernetes-patch-merge-key"] = key
    return found


VOLUME = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "path": TEXT,
        "options": {"type": "object", "properties": {"a": TEXT, "b": TEXT}},
    },
}
NODE = compile_node(
    {
        "type": "object",
        "properties": {
            "text": TEXT,
            "args": merged_list(TEXT),
            "finalizers": merged_list(TEXT, "merge"),
            "volumes": merged_list(VOLUME, "merge,retainKeys", "name"),
            "keyless": merged_list(VOLUME, "merge"),
            "strategy": {
                "type": "object",
                "properties": {"type": TEXT, "rolling": TEXT},
                "x-kubernetes-patch-strategy": "retainKeys",
            },
            "whole": {"type": "object", "x-kubernetes-patch-strategy": "replace"},
            "labels": {"type": "object", "additionalProperties": TEXT},
        },
    }
)


def named(*names: str, **more: Any) -> list[Object]:
    return [{"name": name, **more} for name in names]


@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        pytest.param({"text": "a"}, {"text": "b"}, {"text": "b"}, id="a scalar is replaced"),
        pytest.param({"text": "a"}, {"text": None}, {}, id="null removes"),
        pytest.param({}, {"labels": {"a": None, "b": "x"}}, {"labels": {"b": "x"}}, id="null is not kept"),
        pytest.param(
            {"labels": {"a": "x"}}, {"labels": {"b": "y"}}, {"labels": {"a": "x", "b": "y"}}, id="maps merge"
        ),
        pytest.param(
            {"args": ["a"]}, {"args": ["b"]}, {"args": ["b"]}, id="a list without strategy is replaced"
        ),
        pytest.param(
            {"whole": {"a": 1}}, {"whole": {"b": 2}}, {"whole": {"b": 2}}, id="a map that says replace is"
        ),
        pytest.param(
            {"other": {"a": 1}}, {"other": {"b": 2}}, {"other": {"a": 1, "b": 2}}, id="unknown maps merge"
        ),
        pytest.param(
            {"finalizers": ["a", "b"]},
            {"finalizers": ["c", "b"]},
            {"finalizers": ["c", "a", "b"]},
            id="sets merge",
        ),
        pytest.param(
            {"finalizers": ["a", "b"]},
            {"$deleteFromPrimitiveList/finalizers": ["a", "x"]},
            {"finalizers": ["b"]},
            id="items of a set are deleted by a parallel list",
        ),
        pytest.param(
            {"finalizers": ["a"]},
            {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b"]},
            {"finalizers": ["b"]},
            id="deleting and adding in one patch",
        ),
        pytest.param(
            {}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {}, id="deleting from an absent list"
        ),
        pytest.param(
            {"volumes": [{"name": "a", "path": "1"}, {"name": "b"}]},
            {"volumes": [{"name": "a", "options": {"a": "x"}}]},
            {"volumes": [{"name": "a", "path": "1", "options": {"a": "x"}}, {"name": "b"}]},
            id="items merge by key",
        ),
        pytest.param(
            {"volumes": named("a", "b")},
            {"volumes": [{"name": "a", "$patch": "delete"}, {"name": "c"}]},
            {"volumes": named("c", "b")},
            id="an item is deleted by its key",
        ),
        pytest.param(
            {"volumes": named("a", "b")},
            {"volumes": [{"$patch": "replace"}, {"name": "c"}]},
            {"volumes": named("c")},
            id="a list is replaced by a directive in it",
        ),
        pytest.param(
            {"labels": {"a": "x"}},
            {"labels": {"$patch": "replace", "b": "y"}},
            {"labels": {"b": "y"}},
            id="a map is replaced by a directive in it",
        ),
        pytest.param(
            {"labels": {"a": "x"}}, {"labels": {"$patch": "delete"}}, {"labels": {}}, id="a map is emptied"
        ),
        pytest.param({}, {"labels": {"$patch": "delete"}}, {}, id="a directive on nothing leaves nothing"),
        pytest.param(
            {"strategy": {"type": "Rolling", "rolling": "1"}},
            {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
            {"strategy": {"type": "Recreate"}},
            id="retainKeys drops what it does not name",
        ),
        pytest.param(
            {"volumes": named("a", "b", "c")},
            {"$setElementOrder/volumes": named("c", "a"), "volumes": [{"name": "a", "path": "1"}]},
            {"volumes": [{"name": "b"}, {"name": "c"}, {"name": "a", "path": "1"}]},
            id="the patch's order rules, others stay before what followed them",
        ),
        pytest.param(
            {"finalizers": ["a", "b"]},
            {"$setElementOrder/finalizers": ["b", "a"]},
            {"finalizers": ["b", "a"]},
            id="an order alone sorts",
        ),
        pytest.param({}, {"$setElementOrder/finalizers": ["b"]}, {}, id="an order of nothing"),
        pytest.param(
            {"text": "a"}, {"text": {"a": None, "b": 1}}, {"text": {"b": 1}}, id="another type replaces"
        ),
        pytest.param(
            {"args": [], "volumes": []}, {"volumes": []}, {"args": [], "volumes": []}, id="empty lists stay"
        ),
    ],
)
def test_a_patch_gives(original: Object, patch: Object, result: Object) -> None:
    before = copy.deepcopy((original, patch))
    assert strategic_merge(original, patch, NODE) == result
    assert (original, patch) == before


@pytest.mark.parametrize(
    ("original", "patch", "told"),
    [
        ({"labels": {}}, {"labels": {"$patch": "merge"}}, "unknown patch type: merge in map: "),
        ({"volumes": named("a")}, {"volumes": [{"path": "x"}]}, "does not contain declared merge key: name"),
        (
            {"volumes": named("a")},
            {"volumes": [{"$patch": "delete"}]},
            "does not contain declared merge key: name",
        ),
        (
            {"volumes": named("a")},
            {"volumes": [{"$patch": "merge"}]},
            "merging lists cannot yet be specified",
        ),
        ({"volumes": named("a")}, {"volumes": [{"$patch": "x"}]}, "unknown patch type: x in map: "),
        ({"keyless": named("a")}, {"keyless": named("a")}, "cannot merge lists without merge key"),
        ({"strategy": {}}, {"strategy": {"$retainKeys": "type"}}, "invalid patch format of retainKeys"),
        (
            {"strategy": {}},
            {"strategy": {"$retainKeys": [], "type": "x"}},
            "invalid patch format of retainKeys",
        ),
        ({"finalizers": ["a"]}, {"finalizers": [{"a": 1}]}, "list element types are not identical"),
        (
            {"volumes": named("a", "b")},
            {"$setElementOrder/volumes": named("a", "b"), "volumes": named("b", "a")},
            "The order in patch list",
        ),
        ({}, {"$setElementOrder/volumes": "a"}, "expected a list at volumes"),
        ({"text": "a"}, {"$setElementOrder/text": []}, "expected a list at text"),
        ({}, {"$setElementOrder": []}, "invalid patch format of setElementOrder list"),
        ({}, {"$deleteFromPrimitiveList": []}, "invalid patch format of primitive list"),
    ],
)
def test_a_patch_that_makes_no_sense_is_refused(original: Object, patch: Object, told: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        strategic_merge(original, patch, NODE)
    assert told in caught.value.message


def test_lists_of_lists_cannot_be_merged() -> None:
    with pytest.raises(InvalidError, match="lists of lists are not supported"):
        strategic_merge({"finalizers": [["a"]]}, {"finalizers": [["b"]]}, NODE)


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=3)
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "text": st.sampled_from("xyz"),
        "labels": LABELS,
        "finalizers": st.lists(st.sampled_from("abc"), max_size=3, unique=True),
        "volumes": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("abc")}, optional={"path": st.sampled_from("xy")}),
            max_size=3,
            unique_by=lambda item: item["name"],
        ),
    },
)


@given(OBJECTS, OBJECTS)
@settings(max_examples=80, deadline=None)
def test_patching_twice_is_patching_once(original: Object, patch: Object) -> None:
    once = strategic_merge(original, patch, NODE)
    assert strategic_merge(once, patch, NODE) == once


@given(OBJECTS)
@settings(max_examples=80, deadline=None)
def test_an_object_patched_with_itself_stays(original: Object) -> None:
    assert strategic_merge(original, original, NODE) == original


@given(OBJECTS, OBJECTS)
@settings(max_examples=80, deadline=None)
def test_what_a_patch_names_is_in_the_result(original: Object, patch: Object) -> None:
    result = strategic_merge(original, patch, NODE)
    assert patch.get("labels", {}).items() <= result.get("labels", {}).items()
    assert set(patch.get("finalizers", ())) <= set(result.get("finalizers", ()))
    assert {each["name"] for each in patch.get("volumes", ())} <= {
        each["name"] for each in result.get("volumes", ())
    }
