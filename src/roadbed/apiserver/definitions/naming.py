"""Which of a definition's names it gets, and the conditions that say so.

``CrdStrategy`` calls ``accept`` on every write of a definition, so that a stored definition is a served one;
Kubernetes lets controllers do it seconds later. Changes the object's status in place; no I/O.

Sources: k8s.io/apiextensions-apiserver/pkg/controller/{status,establish,apiapproval}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.objects import annotations_of
from roadbed.apimachinery.request import Object

from .webhooks import authority

APPROVED: Final = "api-approved.kubernetes.io"
_PROTECTED: Final = (".k8s.io", ".kubernetes.io")
_SEE: Final = "see https://github.com/kubernetes/enhancements/pull/1111"
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]")


def accept(obj: Object, others: Mapping[str, Object], now: str) -> None:
    """Set accepted names and conditions; ``others`` are the names accepted in the group, by definition."""
    spec = obj["spec"]
    others = {name: each for name, each in others.items() if name != obj["metadata"].get("name")}
    accepted, clashes = _claimed(spec["names"], obj["status"].get("acceptedNames") or {}, others)
    obj["status"]["acceptedNames"] = accepted
    if clashes:
        condition(obj, now, "NamesAccepted", "False", *clashes[-1])
        if not _is_true(obj, "Established"):
            condition(obj, now, "Established", "False", "NotAccepted", "not all names are accepted")
    else:
        condition(obj, now, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
        if not _is_true(obj, "Established") and authority(spec, ""):
            text = "The conversion webhook CABundle is invalid"
            condition(obj, now, "Established", "False", "InvalidCABundle", text)
        else:
            text = "the initial names have been accepted"
            condition(obj, now, "Established", "True", "InitialNamesAccepted", text)
    if is_protected(str(spec.get("group") or "")):
        state, text = approval(annotations_of(obj))
        status = "True" if state == "ApprovedAnnotation" else "False"
        condition(obj, now, "KubernetesAPIApprovalPolicyConformant", status, state, text)


def _claimed(
    wanted: Mapping[str, Any], mine: Mapping[str, Any], others: Mapping[str, Object]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Give the names to go on with, and a reason and message for each that somebody else has."""
    resources = _taken(others, ("plural", "singular"), "shortNames")
    kinds = _taken(others, ("kind", "listKind"), "")
    found = {"plural": "", "kind": "", **mine}
    clashes = []
    for member, reason, taken in (
        ("plural", "PluralConflict", resources),
        ("singular", "SingularConflict", resources),
        ("shortNames", "ShortNamesConflict", resources),
        ("kind", "KindConflict", kinds),
        ("listKind", "ListKindConflict", kinds),
    ):
        name = wanted.get(member)
        asked = (name or ()) if member == "shortNames" else (name or "",)
        known = (mine.get(member) or ()) if member == "shortNames" else (mine.get(member) or "",)
        doubled = [f"{go_quote(each)} is already in use" for each in asked if each in taken - set(known)]
        if doubled:
            text = doubled[0] if len(doubled) == 1 else f"[{', '.join(doubled)}]"
            clashes.append((reason, text))
        elif name:
            found[member] = name
        else:
            found.pop(member, None)
    found.pop("categories", None)
    if wanted.get("categories"):
        found["categories"] = wanted["categories"]
    return found, clashes


def _taken(others: Mapping[str, Object], single: Iterable[str], several: str) -> set[str]:
    found: set[str] = set()
    for each in others.values():
        found |= {each.get(member) or "" for member in single} | set(each.get(several) or ())
    return found - {""}


def is_protected(group: str) -> bool:
    """Say whether a group is Kubernetes' own, so that its definitions need an approval."""
    return f".{group}".endswith(_PROTECTED)


def approval(annotations: Mapping[str, Any]) -> tuple[str, str]:
    """Give the state of a definition's approval, as its condition's reason, and what to say of it."""
    value = str(annotations.get(APPROVED) or "")
    text = f'protected groups must have approval annotation "{APPROVED}"'
    if not value:
        return "MissingAnnotation", f"{text}, {_SEE}"
    if value.startswith("unapproved"):
        return "UnapprovedAnnotation", f"not approved: {go_quote(value)}"
    if _URL.match(value):
        return "ApprovedAnnotation", f"approved in {value}"
    return "InvalidAnnotation", f'{text} with either a URL or a reason starting with "unapproved", {_SEE}'


def condition(obj: Object, now: str, kind: str, status: str, reason: str, message: str) -> None:
    """Set one condition; its time moves only when its status does."""
    conditions = [dict(each) for each in (obj.get("status") or {}).get("conditions") or ()]
    wanted = {"type": kind, "status": status, "reason": reason, "message": message}
    for found in conditions:
        if found.get("type") == kind:
            since = found.get("lastTransitionTime") if found.get("status") == status else None
            found.update(wanted, lastTransitionTime=since or now)
            break
    else:
        conditions.append({**wanted, "lastTransitionTime": now})
    obj["status"] = {**(obj.get("status") or {}), "conditions": conditions}


def _is_true(obj: Object, kind: str) -> bool:
    conditions = obj["status"].get("conditions") or ()
    return any(each.get("type") == kind and each.get("status") == "True" for each in conditions)
