"""Review kinds: a question is posted as an object, answered in its status, and never stored."""

from __future__ import annotations

import orjson

from roadbed.apimachinery.admission import Reviewer
from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.request import Answer, ApiRequest, User
from roadbed.apiserver import decoding


async def review(user: User, request: ApiRequest, reviewer: Reviewer) -> Answer:
    """Give the question with its status, as ``201 Created``.

    Raises:
        BadRequestError: the body is not a question of this kind.
    """
    question = decoding.copied(request.body)
    resource = reviewer.resource
    if not isinstance(question, dict):
        raise BadRequestError(f"the body is not an object; send one {resource.kind}")
    question.setdefault("apiVersion", resource.api_version)
    question.setdefault("kind", resource.kind)
    if (question["apiVersion"], question["kind"]) != (resource.api_version, resource.kind):
        raise BadRequestError(
            f"the data is a {question['kind']} of {question['apiVersion']}, expected {resource.kind} of "
            f"{resource.api_version}"
        )
    meta = question.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise BadRequestError("metadata must be an object")
    # Go clients write `creationTimestamp: null`; null means absent, as everywhere in ObjectMeta.
    meta = question["metadata"] = {name: value for name, value in meta.items() if value is not None}
    is_placed = resource.namespaced and bool(request.namespace)
    if is_placed and meta.setdefault("namespace", request.namespace) != request.namespace:
        raise BadRequestError(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    answered = await reviewer.review(question, user)
    return Answer(201, orjson.dumps(answered))
