"""AdmissionReviews: the question that a webhook is asked about a write, and the reading of its answer.

Used by ``mutating`` and ``validating``. Pure but for the call itself.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/request/admissionreview.go and errors/statuserror.go.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from roadbed.apimachinery.admission import AdmissionRequest
from roadbed.apimachinery.causes import go_quote
from roadbed.apimachinery.errors import ApiError, BadRequestError, Cause
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.request import Object, User
from roadbed.apiserver.matching import Cluster, namespace_of

from .caller import Caller, WebhookCallError
from .hooks import Hook, Invocation

GROUP = "admission.k8s.io"
VERSIONS = ("v1", "v1beta1")


class CallFailedError(Exception):
    """A webhook could not be asked, or gave no answer that makes sense; its failure policy decides."""


class AnswerError(Exception):
    """An answer is no AdmissionReview that Kubernetes would take."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An allowed write; ``patch`` is a JSON patch to apply to the object in the webhook's version."""

    patch: list[Any]


class Reviewing:
    """Asks webhooks about writes."""

    def __init__(self, caller: Caller, cluster: Cluster) -> None:
        self._caller = caller
        self._cluster = cluster

    async def ask(self, invocation: Invocation, request: AdmissionRequest, *, mutating: bool) -> Verdict:
        """Give the verdict; warnings and audit annotations are added to the request.

        Raises:
            CallFailedError: no answer, or none that makes sense.
            ApiError: the webhook denies the write, or does not take dry runs.
        """
        hook = invocation.hook
        if request.dry_run and not hook.allows_dry_run:
            raise BadRequestError(f"admission webhook {go_quote(hook.name)} does not support dry run")
        version = next((each for each in hook.review_versions if each in VERSIONS), None)
        if version is None:
            raise CallFailedError(
                "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)"
            )
        if isinstance(hook.target, str):
            raise CallFailedError(f"could not get REST client: {hook.target}")
        uid = str(uuid.uuid4())
        question = await self._question(uid, version, invocation, request)
        try:
            answer = await self._caller.ask(hook.target, question, timeout_s=hook.timeout_s)
        except WebhookCallError as error:
            raise CallFailedError(f"failed to call webhook: {error}") from error
        try:
            response, patch = _verified(answer, uid, version, mutating=mutating)
        except AnswerError as error:
            raise CallFailedError(f"received invalid webhook response: {error}") from error
        for key, value in (response.get("auditAnnotations") or {}).items():
            request.annotations[f"{hook.name}/{key}"] = value
        request.warnings.extend(response.get("warnings") or ())
        if not response.get("allowed"):
            raise denial(hook.name, response.get("status"))
        return Verdict(patch)

    async def _question(
        self, uid: str, version: str, invocation: Invocation, request: AdmissionRequest
    ) -> Object:
        own, seen = request.resource, invocation.resource
        shown = self._cluster.shown
        asked = {
            "uid": uid,
            "kind": _kind(request.kind or seen),
            "resource": _resource(seen),
            "subResource": request.subresource,
            "requestKind": _kind(request.kind or own),
            "requestResource": _resource(own),
            "requestSubResource": request.subresource,
            "name": request.name,
            "namespace": namespace_of(request),
            "operation": request.operation,
            "userInfo": user_info(request.user),
            "object": await shown(request, request.object, seen),
            "oldObject": await shown(request, request.old, seen),
            "dryRun": request.dry_run,
            "options": dict(request.options),
        }
        kept_empty = ("object", "oldObject")
        asked = {name: value for name, value in asked.items() if value != "" or name in kept_empty}
        return {"kind": "AdmissionReview", "apiVersion": f"{GROUP}/{version}", "request": asked}


def call_failed(hook: Hook, error: Exception) -> ApiError:
    """Give the error of a write that fails because its webhook could not be asked."""
    return internal_error(f"failed calling webhook {go_quote(hook.name)}: {error}")


