"""The judgement of a definition when it is written: names, versions, conversion, approval, what may change.

``CrdStrategy`` calls ``judge``. Schemas are judged by ``apimachinery.structural``, their CEL rules by
``apimachinery.cel``. Pure; the causes say what Kubernetes says, at the paths that it says.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import invalid_value, not_supported, required
from roadbed.apimachinery.conditions import is_true
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.goschema import hoisted, show_versions
from roadbed.apimachinery.names import dns1035_label_errors, dns_subdomain_errors
from roadbed.apimachinery.objects import annotations_of
from roadbed.apimachinery.request import Object

from . import naming, webhooks
from .versions import columns, schema, selectable_fields, subresources, version

Judge = Callable[[Mapping[str, Any], str], list[Cause]]
"""Judges a schema at a path: structure, defaults and rules."""

_MUST_STAY: Final = (
    "missing from spec.versions; {0} was previously a storage version, and must remain in spec.versions until a "
    "storage migration ensures no data remains persisted in {0} and removes {0} from status.storedVersions"
)


def judge(obj: Object, old: Object | None, schemas: Judge | None) -> list[Cause]:
    """Give everything that keeps a definition from being stored; ``schemas`` None takes schemas on trust."""
    spec = hoisted(obj["spec"])
    if old is not None and schemas is not None:
        schemas = _but_for(old, schemas)
    name, group = obj["metadata"].get("name") or "", spec.get("group") or ""
    causes = []
    if old is None and name != f"{spec['names'].get('plural') or ''}.{group}":
        causes.append(invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    causes += _spec(spec, obj["spec"], schemas)
    if old is not None:
        causes += _unchanged(obj["spec"], old)
        # A bad one keeps a new definition from being established; an established one must not get it.
        if is_true(old, "Established") and not webhooks.authority(old["spec"], ""):
            causes += webhooks.authority(obj["spec"], "spec.conversion.webhookClientConfig.caBundle")
    causes += stored_versions((obj.get("status") or {}).get("storedVersions"), obj["spec"].get("versions"))
    causes += _approval(obj, old)
    if spec.get("preserveUnknownFields") and not (old and old["spec"].get("preserveUnknownFields")):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        causes.append(invalid_value("spec.preserveUnknownFields", True, detail))
    return causes


def _but_for(old: Object, schemas: Judge) -> Judge:
    """Judge only schemas that no version had before: what was accepted once stays acceptable."""
    known = [(each.get("schema") or {}).get("openAPIV3Schema") for each in old["spec"].get("versions") or ()]
    return lambda openapi, path: [] if openapi in known else schemas(openapi, path)


def _spec(spec: Mapping[str, Any], written: Mapping[str, Any], schemas: Judge | None) -> Iterator[Cause]:
    group = spec.get("group") or ""
    if not group:
        yield required("spec.group")
    elif errors := dns_subdomain_errors(group):
        yield invalid_value("spec.group", group, ",".join(errors))
    elif "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")
    if not spec.get("scope"):
        yield required("spec.scope")
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        yield not_supported("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
    versions = spec["versions"]
    if "validation" not in spec:
        for index, each in enumerate(versions):
            if not isinstance((each.get("schema") or {}).get("openAPIV3Schema"), dict):
                yield required(f"spec.versions[{index}].schema.openAPIV3Schema")
    for index, each in enumerate(versions):
        at = f"spec.versions[{index}]"
        yield from label(f"{at}.name", each.get("name") or "", is_required=True)
        has_status = "status" in (spec.get("subresources") or each.get("subresources") or {})
        yield from version(each, at, has_status, schemas)
    yield from _storage(versions, written.get("versions"))
    if versions:
        yield from label("spec.version", versions[0].get("name") or "", is_required=False)
    names = spec["names"]
    for member in ("plural", "singular", "kind", "listKind"):
        if not names.get(member):
            yield required(f"spec.names.{member}")
    yield from names_of(names, "spec.names")
    if "validation" in spec:
        statuses = [spec.get("subresources"), *(each.get("subresources") for each in versions)]
        has_status = any("status" in (each or {}) for each in statuses)
        yield from schema(spec["validation"], "spec.validation", has_status, schemas)
    yield from subresources(spec.get("subresources"), "spec.subresources")
    yield from columns(spec.get("additionalPrinterColumns"), "spec.additionalPrinterColumns")
    if "validation" in spec:
        openapi = spec["validation"].get("openAPIV3Schema") or {}
        yield from selectable_fields(spec.get("selectableFields"), openapi, "spec.selectableFields")
    elif spec.get("selectableFields"):
        detail = "may only be set when validations.schema is included"
        yield invalid_value("spec.selectableFields", "", detail)
    yield from webhooks.conversion(spec.get("conversion"), "spec.conversion")


def _storage(versions: list[dict[str, Any]], written: Any) -> Iterator[Cause]:
    named = [each.get("name") for each in versions]
    troubles = []
    if len(set(named)) != len(named):
        troubles.append("must contain unique version names")
    if sum(1 for each in versions if each.get("storage")) != 1:
        troubles.append("must have exactly one version marked as storage version")
    shown = show_versions(None if written is None else versions) if troubles else ""
    for detail in troubles:
        yield Cause("FieldValueInvalid", f"Invalid value: {shown}: {detail}", "spec.versions")


def label(field: str, value: str, *, is_required: bool) -> Iterator[Cause]:
    """Yield what keeps a text from being a DNS-1035 label; an absent one may be fine."""
    errors = dns1035_label_errors(value) if value or is_required else ()
    if errors:
        yield invalid_value(field, value, ",".join(errors))


def names_of(names: Mapping[str, Any], path: str) -> Iterator[Cause]:
    """Yield what is wrong with a definition's names; absent ones are left to the caller."""
    for member in ("plural", "singular"):
        yield from label(f"{path}.{member}", names.get(member) or "", is_required=False)
    for member in ("kind", "listKind"):
        value = names.get(member) or ""
        errors = dns1035_label_errors(value.lower()) if value else ()
        if errors:
            detail = f"may have mixed case, but should otherwise match: {','.join(errors)}"
            yield invalid_value(f"{path}.{member}", value, detail)
    for index, each in enumerate(names.get("shortNames") or ()):
        yield from label(f"{path}.shortNames[{index}]", each, is_required=True)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid_value(f"{path}.listKind", names["listKind"], "kind and listKind may not be the same")
    for index, each in enumerate(names.get("categories") or ()):
        yield from label(f"{path}.categories[{index}]", each, is_required=True)


