"""The rules of CustomResourceDefinition objects: completed, judged, and given their conditions at once.

Kubernetes lets controllers accept names and establish a definition seconds later; here the write itself
does, so that a stored CRD is a served CRD.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.cel_check import check_rules
from roadbed.apimachinery.errors import ApiError, Cause
from roadbed.apimachinery.names import dns1035_label_errors, dns_subdomain_errors
from roadbed.apimachinery.objects import annotations_of
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.structural import check_structural

from .crd import CLEANUP, compile_schema, is_established
from .crdcolumns import column_of
from .strategy import Strategy

Names = Callable[[str], Mapping[str, Object]]
"""Gives the accepted names of a group's CRDs, by CRD name."""

_COLUMN_TYPES = ("integer", "number", "string", "boolean", "date")
_PROTECTED = (".k8s.io", ".kubernetes.io")
_APPROVED = "api-approved.kubernetes.io"
_SIMPLE_PATH = re.compile(r"(\.[A-Za-z_][A-Za-z0-9_-]*)+")


class CrdStrategy(Strategy):
    """CustomResourceDefinitions."""

    has_generation = True

    def __init__(self, others: Names, now: Callable[[], str]) -> None:
        self._others = others
        self._now = now
        self._trusts = False

    @contextmanager
    def trusting(self) -> Iterator[None]:
        """Take the schemas of definitions as valid inside the block: Roadbed's own, which its tests check.

        Judging and compiling two dozen of them would be a large part of a first start.
        """
        self._trusts = True
        try:
            yield
        finally:
            self._trusts = False

    def prepare_create(self, obj: Object) -> None:
        _complete(obj)
        meta = obj["metadata"]
        if CLEANUP not in (meta.get("finalizers") or ()):
            meta["finalizers"] = [*(meta.get("finalizers") or ()), CLEANUP]
        obj["status"] = {"conditions": [], "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": []}
        self._accept(obj)

    def prepare_update(self, new: Object, old: Object) -> None:
        _complete(new)
        new.setdefault("status", old.get("status") or {})
        new["status"] = {**new["status"]}
        self._accept(new)

    def begin_deletion(self, obj: Object) -> None:
        message = "CustomResource deletion is in progress"
        self._condition(obj, "Terminating", "True", "InstanceDeletionInProgress", message)

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        spec = obj.get("spec")
        if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
            return [required("spec.names.plural"), required("spec.names.kind")]
        if old is not None and spec == old.get("spec"):
            return []  # what was accepted once may always be labelled, finalized and deleted
        causes = [*_names(obj), *_approval(obj, old)]
        if not self._trusts:
            causes += _versions(spec)
        if old is not None:
            causes += _immutable(obj, old)
        conversion = (spec.get("conversion") or {}).get("strategy", "None")
        if conversion == "Webhook":
            detail = "conversion webhooks are not served; convert stored objects and use strategy None"
            causes.append(forbidden("spec.conversion.strategy", detail))
        elif conversion != "None":
            causes.append(not_supported("spec.conversion.strategy", conversion, ("None", "Webhook")))
        if spec.get("preserveUnknownFields"):
            detail = "must be false; set x-kubernetes-preserve-unknown-fields in the schema instead"
            causes.append(invalid_value("spec.preserveUnknownFields", True, detail))
        return causes

    def _accept(self, obj: Object) -> None:
        """Set NamesAccepted, Established, acceptedNames and storedVersions."""
        spec = obj.get("spec")
        if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
            return
        conflict = self._conflict(obj)
        if conflict:
            self._condition(obj, "NamesAccepted", "False", *conflict)
            if not is_established(obj):
                self._condition(obj, "Established", "False", "NotAccepted", "not all names are accepted")
        else:
            self._condition(obj, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
            established = "the initial names have been accepted"
            self._condition(obj, "Established", "True", "InitialNamesAccepted", established)
            obj["status"]["acceptedNames"] = dict(spec["names"])
        stored = [each["name"] for each in _listed(spec) if each.get("storage") and each.get("name")]
        known = list(obj["status"].get("storedVersions") or ())
        obj["status"]["storedVersions"] = known + [name for name in stored if name not in known]

    def _conflict(self, obj: Object) -> tuple[str, str] | None:
        names = obj["spec"]["names"]
        mine = {names.get("plural"), names.get("singular"), *(names.get("shortNames") or ())} - {None, ""}
        for other, taken in self._others(obj["spec"].get("group", "")).items():
            if other == obj["metadata"].get("name"):
                continue
            theirs = {taken.get("plural"), taken.get("singular"), *(taken.get("shortNames") or ())}
            clash = mine & theirs
            if clash:
                return "PluralConflict", f'"{min(clash)}" is already in use'
            kinds = {taken.get("kind"), taken.get("listKind")} - {None, ""}
            if kinds & {names.get("kind"), names.get("listKind")}:
                return "KindConflict", f'"{names.get("kind")}" is already in use'
        return None

    def _condition(self, obj: Object, kind: str, status: str, reason: str, message: str) -> None:
        conditions = [dict(each) for each in (obj.get("status") or {}).get("conditions") or ()]
        wanted = {"type": kind, "status": status, "reason": reason, "message": message}
        for found in conditions:
            if found.get("type") == kind:
                since = found.get("lastTransitionTime") if found.get("status") == status else None
                found.update(wanted, lastTransitionTime=since or self._now())
                break
        else:
            conditions.append({**wanted, "lastTransitionTime": self._now()})
        obj["status"] = {**(obj.get("status") or {}), "conditions": conditions}


def _listed(spec: dict[str, Any]) -> list[dict[str, Any]]:
    found = spec.get("versions")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _complete(obj: Object) -> None:
    spec = obj.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("names"), dict):
        return
    names = spec["names"]
    if isinstance(names.get("kind"), str) and names["kind"]:
        if not names.get("singular"):
            names["singular"] = names["kind"].lower()
        if not names.get("listKind"):
            names["listKind"] = f"{names['kind']}List"
    spec.setdefault("conversion", {"strategy": "None"})


