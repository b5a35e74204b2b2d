"""Field selectors: terms, escapes, and what a kind doesn't index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.fields import FieldSelector, escape, unescape


@given(st.text())
def test_an_escaped_value_comes_back(value):
    assert unescape(escape(value)) == value


@given(st.text(min_size=1))
def test_any_value_can_be_selected_by(value):
    selector = FieldSelector.parse(f"metadata.name={escape(value)}")
    assert selector.matches({"metadata.name": value})
    assert not selector.matches({"metadata.name": value + "x"})


def test_terms_are_all_required_and_may_exclude():
    selector = FieldSelector.parse("metadata.name=a,spec.kind!=b,status.x==c")
    assert selector.matches({"metadata.name": "a", "status.x": "c"})
    assert not selector.matches({"metadata.name": "a", "spec.kind": "b", "status.x": "c"})
    assert selector.exact("metadata.name") == "a"
    assert selector.exact("spec.kind") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
    ],
)
def test_a_wrong_field_selector_is_refused(text, message):
    with pytest.raises(BadRequestError) as caught:
        FieldSelector.parse(text)
    assert caught.value.message == message


def test_a_field_that_the_kind_does_not_index_is_refused_by_name():
    selector = FieldSelector.parse("spec.size=small")
    with pytest.raises(BadRequestError, match=r"field label not supported: spec\.size"):
        selector.check({"metadata.name"})


def test_an_empty_selector_selects_everything():
    assert FieldSelector.parse("").is_everything
    assert FieldSelector.parse("").matches({})