def stored_versions(stored: Any, versions: Any) -> Iterator[Cause]:
    """Yield what is wrong with ``status.storedVersions`` beside the versions there are."""
    path = "status.storedVersions"
    if not stored:
        yield invalid_value(path, stored or None, "must have at least one stored version")
        return
    left = {name: index for index, name in enumerate(stored)}
    for each in versions or ():
        if each.get("storage") and each.get("name") not in stored:
            yield invalid_value(path, stored, f"must have the storage version {each.get('name')}")
        left.pop(each.get("name"), None)
    for name, index in left.items():
        yield invalid_value(f"{path}[{index}]", name, _MUST_STAY.format(name))


def _approval(obj: Object, old: Object | None) -> Iterator[Cause]:
    if not naming.is_protected(str(obj["spec"].get("group") or "")):
        return
    state, text = naming.approval(annotations_of(obj))
    if old is not None and naming.approval(annotations_of(old))[0] == state:
        return
    where = f"metadata.annotations[{naming.APPROVED}]"
    if state == "InvalidAnnotation":
        yield invalid_value(where, annotations_of(obj)[naming.APPROVED], text)
    elif state == "MissingAnnotation":
        yield required(where, text)


def _unchanged(spec: Mapping[str, Any], old: Object) -> Iterator[Cause]:
    before = old["spec"]
    fixed = [("scope",), ("names", "kind")] if is_true(old, "Established") else []
    for path in (*fixed, ("group",), ("names", "plural")):
        now, was = spec, before
        for step in path[:-1]:
            now, was = now.get(step) or {}, was.get(step) or {}
        value = now.get(path[-1]) or ""
        if value != (was.get(path[-1]) or ""):
            yield invalid_value(f"spec.{'.'.join(path)}", value, "field is immutable")
