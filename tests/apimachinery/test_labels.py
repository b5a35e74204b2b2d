"""Label selectors: what they mean, how they are written, how a wrong one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.labels import EVERYTHING, NOTHING, Requirement, Selector

KEYS = st.sampled_from(["a", "b", "app.kubernetes.io/name", "x-1"])
VALUES = st.sampled_from(["", "1", "2", "prod", "a.b_c"])
LABELS = st.dictionaries(KEYS, VALUES)
TERMS = st.one_of(
    st.builds(lambda k, o, v: Requirement(k, o, (v,)), KEYS, st.sampled_from(["=", "==", "!="]), VALUES),
    st.builds(
        lambda k, o, v: Requirement(k, o, tuple(sorted(v))),
        KEYS,
        st.sampled_from(["in", "notin"]),
        st.sets(VALUES, min_size=1),
    ),
    st.builds(Requirement, KEYS, st.sampled_from(["exists", "!"])),
    st.builds(
        lambda k, o, n: Requirement(k, o, (str(n),)), KEYS, st.sampled_from(["gt", "lt"]), st.integers(0, 9)
    ),
)


@given(st.lists(TERMS, max_size=4))
def test_a_selector_reads_back_what_it_writes(terms):
    selector = Selector(tuple(sorted(terms, key=lambda term: term.key)))
    assert Selector.parse(str(selector)) == selector


@given(st.lists(TERMS, max_size=4), LABELS)
def test_a_selector_is_the_conjunction_of_its_terms(terms, labels):
    assert Selector(tuple(terms)).matches(labels) == all(term.matches(labels) for term in terms)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("a=1", {"a": "1"}, True),
        ("a=1", {}, False),
        ("a!=1", {}, True),
        ("a in (1,2)", {"a": "2"}, True),
        ("a notin (1,2)", {}, True),
        ("a notin (1,2)", {"a": "1"}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a>5", {"a": "6"}, True),
        ("a>5", {"a": "x"}, False),
        ("a<5,b", {"a": "4", "b": "x"}, True),
        ("a=", {"a": ""}, True),
        ("a in (,x)", {"a": ""}, True),
        (" a = 1 , b ", {"a": "1", "b": ""}, True),
    ],
)
def test_a_selector_selects(text, labels, expected):
    assert Selector.parse(text).matches(labels) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=", "found '=', expected: !, identifier, or 'end of string'"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        (
            "a>x",
            (
                'unable to parse requirement: values[0]: Invalid value: "x": '
                "for 'Gt', 'Lt' operators, the value must be an integer"
            ),
        ),
        (
            "a_=x",
            (
                'unable to parse requirement: <nil>: Invalid value: "a_": name part must consist of alphanumeric '
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
                "'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
            ),
        ),
    ],
)
def test_a_wrong_selector_is_refused_in_kubernetes_words(text, message):
    with pytest.raises(BadRequestError) as caught:
        Selector.parse(text)
    assert caught.value.message == message


def test_a_label_selector_object_means_all_its_parts():
    selector = Selector.of(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }
    )
    assert str(selector) == "app=web,!old,tier in (a,b)"
    assert selector.matches({"app": "web", "tier": "a"})
    assert not selector.matches({"app": "web", "tier": "a", "old": ""})


def test_an_absent_label_selector_selects_nothing_and_an_empty_one_everything():
    assert Selector.of(None) == NOTHING
    assert not NOTHING.matches({})
    assert Selector.of({}) == EVERYTHING
    assert EVERYTHING.matches({})
    assert EVERYTHING.is_everything


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        (
            {"matchExpressions": [{"key": "a", "operator": "Near"}]},
            '"Near" is not a valid label selector operator',
        ),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}, "values set can't be empty"),
        ({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}, "must be empty"),
        ({"matchLabels": {"a": "no spaces"}}, "values[0][a]"),
    ],
)
def test_a_wrong_label_selector_object_is_refused(selector, words):
    with pytest.raises(BadRequestError) as caught:
        Selector.of(selector)
    assert words in caught.value.message
