"""Quantities: parsed exactly, compared by amount, written canonically (recorded from Kubernetes 1.35)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.quantity import parse_quantity

SUFFIXES = st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "u", "n", "e3", "E"])
TEXTS = st.builds(lambda n, s: f"{n}{s}", st.integers(-(10**6), 10**6), SUFFIXES)


@given(TEXTS)
def test_the_canonical_text_has_the_same_amount_and_is_canonical(text):
    quantity = parse_quantity(text)
    assert parse_quantity(str(quantity)) == quantity
    assert str(parse_quantity(str(quantity))) == str(quantity)


@given(TEXTS, TEXTS)
def test_amounts_are_ordered_and_added_as_numbers(one, other):
    a, b = parse_quantity(one), parse_quantity(other)
    assert (a < b) == (a.nanos < b.nanos)
    assert (a + b) - b == a
    assert hash(a) == hash(parse_quantity(str(a)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500m", "500m"),
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1.5Ki", "1536"),
        ("4.3Ki", "4403200m"),
        ("1023", "1023"),
        ("1000", "1k"),
        ("12e6", "12e6"),
        ("1E3", "1e3"),
        ("1E", "1E"),
        ("0.1n", "1n"),
        ("-1.5", "-1500m"),
        (".5", "500m"),
        ("0526Mi", "526Mi"),
        ("531211E", "531211E"),
        ("99Ei", "9223372036854775807"),
        ("0", "0"),
    ],
)
def test_the_canonical_text(text, expected):
    assert str(parse_quantity(text)) == expected


def test_a_quantity_is_a_number():
    assert float(parse_quantity("250m")) == 0.25
    assert int(parse_quantity("1.5")) == 2
    assert int(parse_quantity("-1.5")) == -2
    assert parse_quantity("1Ki") == parse_quantity("1024")


@pytest.mark.parametrize("text", ["", "a", "1.2.3", "--1", "1 Gi", "1e99999"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match=r"quantit"):
        parse_quantity(text)
