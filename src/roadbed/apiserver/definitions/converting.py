"""Objects of a definition brought from one version into another by its conversion webhook.

``crd`` makes one ``Webhook`` for each definition that names one; ``registry.Served`` asks it for every object
that is stored in another version than it serves, on the way in and out. Calls run on the event loop, many at
once; nothing is kept here. Where the strategy is None there is nothing to do: only ``apiVersion`` differs.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final, Protocol

from roadbed.apimachinery.causes import aggregate, text_of
from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.names import validate_metadata
from roadbed.apimachinery.request import Object
from roadbed.apiserver.webhooks import Caller, Target, WebhookCallError

TIMEOUT_S: Final = 30.0  # as Kubernetes' client of conversion webhooks
_KINDS: Final = {"v1": "apiextensions.k8s.io/v1", "v1beta1": "apiextensions.k8s.io/v1beta1"}
_GO: Final = {type(None): "<nil>", str: "string", bool: "bool", int: "int64", float: "float64",
              list: "[]interface {}", dict: "map[string]interface {}"}  # fmt: skip


class Converter(Protocol):
    """Brings objects into another version of their kind."""

    async def convert(self, objects: list[Object], api_version: str) -> list[Object]:
        """Give the objects in ``api_version``, in their order; those that are in it already as they are.

        The objects must not be changed afterwards.

        Raises:
            ApiError: 500; nobody answered, or the answer can't be used.
        """
        ...


class Webhook:
    """The conversion webhook of one definition."""

    def __init__(self, caller: Caller, conversion: Mapping[str, Any]) -> None:
        config = conversion["webhook"]
        self._caller = caller
        self._target = Target.read(config["clientConfig"])
        self._review = next(each for each in config["conversionReviewVersions"] if each in _KINDS)

    async def convert(self, objects: list[Object], api_version: str) -> list[Object]:
        """Ask for those objects that are in another version, in one request."""
        asked = [at for at, each in enumerate(objects) if each.get("apiVersion") != api_version]
        if not asked:
            return objects
        first = objects[asked[0]]
        whose = f"conversion webhook for {first.get('apiVersion')}, Kind={first.get('kind')}"
        answered = await self._ask([objects[at] for at in asked], api_version, whose)
        if len(answered) != len(asked):
            raise ApiError(f"{whose} returned {len(answered)} objects, expected {len(asked)}")
        found = list(objects)
        for index, (at, converted) in enumerate(zip(asked, answered, strict=True)):
            problem = _misfit(objects[at], converted, api_version)
            if problem:
                raise ApiError(f"{whose} returned invalid {_which(index, asked)}: {problem}")
            try:
                found[at] = _with_metadata(objects[at], converted)
            except _MetadataError as error:
                where = "" if len(asked) == 1 else f" in object at index {index}"
                raise ApiError(f"{whose} returned invalid metadata{where}: {error}") from error
        return found

    async def _ask(self, objects: list[Object], api_version: str, whose: str) -> list[Any]:
        uid = str(uuid.uuid4())
        question = {
            "kind": "ConversionReview",
            "apiVersion": _KINDS[self._review],
            "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": objects},
        }
        try:
            answer = await self._caller.ask(self._target, question, timeout_s=TIMEOUT_S)
            return self._objects(answer, uid)
        except (WebhookCallError, _AnswerError) as error:
            raise ApiError(f"{whose} failed: {error}") from error

    def _objects(self, answer: Object, uid: str) -> list[Any]:
        kind = f"{answer.get('apiVersion', '')}, Kind={answer.get('kind', '')}"
        wanted = f"{_KINDS[self._review]}, Kind=ConversionReview"
        response = answer.get("response")
        if self._review == "v1" and kind != wanted:
            raise _AnswerError(f"expected webhook response of {wanted}, got {kind}")
        if not isinstance(response, dict):
            raise _AnswerError("no response provided")
        if self._review == "v1" and response.get("uid") != uid:
            raise _AnswerError(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
        result = response.get("result") or {}
        if not isinstance(result, dict) or result.get("status") != "Success":
            status = result.get("status") or "" if isinstance(result, dict) else ""
            message = result.get("message") if isinstance(result, dict) else ""
            raise _AnswerError(str(message or f"response.result.status was '{status}', not 'Success'"))
        found = response.get("convertedObjects")
        return found if isinstance(found, list) else []


class _AnswerError(Exception):
    """The webhook answered something else than converted objects."""


class _MetadataError(Exception):
    """A converted object has metadata that it may not have."""


def _which(index: int, asked: list[int]) -> str:
    return "object" if len(asked) == 1 else f"converted object at index {index}"


def _misfit(original: Object, converted: Any, api_version: str) -> str:
    """Say what makes a converted object another object; empty when nothing does."""
    if not isinstance(converted, dict):
        return f"it is {_GO[type(converted)]}, not an object"
    if converted.get("apiVersion") != api_version:
        return f"invalid groupVersion (expected {api_version}, received {converted.get('apiVersion') or ''})"
    if converted.get("kind") != original.get("kind"):
        return f"invalid kind (expected {original.get('kind')}, received {converted.get('kind') or ''})"
    meta, was = converted.get("metadata"), original["metadata"]
    if isinstance(meta, dict):
        for member, words in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
            one, other = was.get(member) or "", meta.get(member) or ""
            if one != other:
                return f"must have the same {words}: {one} != {other}"
    return ""


def _with_metadata(original: Object, converted: Object) -> Object:
    """Give the converted object with the original's metadata; labels and annotations are its own.

    Raises:
        _MetadataError: it has none, or labels or annotations that may not be.
    """
    if "metadata" not in converted:
        raise _MetadataError("missing metadata in converted object")
    sent = converted["metadata"]
    if not isinstance(sent, dict):
        raise _MetadataError(f"invalid metadata of type {_GO[type(sent)]} in converted object")
    meta = dict(original["metadata"])
    for member in ("labels", "annotations"):
        found = sent.get(member)
        meta.pop(member, None)
        if found is None:
            continue
        if not isinstance(found, dict):
            raise _MetadataError(f"invalid metadata.{member} of type {_GO[type(found)]} in converted object")
        for key, value in found.items():
            if not isinstance(value, str):
                shown = _GO[type(value)]
                raise _MetadataError(
                    f"metadata.{member}[{key}] must be a string, but is {shown} in converted object"
                )
        meta[member] = found
    judged = {name: meta[name] for name in ("labels", "annotations") if name in meta}
    if judged != {name: each for name, each in original["metadata"].items() if name in judged}:
        named = {"name": meta.get("name") or "a", **judged}
        causes = validate_metadata(named, namespaced=False, rule=lambda _name, *_more: [])
        if causes:
            raise _MetadataError(aggregate(text_of(each) for each in causes))
    return {**converted, "metadata": meta}
