"""The JSONPath of printer columns."""

import pytest

from roadbed.apimachinery.jsonpath import JsonPath

OBJ = {
    "spec": {"x": 1, "a.b": 2, "list": [1, 2, 3], "it's": 5},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Synced", "status": "False"}, {}]
    },
    "metadata": {"annotations": {"crossplane.io/external-name": "n"}},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.x", [1]),
        ("spec.x", [1]),
        ("{.spec.x}", [1]),
        ("$.spec.x", [1]),
        (".", [OBJ]),
        ("", [OBJ]),
        (".nope.x", []),
        (".spec.x.y", []),
        (".spec['a.b']", [2]),
        (r".spec.a\.b", [2]),
        (r".spec['it\'s']", [5]),
        (r".metadata.annotations.crossplane\.io/external-name", ["n"]),
        (r".metadata.annotations['crossplane\.io/external-name']", ["n"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Synced')].status", ["False"]),
        ('.status.conditions[?(@.type!="Ready")].status', ["False"]),
        (".status.conditions[?(@.type)].type", ["Ready", "Synced"]),
        (".status.conditions[*].type", ["Ready", "Synced"]),
        (".spec.list[0]", [1]),
        (".spec.list[-1]", [3]),
        (".spec.list[9]", []),
        (".spec.list[0:2]", [1, 2]),
        (".spec.list[::2]", [1, 3]),
        (".spec.list[0,2]", [1, 3]),
        (".spec.list[?(@>=2)]", [2, 3]),
        (".spec['x','a.b']", [1, 2]),
    ],
)
def test_a_path_finds(path, found):
    assert JsonPath.parse(path).find(OBJ) == found


def test_the_first_thing_found_or_nothing():
    assert JsonPath.parse(".spec.list[*]").first(OBJ) == 1
    assert JsonPath.parse(".spec.nope").first(OBJ) is None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".a[", "unterminated array"),
        ("..", "from '..' on"),
        (".a[x]", "invalid array index 'x'"),
        (".a[?(@.b==c)]", "'c' in a filter"),
        (".a[?@.b]", "a filter is written"),
        (".a b", "from ' b' on"),
    ],
)
def test_an_unreadable_path_is_refused(path, words):
    with pytest.raises(ValueError, match="cannot read JSONPath") as caught:
        JsonPath.parse(path)
    assert words in str(caught.value)