def internal_error(text: str) -> ApiError:
    """Give the error of a write that fails for no fault of its writer."""
    return ApiError(f"Internal error occurred: {text}", causes=[Cause("", text)])


def denial(name: str, status: Any) -> ApiError:
    """Give the error of a write that a webhook denies, with the status that it asks for."""
    told: dict[str, Any] = dict(status) if isinstance(status, Mapping) else {}
    code = told.get("code")
    told["code"] = (
        code if isinstance(code, int) and 400 <= code < 600 else 400
    )  # HTTP has no others for errors
    denied = f"admission webhook {go_quote(name)} denied the request"
    why = told.get("message") or told.get("reason")
    told["message"] = f"{denied}: {why}" if why else f"{denied} without explanation"
    error = ApiError.from_status(told)
    error.reason = str(told.get("reason") or "")
    error.has_details = isinstance(told.get("details"), Mapping)
    return error


def user_info(user: User) -> dict[str, Any]:
    """Give a user as ``authentication.k8s.io/v1`` UserInfo."""
    info: dict[str, Any] = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _kind(of: Resource | GVK) -> dict[str, str]:
    return {"group": of.group, "version": of.version, "kind": of.kind}


def _resource(resource: Any) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def _verified(answer: Object, uid: str, version: str, *, mutating: bool) -> tuple[dict[str, Any], list[Any]]:
    """Give the response of an AdmissionReview and its patch.

    Raises:
        AnswerError: it is not one that Kubernetes would take.
    """
    response = answer.get("response")
    if not isinstance(response, dict):
        raise AnswerError("webhook response was absent")
    patch, patch_type = response.get("patch"), response.get("patchType")
    if version == "v1":
        if response.get("uid", "") != uid:
            raise AnswerError(
                f"expected response.uid={go_quote(uid)}, got {go_quote(str(response.get('uid', '')))}"
            )
        _check_kind(answer)
        if not mutating and patch:
            raise AnswerError("validating webhook may not return response.patch")
        if not mutating and patch_type is not None:
            raise AnswerError("validating webhook may not return response.patchType")
        if patch and patch_type is None:
            raise AnswerError("webhook returned response.patch but not response.patchType")
        if not patch and patch_type is not None:
            raise AnswerError("webhook returned response.patchType but not response.patch")
        if patch and patch_type != "JSONPatch":
            raise AnswerError(f"unsupported patch type {go_quote(str(patch_type))}")
    _check_types(response)
    return response, _patch(patch) if mutating and patch and response.get("allowed") else []


_TYPES = {"allowed": bool, "warnings": list, "auditAnnotations": dict, "status": dict}


def _check_types(response: Mapping[str, Any]) -> None:
    """Refuse members of another type than they have in Go, and what is no text where only texts are."""
    for name, type_ in _TYPES.items():
        found = response.get(name)
        if found is not None and not isinstance(found, type_):
            raise AnswerError(f"response.{name} is {type(found).__name__}, not {type_.__name__}")
    texts = [*(response.get("warnings") or ()), *(response.get("auditAnnotations") or {}).values()]
    if not all(isinstance(each, str) for each in texts):
        raise AnswerError("response.warnings and response.auditAnnotations may hold only strings")


def _check_kind(answer: Object) -> None:
    api_version, kind = str(answer.get("apiVersion", "")), str(answer.get("kind", ""))
    if (api_version, kind) != (f"{GROUP}/v1", "AdmissionReview"):
        group, _, version = api_version.rpartition("/")
        raise AnswerError(
            f"expected webhook response of {GROUP}/v1, Kind=AdmissionReview, got {group}/{version}, Kind={kind}"
        )


def _patch(text: Any) -> list[Any]:
    try:
        found = orjson.loads(base64.b64decode(str(text), validate=True))
    except (binascii.Error, ValueError) as error:
        raise AnswerError(f"received undecodable patch in webhook response: {error}") from error
    if not isinstance(found, list):
        raise AnswerError("received undecodable patch in webhook response: it is not a list of operations")
    return found
