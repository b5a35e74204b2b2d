"""What an object, a label, a finalizer may be called, in Kubernetes' words.

``*_errors`` functions give what is wrong with one text (empty: nothing); ``validate_*`` give causes
with field paths. Random characters for ``generateName`` come from the caller, so that this stays pure.

Sources: k8s.io/apimachinery/pkg/api/validate/content, pkg/util/validation, pkg/api/validation/objectmeta.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from .causes import forbidden, go_quote, invalid_value, required, too_long
from .errors import Cause

NameRule = Callable[[str], list[str]]

MAX_NAME_LENGTH: Final = 253
MAX_LABEL_LENGTH: Final = 63
MAX_ANNOTATIONS_BYTES: Final = 256 * 1024
# No vowels, so that no bad words form; the same letters as Kubernetes.
SUFFIX_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_LENGTH: Final = 5
_MAX_BASE_LENGTH: Final = MAX_LABEL_LENGTH - SUFFIX_LENGTH

_STANDARD_FINALIZERS: Final = (
    "kubernetes",
    "orphan",
    "foregroundDeletion",
    "customresourcecleanup.apiextensions.k8s.io",  # of definitions, which are judged by the looser rule
)

_LABEL_FMT = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_FMT = rf"{_LABEL_FMT}(\.{_LABEL_FMT})*"
_DNS1035_FMT = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY_FMT = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE_FMT = f"({_KEY_FMT})?"
_CONFIG_KEY_FMT = "[-._a-zA-Z0-9]+"

_LABEL = re.compile(_LABEL_FMT)
_SUBDOMAIN = re.compile(_SUBDOMAIN_FMT)
_DNS1035 = re.compile(_DNS1035_FMT)
_KEY = re.compile(_KEY_FMT)
_VALUE = re.compile(_VALUE_FMT)
_CONFIG_KEY = re.compile(_CONFIG_KEY_FMT)

_ENDS = "and must start and end with an alphanumeric character"
_LABEL_TEXT = f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS}"
_SUBDOMAIN_TEXT = (
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}"
)
_DNS1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character"
)
_KEY_TEXT = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_VALUE_TEXT = (
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
)
_CONFIG_KEY_TEXT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"


def dns_label_errors(text: str) -> list[str]:
    """Check an RFC 1123 label: namespaces, and parts of host names."""
    errors = _length_errors(text, MAX_LABEL_LENGTH)
    if not _LABEL.fullmatch(text):
        dotted = _SUBDOMAIN.fullmatch(text)
        errors.append(
            "must not contain dots"
            if dotted
            else _pattern_error(_LABEL_TEXT, _LABEL_FMT, "my-name", "123-abc")
        )
    return errors


def dns_subdomain_errors(text: str) -> list[str]:
    """Check an RFC 1123 subdomain: the name of most kinds, custom resources among them."""
    errors = _length_errors(text, MAX_NAME_LENGTH)
    if not _SUBDOMAIN.fullmatch(text):
        errors.append(_pattern_error(_SUBDOMAIN_TEXT, _SUBDOMAIN_FMT, "example.com"))
    return errors


def dns1035_label_errors(text: str) -> list[str]:
    """Check an RFC 1035 label: services, plurals and kinds of CRDs."""
    errors = _length_errors(text, MAX_LABEL_LENGTH)
    if not _DNS1035.fullmatch(text):
        errors.append(_pattern_error(_DNS1035_TEXT, _DNS1035_FMT, "my-name", "abc-123"))
    return errors


def path_segment_errors(text: str) -> list[str]:
    """Check a name that need only be one URL path segment: RBAC kinds."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{each}'" for each in ("/", "%") if each in text]


