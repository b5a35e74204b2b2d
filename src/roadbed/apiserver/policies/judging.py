"""What is wrong with a policy or a binding, when it is written.

``JUDGES`` has one judge per kind; the kind's strategy asks it. Expressions that stood there before are not judged
again. Pure.

Source: k8s.io/kubernetes/pkg/apis/admissionregistration/validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from roadbed.apimachinery.causes import duplicate, forbidden, invalid_value, not_supported, required
from roadbed.apimachinery.cel_types import RESERVED
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.names import (
    dns1035_label_errors,
    dns_subdomain_errors,
    label_key_errors,
    path_segment_errors,
)
from roadbed.apimachinery.request import Object

from . import checks
from .expressions import kinds_of

Judge = Callable[[Object, Object | None], list[Cause]]

MOST_ANNOTATIONS = 20
_IDENTIFIER: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_MUTATING: Final = ("*", "CONNECT", "CREATE", "UPDATE")
_EITHER = "validations or auditAnnotations must contain at least one item"


def _validating_policy(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    if old is not None and spec == old.get("spec"):
        return []
    causes = _common(spec)
    options = _options(spec)
    validations, annotations = spec.get("validations") or (), spec.get("auditAnnotations") or ()
    if not validations and not annotations:
        return [*causes, required("spec.validations", _EITHER), required("spec.auditAnnotations", _EITHER)]
    for index, each in enumerate(validations):
        causes += _validation(each, f"spec.validations[{index}]", options)
    if len(annotations) > MOST_ANNOTATIONS:
        text = f"must not have more than {MOST_ANNOTATIONS} auditAnnotations"
        causes.append(invalid_value("spec.auditAnnotations", list(annotations), text))
    keys: set[str] = set()
    for index, each in enumerate(annotations):
        at, key = f"spec.auditAnnotations[{index}]", str(each.get("key") or "")
        whole = f"{obj['metadata'].get('name', '')}/{key}"
        causes += [invalid_value(f"{at}.key", whole, error) for error in label_key_errors(whole)]
        text, missing = str(each.get("valueExpression") or ""), "valueExpression is not specified"
        causes += checks.expression(
            text.strip(), f"{at}.valueExpression", "STRING?", missing=missing, **options
        )
        if key in keys:
            causes.append(duplicate(f"{at}.key", key))
        keys.add(key)
    return causes


def _validation(each: Mapping[str, Any], path: str, options: dict[str, Any]) -> list[Cause]:
    text, told = str(each.get("expression") or ""), each.get("messageExpression")
    missing = "expression is not specified"
    causes = checks.expression(text, f"{path}.expression", "BOOL", missing=missing, **options)
    if told and not told.strip():
        causes.append(invalid_value(f"{path}.messageExpression", told, "must be non-empty if specified"))
    elif told:
        causes += checks.expression(told, f"{path}.messageExpression", "STRING", is_message=True, **options)
    message = each.get("message")
    if message and not message.strip():
        causes.append(invalid_value(f"{path}.message", message, "must be non-empty if specified"))
    elif message and re.search(r"[\n\r]", message.strip()):
        causes.append(invalid_value(f"{path}.message", message, "must not contain line breaks"))
    return causes + checks.choice(each, path, "reason", ("Forbidden", "Invalid", "RequestEntityTooLarge"))


def _mutating_policy(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    if old is not None and spec == old.get("spec"):
        return []
    causes = _common(spec)
    path = "spec.matchConstraints.resourceRules"
    causes += _mutable((spec.get("matchConstraints") or {}).get("resourceRules") or (), path)
    mutations = spec.get("mutations") or ()
    if not mutations:
        causes.append(required("spec.mutations", "mutations must contain at least one item"))
    for index, each in enumerate(mutations):
        causes += _mutation(each, f"spec.mutations[{index}]", _options(spec))
    if not spec.get("reinvocationPolicy"):
        causes.append(required("spec.reinvocationPolicy"))
    return causes + checks.choice(spec, "spec", "reinvocationPolicy", ("IfNeeded", "Never"))


def _mutation(each: Mapping[str, Any], path: str, options: dict[str, Any]) -> list[Cause]:
    kind = each.get("patchType")
    members = {"JSONPatch": "jsonPatch", "ApplyConfiguration": "applyConfiguration"}
    if not kind:
        return [required(f"{path}.patchType")]
    if kind not in members:
        return [not_supported(f"{path}.patchType", kind, ("ApplyConfiguration", "JSONPatch"))]
    wanted = members[kind]
    other = next(each for each in members.values() if each != wanted)
    if each.get(wanted) is None:
        causes = [required(f"{path}.{wanted}", f"must be specified when patchType is {kind}")]
    else:
        text = str(each[wanted].get("expression") or "").strip()
        result = "LIST" if kind == "JSONPatch" else "MAP"
        causes = checks.expression(text, f"{path}.{wanted}.expression", result, makes_objects=True, **options)
    if each.get(other) is not None:
        text = f"must not be specified when patchType is {kind}"
        causes.append(invalid_value(f"{path}.{other}", f"{{{other}}}", text))
    return causes


def _common(spec: Mapping[str, Any]) -> list[Cause]:
    """Judge what both kinds of policies have."""
    causes = checks.choice(spec, "spec", "failurePolicy", ("Fail", "Ignore"))
    kind = spec.get("paramKind")
    if kind is not None:
        causes += _param_kind(kind)
    constraints = spec.get("matchConstraints")
    if constraints is None:
        causes.append(required("spec.matchConstraints"))
    else:
        causes += _match(constraints, "spec.matchConstraints")
        if not constraints.get("resourceRules"):
            causes.append(required("spec.matchConstraints.resourceRules"))
    found = spec.get("matchConditions") or ()
    causes += checks.conditions(found, "spec.matchConditions", has_params=kind is not None)
    told = spec.get("variables") or ()
    for index, each in enumerate(told):
        known = kinds_of(told[:index], has_params=kind is not None)
        causes += _variable(each, f"spec.variables[{index}]", known, has_params=kind is not None)
    return causes


def _variable(
    each: Mapping[str, Any], path: str, known: Mapping[str, str], *, has_params: bool
) -> list[Cause]:
    name, text = str(each.get("name") or ""), str(each.get("expression") or "")
    causes = []
    if not name.strip():
        causes.append(required(f"{path}.name", "name is not specified"))
    elif not _IDENTIFIER.fullmatch(name) or name in RESERVED:
        causes.append(invalid_value(f"{path}.name", name, "must be a valid CEL identifier"))
    missing = "expression is not specified"
    return causes + checks.expression(
        text, f"{path}.expression", "", missing=missing, variables=known, has_params=has_params
    )


def _param_kind(kind: Mapping[str, Any]) -> list[Cause]:
    api_version, name = str(kind.get("apiVersion") or ""), str(kind.get("kind") or "")
    causes = []
    group, _, version = api_version.rpartition("/")
    if not api_version:
        causes.append(required("spec.paramKind.apiVersion"))
    elif api_version.count("/") > 1:
        text = f"unexpected GroupVersion string: {api_version}"
        causes.append(invalid_value("spec.paramKind.apiVersion", api_version, text))
    else:
        errors = dns_subdomain_errors(group) if group else []
        causes += [invalid_value("spec.paramKind.apiVersion", group, ",".join(errors))] if errors else []
        errors = dns1035_label_errors(version)
        causes += [invalid_value("spec.paramKind.apiVersion", version, ",".join(errors))] if errors else []
    if not name:
        causes.append(required("spec.paramKind.kind"))
    elif errors := dns1035_label_errors(name.lower()):
        text = "may have mixed case, but should otherwise match: " + ",".join(errors)
        causes.append(invalid_value("spec.paramKind.kind", name, text))
    return causes


def _match(told: Mapping[str, Any], path: str) -> list[Cause]:
    causes = checks.choice(told, path, "matchPolicy", ("Equivalent", "Exact"))
    for member in ("namespaceSelector", "objectSelector"):
        causes += checks.selector(told.get(member), f"{path}.{member}")
    for member in ("resourceRules", "excludeResourceRules"):
        causes += checks.rules(told.get(member) or (), f"{path}.{member}")
    return causes


def _mutable(rules: Sequence[Mapping[str, Any]], path: str) -> list[Cause]:
    asked = (operation for rule in rules for operation in rule.get("operations") or ())
    return [
        not_supported(f"{path}.operations", operation, _MUTATING)
        for operation in asked
        if operation not in _MUTATING
    ]


def _options(spec: Mapping[str, Any]) -> dict[str, Any]:
    has_params = spec.get("paramKind") is not None
    return {
        "variables": kinds_of(spec.get("variables") or (), has_params=has_params),
        "has_params": has_params,
    }


def _binding(obj: Object, old: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    if old is not None and spec == old.get("spec"):
        return []
    name = str(spec.get("policyName") or "")
    causes = [] if name else [required("spec.policyName")]
    if name:
        causes += [invalid_value("spec.policyName", name, error) for error in dns_subdomain_errors(name)]
    causes += _param_ref(spec.get("paramRef"), "spec.paramRef")
    return causes + (
        _match(spec["matchResources"], "spec.matchResources") if spec.get("matchResources") else []
    )


def _validating_binding(obj: Object, old: Object | None) -> list[Cause]:
    spec, path = obj.get("spec") or {}, "spec.validationActions"
    causes = _binding(obj, old)
    actions = spec.get("validationActions") or []
    for index, action in enumerate(actions):
        if action not in ("Audit", "Deny", "Warn"):
            causes.append(not_supported(f"{path}[{index}]", action, ("Audit", "Deny", "Warn")))
        if action in actions[:index]:
            causes.append(duplicate(f"{path}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        text = (
            "must not contain both Deny and Warn (repeating the same validation failure information in the API "
            "response and headers serves no purpose)"
        )
        causes.append(invalid_value(path, actions, text))
    if not actions:
        causes.append(required(path, "at least one validation action is required"))
    return causes


def _mutating_binding(obj: Object, old: Object | None) -> list[Cause]:
    rules = ((obj.get("spec") or {}).get("matchResources") or {}).get("resourceRules") or ()
    return _binding(obj, old) + _mutable(rules, "spec.matchResources.resourceRules")


def _param_ref(told: Mapping[str, Any] | None, path: str) -> list[Cause]:
    if told is None:
        return []
    name, selector = str(told.get("name") or ""), told.get("selector")
    both = "name and selector are mutually exclusive"
    causes = (
        [invalid_value(f"{path}.name", name, error) for error in path_segment_errors(name)] if name else []
    )
    if selector is not None:
        causes += [forbidden(f"{path}.name", both)] if name else []
        causes += checks.selector(selector, f"{path}.selector")
        causes += [forbidden(f"{path}.selector", both)] if name else []
    elif not name:
        causes.append(required(path, "one of name or selector must be specified"))
    if not told.get("parameterNotFoundAction"):
        return [*causes, required(f"{path}.parameterNotFoundAction")]
    return causes + checks.choice(told, path, "parameterNotFoundAction", ("Deny", "Allow"))


JUDGES: Final[Mapping[str, Judge]] = {
    "validatingadmissionpolicies": _validating_policy,
    "validatingadmissionpolicybindings": _validating_binding,
    "mutatingadmissionpolicies": _mutating_policy,
    "mutatingadmissionpolicybindings": _mutating_binding,
}
"""By plural, in admissionregistration.k8s.io."""
