"""What is written as YAML is read back as it was, by readers of other YAML, too."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.yamldump import dump
from roadbed.apimachinery.yamlload import load_value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=8,
    )
)
def test_every_value_is_read_back(value):
    assert load_value(dump({"a": value})) == {"a": value}


@pytest.mark.parametrize(
    "text", ["1e3", "0o7", "y", "N", "+1", ".5", "1_000", "0x1F", "012", "-.inf", "yes", "~"]
)
def test_texts_that_some_reader_takes_for_something_else_are_quoted(text):
    (token,) = [each for each in yaml.scan(dump([text])) if isinstance(each, yaml.ScalarToken)]
    assert (token.value, token.plain) == (text, False)


def test_order_is_the_callers():
    assert dump({"b": 1, "a": 2}) == "b: 1\na: 2\n"
    assert dump({"b": 1, "a": 2}, is_sorted=True) == "a: 2\nb: 1\n"