def config_key_errors(text: str) -> list[str]:
    """Check a key of a ConfigMap's or a Secret's data."""
    errors = _length_errors(text, MAX_NAME_LENGTH)
    if not _CONFIG_KEY.fullmatch(text):
        errors.append(_pattern_error(_CONFIG_KEY_TEXT, _CONFIG_KEY_FMT, "key.name", "KEY_NAME", "key-name"))
    if text in (".", ".."):
        errors.append(f"must not be '{text}'")
    elif text.startswith(".."):
        errors.append("must not start with '..'")
    return errors


@lru_cache(4096)
def _key_errors(text: str) -> tuple[str, ...]:
    errors: list[str] = []
    prefix, slash, name = text.rpartition("/")
    example = _pattern_error(_KEY_TEXT, _KEY_FMT, "MyName", "my.name", "123-abc")
    if "/" in prefix:
        optional = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return (f"a valid label key {example} {optional}",)
    if slash and not prefix:
        errors.append("prefix part must be non-empty")
    elif slash:
        errors += [f"prefix part {error}" for error in dns_subdomain_errors(prefix)]
    if not name:
        errors.append("name part must be non-empty")
    elif len(name) > MAX_LABEL_LENGTH:
        errors.append(f"name part must be no more than {MAX_LABEL_LENGTH} characters")
    if not _KEY.fullmatch(name):
        errors.append(f"name part {example}")
    return tuple(errors)


def label_key_errors(text: str) -> list[str]:
    """Check a qualified name (``[prefix/]name``): label and annotation keys, finalizers."""
    return list(_key_errors(text))


@lru_cache(4096)
def _value_errors(text: str) -> tuple[str, ...]:
    errors = _length_errors(text, MAX_LABEL_LENGTH)
    if not _VALUE.fullmatch(text):
        errors.append(_pattern_error(_VALUE_TEXT, _VALUE_FMT, "MyValue", "my_value", "12345"))
    return tuple(errors)


def label_value_errors(text: str) -> list[str]:
    """Check the value of a label."""
    return list(_value_errors(text))


def generate_name(base: str, choose: Callable[[str], str]) -> str:
    """Give ``base`` (cut to 58 characters) and five characters; ``choose`` picks one of an alphabet."""
    suffix = "".join(choose(SUFFIX_ALPHABET) for _ in range(SUFFIX_LENGTH))
    return base[:_MAX_BASE_LENGTH] + suffix


def validate_labels(labels: Mapping[str, str], field: str = "metadata.labels") -> list[Cause]:
    """Check label keys and values."""
    causes = []
    for key, value in labels.items():
        causes += [invalid_value(field, key, error) for error in _key_errors(key)]
        causes += [invalid_value(field, value, error) for error in _value_errors(value)]
    return causes


def validate_annotations(annotations: Mapping[str, str], field: str = "metadata.annotations") -> list[Cause]:
    """Check annotation keys (case doesn't matter) and their total size, 256 KiB."""
    causes = [invalid_value(field, key, error) for key in annotations for error in _key_errors(key.lower())]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > (
        MAX_ANNOTATIONS_BYTES
    ):
        causes.append(too_long(field, MAX_ANNOTATIONS_BYTES))
    return causes


def validate_name(name: str, rule: NameRule, field: str = "metadata.name") -> list[Cause]:
    """Check an object's name with its kind's rule; an empty one is required."""
    if not name:
        return [required(field, "name or generateName is required")]
    return [invalid_value(field, name, error) for error in rule(name)]