def _names(obj: Object) -> list[Cause]:
    spec, names = obj["spec"], obj["spec"]["names"]
    group, plural = spec.get("group") or "", names.get("plural") or ""
    causes = []
    if not group:
        causes.append(required("spec.group"))
    else:
        causes += [invalid_value("spec.group", group, error) for error in dns_subdomain_errors(group)]
        if "." not in group:
            causes.append(invalid_value("spec.group", group, "should be a domain with at least one dot"))
    if obj["metadata"].get("name") != f"{plural}.{group}":
        detail = 'must be spec.names.plural+"."+spec.group'
        causes.append(invalid_value("metadata.name", obj["metadata"].get("name", ""), detail))
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        causes.append(
            not_supported("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
            if spec.get("scope")
            else required("spec.scope")
        )
    for member in ("plural", "singular"):
        value = names.get(member) or ""
        if not value:
            causes.append(required(f"spec.names.{member}"))
        causes += [
            invalid_value(f"spec.names.{member}", value, error)
            for error in (dns1035_label_errors(value) if value else ())
        ]
    for member in ("kind", "listKind"):
        value = names.get(member) or ""
        if not value:
            causes.append(required(f"spec.names.{member}"))
        causes += [
            invalid_value(
                f"spec.names.{member}", value, f"may have mixed case, but should otherwise match: {error}"
            )
            for error in (dns1035_label_errors(value.lower()) if value else ())
        ]
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        causes.append(
            invalid_value("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")
        )
    for index, short in enumerate(names.get("shortNames") or ()):
        causes += [
            invalid_value(f"spec.names.shortNames[{index}]", short, error)
            for error in dns1035_label_errors(short)
        ]
    return causes


def _approval(obj: Object, old: Object | None) -> list[Cause]:
    """Keep Kubernetes' own groups to what was reviewed there, or says openly that it was not."""
    if not f".{obj['spec'].get('group') or ''}".endswith(_PROTECTED):
        return []
    value = str(annotations_of(obj).get(_APPROVED) or "")
    if old is not None and value == str(annotations_of(old).get(_APPROVED) or ""):
        return []
    where = f"metadata.annotations[{_APPROVED}]"
    text = f'protected groups must have approval annotation "{_APPROVED}"'
    see = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not value:
        return [required(where, f"{text}, {see}")]
    if value.startswith("unapproved") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]", value):
        return []
    wanted = 'with either a URL or a reason starting with "unapproved"'
    return [invalid_value(where, value, f"{text} {wanted}, {see}")]


