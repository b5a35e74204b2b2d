"""Field sets: the algebra of tries, checked against plain sets of paths."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadbed.apimachinery import fieldset
from roadbed.apimachinery.fieldset import Path, Trie

ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"x"'])
PATHS = st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple)
SETS = st.frozensets(PATHS, max_size=8)


def trie_of(paths: frozenset[Path]) -> Trie:
    found: Trie = {}
    for path in paths:
        node: Trie = {}
        for element in reversed(path):
            node = {element: node}
        found = fieldset.union(found, node)
    return found


def paths_of(node: Trie) -> frozenset[Path]:
    return frozenset(fieldset.paths(node))


@given(SETS)
@settings(max_examples=60)
def test_a_trie_holds_exactly_the_paths_it_was_made_of(paths: frozenset[Path]) -> None:
    assert paths_of(trie_of(paths)) == paths


@given(SETS, SETS)
@settings(max_examples=60)
def test_union_intersection_and_difference_are_those_of_plain_sets(
    one: frozenset[Path], other: frozenset[Path]
) -> None:
    left, right = trie_of(one), trie_of(other)
    assert paths_of(fieldset.union(left, right)) == one | other
    assert paths_of(fieldset.intersection(left, right)) == one & other
    assert paths_of(fieldset.difference(left, right)) == one - other


@given(SETS, SETS)
@settings(max_examples=60)
def test_without_takes_what_is_below_a_field_too(one: frozenset[Path], other: frozenset[Path]) -> None:
    left = {path for path in one if not any(path[: len(cut)] == cut for cut in other)}
    assert paths_of(fieldset.without(trie_of(one), trie_of(other))) == left


@given(SETS, SETS)
@settings(max_examples=60)
def test_no_operation_changes_its_arguments(one: frozenset[Path], other: frozenset[Path]) -> None:
    left, right = trie_of(one), trie_of(other)
    for operation in (fieldset.union, fieldset.intersection, fieldset.difference, fieldset.without):
        operation(left, right)
        assert (paths_of(left), paths_of(right)) == (one, other)
    assert fieldset.LEAF == {}


@given(SETS)
@settings(max_examples=60)
def test_every_set_passes_the_check_for_sets_from_outside(paths: frozenset[Path]) -> None:
    fieldset.check_trie(trie_of(paths))


@pytest.mark.parametrize(
    "node",
    [
        [],
        {"spec": {}},
        {"f": {}},
        {"x:spec": {}},
        {"f:spec": 1},
        {".": {"f:a": {}}},
        {"k:name": {}},
        {'k:"name"': {}},
        {"v:{": {}},
    ],
)
def test_what_is_no_trie_of_path_elements_is_refused(node: object) -> None:
    with pytest.raises(ValueError, match=r"fieldsV1|unexpected|expected|EOF|JSON"):
        fieldset.check_trie(node)


def test_a_trie_nested_without_end_is_refused() -> None:
    node: Trie = {}
    for _ in range(300):
        node = {"f:a": node}
    with pytest.raises(ValueError, match="map of path elements"):
        fieldset.check_trie(node)


def test_paths_are_written_as_kubernetes_writes_them() -> None:
    path = ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', 'v:"x"', "i:3")
    assert fieldset.text_of(path) == '.spec.ports[port=80,protocol="TCP"][="x"][3]'


def test_html_characters_in_keys_are_escaped_as_go_does() -> None:
    assert fieldset.element_of("k", {"name": "a<b>&c"}) == 'k:{"name":"a\\u003cb\\u003e\\u0026c"}'
