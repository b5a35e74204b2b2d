"""What the subresources of a signing request may write: approvers its verdict, signers its certificate. Pure.

``writing`` asks, by the kind's strategy, at every write of ``/approval`` and ``/status``, before admission and again
after it. Whether the writer may move the request on at all is ``admitters.certificates``.

Source: k8s.io/kubernetes/pkg/registry/certificates/certificates/strategy.go and pkg/apis/certificates/validation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from roadbed.apimachinery.causes import forbidden, invalid_value, not_supported
from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.request import Object

_VERDICTS: Final = ("Approved", "Denied")
_LASTING: Final = (*_VERDICTS, "Failed")
_CONDITIONS: Final = "status.conditions"
_CERTIFICATE: Final = "status.certificate"


def move_on(obj: Object, old: Object, subresource: str, now: str) -> list[Cause]:
    """Bring a request that a subresource writes into form, in place, and give what it may not write."""
    before, status = old.get("status") or {}, {**(obj.get("status") or {})}
    conditions = [{**each} for each in status.get("conditions") or ()]
    if subresource == "approval":
        status = {**before}
    else:
        _keep_verdicts(conditions, _found(before))
    _date(conditions, _found(before), now)
    if conditions:
        status["conditions"] = conditions
    else:
        status.pop("conditions", None)
    obj["status"] = status
    causes = [*_ill_formed(conditions), *_removed(conditions, _found(before))]
    return causes if subresource == "approval" else [*causes, *_not_for_signers(status, before)]


def _found(status: Object) -> list[dict[str, Any]]:
    return status.get("conditions") or []


def _of(conditions: list[dict[str, Any]], name: str) -> list[int]:
    return [index for index, each in enumerate(conditions) if each.get("type") == name]


def _keep_verdicts(conditions: list[dict[str, Any]], before: list[dict[str, Any]]) -> None:
    for name in _VERDICTS:
        here, there = _of(conditions, name), _of(before, name)
        if len(here) == len(there):
            for index, known in zip(here, there, strict=True):
                conditions[index] = {**before[known]}


def _date(conditions: list[dict[str, Any]], before: list[dict[str, Any]], now: str) -> None:
    for each in conditions:
        each["lastUpdateTime"] = each.get("lastUpdateTime") or now
        if not each.get("lastTransitionTime"):
            same = (
                known["lastTransitionTime"]
                for known in before
                if known.get("lastTransitionTime")
                and (known.get("type"), known.get("status")) == (each.get("type"), each.get("status"))
            )
            each["lastTransitionTime"] = next(same, now)


def _ill_formed(conditions: list[dict[str, Any]]) -> Iterator[Cause]:
    for index, each in enumerate(conditions):
        if each.get("type") in _LASTING and each.get("status") not in (None, "", "True"):
            yield not_supported(f"{_CONDITIONS}[{index}].status", each["status"], ("True",))
    verdicts = [each["type"] for each in conditions if each.get("type") in _VERDICTS]
    if len(set(verdicts)) > 1:
        text = "Approved and Denied conditions are mutually exclusive"
        yield invalid_value(_CONDITIONS, next(each for each in verdicts if each != verdicts[0]), text)


def _removed(conditions: list[dict[str, Any]], before: list[dict[str, Any]]) -> Iterator[Cause]:
    for name in _LASTING:
        if len(_of(conditions, name)) < len(_of(before, name)):
            yield forbidden(_CONDITIONS, f'updates may not remove a condition of type "{name}"')


def _not_for_signers(status: Object, before: Object) -> Iterator[Cause]:
    for name in _VERDICTS:
        if len(_of(_found(status), name)) > len(_of(_found(before), name)):
            yield forbidden(_CONDITIONS, f'updates may not add a condition of type "{name}"')
    known = before.get("certificate")
    if known and status.get("certificate") != known:
        yield forbidden(_CERTIFICATE, "updates may not modify existing certificate content")
