"""The Invalid error, and printing values as Go does."""

import pytest

from roadbed.apimachinery import causes
from roadbed.apimachinery.gvk import GVK


def test_one_cause_stands_alone_and_several_in_brackets():
    gvk = GVK("platform.example.org", "v1alpha1", "Database")
    size = causes.not_supported("spec.size", "huge", ["small", "medium"])
    one = causes.invalid(gvk, "orders", [size])
    assert one.message == (
        'Database.platform.example.org "orders" is invalid: spec.size: Unsupported value: "huge": '
        'supported values: "small", "medium"'
    )
    two = causes.invalid(gvk, "orders", [size, causes.required("spec.engine"), size])
    assert two.message == (
        'Database.platform.example.org "orders" is invalid: [spec.size: Unsupported value: "huge": '
        'supported values: "small", "medium", spec.engine: Required value]'
    )
    status = two.to_status()
    assert status["code"] == 422
    assert status["details"]["kind"] == "Database"
    assert status["details"]["causes"][1] == {
        "reason": "FieldValueRequired",
        "message": "Required value",
        "field": "spec.engine",
    }


def test_a_core_kind_is_named_without_group():
    assert causes.invalid(GVK("", "v1", "ConfigMap"), "x", []).message == 'ConfigMap "x" is invalid'


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (1.0, "1"),
        (0.5, "0.5"),
        (1e20, "1e+20"),
        (1e21, "1e+21"),
        (1.5e-7, "1.5e-07"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (-2.25, "-2.25"),
        (123456789.125, "1.23456789125e+08"),
        (3, "3"),
    ],
)
def test_numbers_print_as_in_go(value, printed):
    assert causes.go_number(value) == printed


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a", '"a"'),
        ('a"b\\', r'"a\"b\\"'),
        ("a\nb\x01", r'"a\nb\x01"'),
        ("é\u2028", '"é\\u2028"'),
    ],
)
def test_texts_are_quoted_as_in_go(text, quoted):
    assert causes.go_quote(text) == quoted


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (causes.invalid_value("f", True, "no"), "Invalid value: true: no"),
        (causes.invalid_value("f", None, "no"), "Invalid value: null: no"),
        (causes.invalid_value("f", {"b": 1.0, "a": "<"}, "no"), 'Invalid value: {"a":"\\u003c","b":1}: no'),
        (causes.too_long("f", 1), "Too long: may not be more than 1 byte"),
        (causes.too_many("f", 3, 2), "Too many: 3: must have at most 2 items"),
        (causes.duplicate("f", "x"), 'Duplicate value: "x"'),
        (causes.forbidden("f", "why"), "Forbidden: why"),
        (causes.not_found("f", "x"), 'Not found: "x"'),
    ],
)
def test_causes_read_as_in_kubernetes(cause, message):
    assert cause.message == message
