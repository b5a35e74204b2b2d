"""Names, labels and annotations, with the messages that users of Kubernetes know."""

import pytest

from roadbed.apimachinery import names
from roadbed.apimachinery.causes import text_of


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (names.dns_label_errors, ["a", "my-name", "123-abc", "a" * 63]),
        (names.dns_subdomain_errors, ["a", "a.b-c.d", "1.2", "a" * 253]),
        (names.label_key_errors, ["a", "A_b.c", "example.com/MyName", "a" * 63]),
        (names.label_value_errors, ["", "a", "A_b.c", "a" * 63]),
        (names.config_key_errors, ["key.name", "KEY_NAME", ".hidden"]),
    ],
)
def test_good_names_are_accepted(check, good):
    assert [check(text) for text in good] == [[]] * len(good)


@pytest.mark.parametrize(
    ("check", "text", "message"),
    [
        (
            names.dns_label_errors,
            "My",
            (
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
                "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
                "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            ),
        ),
        (names.dns_label_errors, "a.b", "must not contain dots"),
        (names.dns_label_errors, "a" * 64, "must be no more than 63 characters"),
        (
            names.dns_subdomain_errors,
            "A",
            (
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
                "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
                r"validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ),
        ),
        (names.label_key_errors, "/a", "prefix part must be non-empty"),
        (names.label_key_errors, "a/" + "b" * 64, "name part must be no more than 63 characters"),
        (names.config_key_errors, "..", "must not be '..'"),
        (names.config_key_errors, "..a", "must not start with '..'"),
        (names.path_segment_errors, "a/b", "may not contain '/'"),
    ],
)
def test_bad_names_are_refused_in_kubernetes_words(check, text, message):
    assert message in check(text)


@pytest.mark.parametrize("text", ["a\n", "a/b/c", "-a", "a/", ""])
def test_label_keys_that_no_object_may_have(text):
    assert names.label_key_errors(text)


def test_a_generated_name_is_short_enough_and_ends_in_five_chosen_characters():
    generated = names.generate_name("x" * 80, lambda alphabet: alphabet[0])
    assert generated == "x" * 58 + "bbbbb"
    assert set(names.SUFFIX_ALPHABET).isdisjoint("aeiou013")


def texts(metadata, **options):
    return [text_of(cause) for cause in names.validate_metadata(metadata, **options)]


def test_metadata_of_a_good_object_is_accepted():
    metadata = {
        "name": "web",
        "namespace": "shop",
        "labels": {"app": "web"},
        "annotations": {"Example.com/Note": "any text"},
        "finalizers": ["example.com/hold"],
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u", "controller": True}
        ],
    }
    assert texts(metadata, namespaced=True) == []


@pytest.mark.parametrize(
    ("metadata", "namespaced", "expected"),
    [
        ({}, False, "metadata.name: Required value: name or generateName is required"),
        ({"name": "a"}, True, "metadata.namespace: Required value"),
        ({"name": "a", "namespace": "b"}, False, "metadata.namespace: Forbidden: not allowed on this type"),
        (
            {"name": "a", "finalizers": ["orphan", "foregroundDeletion"]},
            False,
            (
                'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and '
                "foregroundDeletion cannot be both set"
            ),
        ),
        (
            {"name": "a", "annotations": {"big": "x" * 300_000}},
            False,
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
        (
            {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "", "name": "n", "uid": "u"}]},
            False,
            'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
        ),
        (
            {"name": "a", "generation": -1},
            False,
            "metadata.generation: Invalid value: -1: must be greater than or equal to 0",
        ),
    ],
)
def test_bad_metadata_is_refused_by_field(metadata, namespaced, expected):
    assert expected in texts(metadata, namespaced=namespaced)


def test_only_one_owner_may_control():
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u", "controller": True}
    found = texts({"name": "x", "ownerReferences": [owner, {**owner, "name": "b"}]}, namespaced=False)
    assert len(found) == 1
    assert 'Found "true" in references for ConfigMap/a and ConfigMap/b' in found[0]


def test_a_base_for_generated_names_may_end_in_a_dash():
    assert texts({"name": "a-bcdfg", "generateName": "a-"}, namespaced=False) == []
    assert texts({"name": "x", "generateName": "AB-"}, namespaced=False)