def validate_metadata(
    metadata: Mapping[str, Any],
    *,
    namespaced: bool,
    rule: NameRule = dns_subdomain_errors,
    is_built_in: bool = False,
) -> list[Cause]:
    """Check ``metadata`` of an object about to be created; its JSON types must be right already.

    Finalizers of built-in kinds must be qualified, or one of Kubernetes' own.
    """
    causes: list[Cause] = []
    base = metadata.get("generateName") or ""
    if base:
        # A trailing dash is fine in a base: five characters follow it.
        masked = f"{base[:-2]}a" if len(base) > 1 and base.endswith("-") else base
        causes += [invalid_value("metadata.generateName", base, error) for error in rule(masked)]
    causes += validate_name(metadata.get("name") or "", rule)
    namespace = metadata.get("namespace") or ""
    if namespaced and not namespace:
        causes.append(required("metadata.namespace"))
    elif namespaced:
        causes += [
            invalid_value("metadata.namespace", namespace, error) for error in dns_label_errors(namespace)
        ]
    elif namespace:
        causes.append(forbidden("metadata.namespace", "not allowed on this type"))
    if (metadata.get("generation") or 0) < 0:
        causes.append(
            invalid_value("metadata.generation", metadata["generation"], "must be greater than or equal to 0")
        )
    causes += validate_labels(metadata.get("labels") or {})
    causes += validate_annotations(metadata.get("annotations") or {})
    causes += validate_owner_references(metadata.get("ownerReferences") or ())
    finalizers = metadata.get("finalizers") or ()
    causes += validate_finalizers(finalizers)
    if is_built_in:
        causes += _unqualified(finalizers)
    return causes


def _unqualified(finalizers: Sequence[str]) -> list[Cause]:
    detail = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        invalid_value(f"metadata.finalizers[{index}]", finalizer, detail)
        for index, finalizer in enumerate(finalizers)
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS
    ]


def validate_owner_references(
    references: Sequence[Mapping[str, Any]], field: str = "metadata.ownerReferences"
) -> list[Cause]:
    """Check that every owner is named in full, none is an Event, and at most one controls."""
    causes = []
    controller = ""
    for reference in references:
        api_version = reference.get("apiVersion") or ""
        if not api_version.rpartition("/")[2]:
            causes.append(invalid_value(f"{field}.apiVersion", api_version, "version must not be empty"))
        causes += [
            invalid_value(f"{field}.{member}", "", "must not be empty")
            for member in ("kind", "name", "uid")
            if not reference.get(member)
        ]
        if (api_version, reference.get("kind")) == ("v1", "Event"):
            causes.append(
                invalid_value(field, dict(reference), "/v1, Kind=Event is disallowed from being an owner")
            )
        if reference.get("controller"):
            this = f"{reference.get('kind')}/{reference.get('name')}"
            if controller:
                detail = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {this}"
                )
                shown = orjson.dumps([_in_order(each) for each in references]).decode()
                causes.append(Cause("FieldValueInvalid", f"Invalid value: {shown}: {detail}", field))
            controller = controller or this
    return causes


def _in_order(reference: Mapping[str, Any]) -> dict[str, Any]:
    """Give an owner reference with its members as Go's type has them."""
    order = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
    return {name: reference[name] for name in order if name in reference}


def validate_finalizers(finalizers: Sequence[str], field: str = "metadata.finalizers") -> list[Cause]:
    """Check finalizer names, and that an object is not both orphaning and deleting its dependents."""
    causes = [
        invalid_value(field, finalizer, error) for finalizer in finalizers for error in _key_errors(finalizer)
    ]
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        detail = "finalizer orphan and foregroundDeletion cannot be both set"
        causes.append(invalid_value(field, list(finalizers), detail))
    return causes


def finalizer_warnings(added: Iterable[str]) -> list[str]:
    """Give what writers of these finalizers of a custom resource are warned of: what is refused elsewhere."""
    found: list[str] = []
    for name in sorted(added):
        texts = list(_key_errors(name))
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            path = " including a path (/)" if "." in name else ""
            texts.append(
                f"prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other "
                "finalizer writers"
            )
        found += [f"metadata.finalizers: {go_quote(name)}: {text}" for text in texts]
    return found


def _length_errors(text: str, most: int) -> list[str]:
    return [f"must be no more than {most} characters"] if len(text.encode()) > most else []


def _pattern_error(words: str, pattern: str, *examples: str) -> str:
    listed = " or ".join(f"'{example}', " for example in examples)
    return f"{words} (e.g. {listed}regex used for validation is '{pattern}')"