def _versions(spec: dict[str, Any]) -> list[Cause]:
    versions = _listed(spec)
    if not versions:
        return [required("spec.versions", "must have at least one version")]
    causes = []
    named = [each.get("name") for each in versions]
    if len(set(named)) != len(named):
        causes.append(invalid_value("spec.versions", named, "must contain unique version names"))
    if sum(1 for each in versions if each.get("storage")) != 1:
        detail = "must have exactly one version marked as storage version"
        causes.append(invalid_value("spec.versions", named, detail))
    for index, version in enumerate(versions):
        causes += _version(version, f"spec.versions[{index}]")
    return causes


def _version(version: dict[str, Any], path: str) -> list[Cause]:
    name = version.get("name") or ""
    causes = [invalid_value(f"{path}.name", name, error) for error in dns1035_label_errors(name)]
    causes += [required(f"{path}.{member}") for member in ("served", "storage") if member not in version]
    openapi = (version.get("schema") or {}).get("openAPIV3Schema")
    where = f"{path}.schema.openAPIV3Schema"
    if not isinstance(openapi, dict) or not openapi:
        return [*causes, required(where, "schemas are required")]
    found = check_structural(openapi, where)
    causes += found
    if not found:
        causes += check_rules(openapi, where) or _compiles(openapi, where)
    subresources = version.get("subresources") or {}
    if "scale" in subresources:
        causes += _scale(subresources["scale"] or {}, f"{path}.subresources.scale")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        causes += _column(column, f"{path}.additionalPrinterColumns[{index}]")
    for index, selectable in enumerate(version.get("selectableFields") or ()):
        text = str(selectable.get("jsonPath") or "")
        if not _SIMPLE_PATH.fullmatch(text) or text.startswith(".metadata"):
            detail = "must be a simple path such as .spec.color, outside metadata"
            causes.append(invalid_value(f"{path}.selectableFields[{index}].jsonPath", text, detail))
    return causes


def _compiles(openapi: dict[str, Any], where: str) -> list[Cause]:
    try:
        compile_schema(openapi)
    except (ValueError, ApiError) as error:
        return [invalid_value(where, "", str(error))]
    return []


def _scale(scale: dict[str, Any], path: str) -> list[Cause]:
    causes = []
    for member, prefix in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        text = str(scale.get(member) or "")
        if not text:
            causes.append(required(f"{path}.{member}"))
        elif not text.startswith(prefix) or not _SIMPLE_PATH.fullmatch(text):
            causes.append(
                invalid_value(f"{path}.{member}", text, f"should be a json path under {prefix.rstrip('.')}")
            )
    return causes


def _column(column: dict[str, Any], path: str) -> list[Cause]:
    causes = [
        required(f"{path}.{member}") for member in ("name", "jsonPath", "type") if not column.get(member)
    ]
    if column.get("type") and column["type"] not in _COLUMN_TYPES:
        causes.append(not_supported(f"{path}.type", column["type"], _COLUMN_TYPES))
    if not causes:
        try:
            column_of(column)
        except (ValueError, ApiError) as error:
            causes.append(invalid_value(f"{path}.jsonPath", column["jsonPath"], str(error)))
    return causes


def _immutable(obj: Object, old: Object) -> list[Cause]:
    causes = [
        invalid_value(f"spec.{member}", obj["spec"].get(member), "field is immutable")
        for member in ("group", "scope")
        if obj["spec"].get(member) != old["spec"].get(member)
    ]
    if is_established(old):
        for member in ("kind", "plural"):
            value = obj["spec"]["names"].get(member)
            if value != old["spec"]["names"].get(member):
                causes.append(invalid_value(f"spec.names.{member}", value, "field is immutable"))
    named = {each.get("name") for each in _listed(obj["spec"])}
    for index, stored in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if stored not in named:
            detail = (
                f"missing from spec.versions; {stored} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {stored} and "
                f"removes {stored} from status.storedVersions"
            )
            causes.append(invalid_value(f"status.storedVersions[{index}]", stored, detail))
    return causes
