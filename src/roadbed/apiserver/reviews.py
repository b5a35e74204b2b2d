"""Reviewers of the API server's own questions: access reviews, token reviews, portal sessions.

``app`` registers them with the server, which calls them on the event loop; each answers from memory without
waiting. A question is answered and forgotten. Only RBAC decides who may ask which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from roadbed.apimachinery import causes
from roadbed.apimachinery.admission import Reviewer
from roadbed.apimachinery.errors import BadRequestError, UnauthorizedError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object, User
from roadbed.apimachinery.schema import Schema
from roadbed.apimachinery.timestamps import format_time
from roadbed.apis import authentication, authorization, review
from roadbed.apis.kubernetes import load

from .authn import RequestAuthenticator, Tokens
from .authz import MASTERS, Rbac
from .bootstrap import ADMINS
from .ports import Attributes
from .serviceaccounts import InvalidTokenError

SESSION_S = 3600.0  # long enough for a working hour, short enough that a leaked one dies by itself
MAX_SESSION_S = 12 * 3600.0

Answer = Callable[[Object, User], Object]


@dataclass(slots=True)
class FunctionReviewer:
    """A reviewer that is one function from question and user to the ``status``.

    An answer is ``dated`` where its kind says when it was given, and then nothing else of its metadata.
    """

    resource: Resource
    answer: Answer
    dated: Callable[[], str] | None = None

    async def review(self, question: Object, user: User) -> Object:
        """Return the question with its status filled in.

        Raises:
            InvalidError: a member is of another type than the kind's schema says, or missing.
        """
        # What a client says of the status is never read: Go clients send an empty one, which need not be valid.
        asked = {name: value for name, value in question.items() if name != "status"}
        found = _schema(self.resource).validate(asked)
        if found:
            raise causes.invalid(self.resource.gvk, "", found)
        if self.dated is not None:
            asked["metadata"] = {"creationTimestamp": self.dated()}
        return {**asked, "status": self.answer(asked, user)}


@cache
def _schema(resource: Resource) -> Schema:
    """Compile the schema of a review kind on its first question."""
    openapi = load().schema(resource.gvk)
    if openapi is None:
        raise LookupError(f"{resource.qualified} has no schema; add it to the generated data")
    return Schema.compile(openapi, resolve=load().resolve)


def reviewers(rbac: Rbac, tokens: Tokens, authenticator: RequestAuthenticator) -> Sequence[Reviewer]:
    """Give one reviewer a review kind."""
    access = _AccessAnswers(rbac)
    return (
        FunctionReviewer(authorization.SUBJECTACCESSREVIEWS, access.of_subject),
        FunctionReviewer(authorization.LOCALSUBJECTACCESSREVIEWS, access.of_local_subject),
        FunctionReviewer(authorization.SELFSUBJECTACCESSREVIEWS, access.of_self),
        FunctionReviewer(authorization.SELFSUBJECTRULESREVIEWS, access.rules_of_self),
        FunctionReviewer(
            authentication.TOKENREVIEWS, lambda question, _: _token_status(authenticator, question)
        ),
        FunctionReviewer(
            authentication.SELFSUBJECTREVIEWS,
            lambda _, user: {"userInfo": user_json(user)},
            dated=lambda: format_time(tokens.clock()),
        ),
        FunctionReviewer(review.PORTALSESSIONS, lambda question, user: _session(tokens, question, user)),
    )


class _AccessAnswers:
    """Answers of authorization.k8s.io."""

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac

    def of_self(self, question: Object, user: User) -> Object:
        """Say whether the asking user may."""
        _check_attributes(question, authorization.SELFSUBJECTACCESSREVIEWS)
        return self._decide(user, question["spec"])

    def of_subject(self, question: Object, _user: User) -> Object:
        """Say whether the user that the question names may."""
        _check_attributes(question, authorization.SUBJECTACCESSREVIEWS)
        return self._decide(_subject(question, authorization.SUBJECTACCESSREVIEWS), question["spec"])

    def of_local_subject(self, question: Object, _user: User) -> Object:
        """Say whether the user that the question names may, in the question's own namespace."""
        resource = authorization.LOCALSUBJECTACCESSREVIEWS
        _check_attributes(question, resource)
        spec = question["spec"]
        home = (question.get("metadata") or {}).get("namespace") or ""
        if (spec.get("resourceAttributes") or {}).get("namespace", "") != home:
            text = "must match metadata.namespace"
            asked = (spec.get("resourceAttributes") or {}).get("namespace", "")
            raise causes.invalid(
                resource.gvk, "", [causes.invalid_value("spec.resourceAttributes.namespace", asked, text)]
            )
        if spec.get("nonResourceAttributes"):
            text = "disallowed on this kind of request"
            asked = spec["nonResourceAttributes"]
            raise causes.invalid(
                resource.gvk, "", [causes.invalid_value("spec.nonResourceAttributes", asked, text)]
            )
        return self._decide(_subject(question, resource), spec)

    def rules_of_self(self, question: Object, user: User) -> Object:
        """List what the asking user may in one namespace."""
        namespace = (question.get("spec") or {}).get("namespace") or ""
        if not namespace:
            raise BadRequestError("no namespace on request")
        rules = [rule.to_json() for rule in self._rbac.rules_for(user, namespace)]
        trouble = self._rbac.trouble(user, namespace)
        return {
            "resourceRules": [rule for rule in rules if "resources" in rule],
            "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
            "incomplete": bool(trouble),
            **({"evaluationError": trouble.removeprefix("RBAC: ")} if trouble else {}),
        }

    def _decide(self, user: User, spec: Mapping[str, Any]) -> Object:
        may, reason = self._rbac.explain(user, _attributes(spec))
        return {"allowed": may, **({"reason": reason} if reason else {})}


def user_json(user: User) -> Object:
    """Give a user as ``authentication.k8s.io`` UserInfo."""
    extra = {key: list(values) for key, values in user.extra.items()}
    members = {"username": user.name, "uid": user.uid, "groups": list(user.groups), "extra": extra}
    return {name: value for name, value in members.items() if value}


def _attributes(spec: Mapping[str, Any]) -> Attributes:
    """Read what is asked for; absent members are empty, a missing group is the core group."""
    path = spec.get("nonResourceAttributes")
    if path:
        return Attributes(verb=path.get("verb") or "", path=path.get("path") or "")
    asked = spec.get("resourceAttributes") or {}
    words = ("verb", "group", "resource", "subresource", "namespace", "name")
    return Attributes(**{word: str(asked.get(word) or "") for word in words})


def _check_attributes(question: Object, resource: Resource) -> None:
    spec = question.get("spec") or {}
    kinds = [word for word in ("resourceAttributes", "nonResourceAttributes") if spec.get(word) is not None]
    if len(kinds) == 1:
        return
    if kinds:
        text = "cannot be specified in combination with resourceAttributes"
        found = causes.invalid_value("spec.nonResourceAttributes", spec["nonResourceAttributes"], text)
    else:
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found = causes.invalid_value("spec.resourceAttributes", None, text)
    raise causes.invalid(resource.gvk, "", [found])


def _subject(question: Object, resource: Resource) -> User:
    spec = question["spec"]
    if not spec.get("user") and not spec.get("groups"):
        text = "at least one of user or group must be specified"
        raise causes.invalid(resource.gvk, "", [causes.invalid_value("spec.user", "", text)])
    extra = {key: tuple(values or ()) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra)


def _token_status(authenticator: RequestAuthenticator, question: Object) -> Object:
    spec = question.get("spec") or {}
    if not spec.get("token"):
        raise BadRequestError("token is required for TokenReview in authentication")
    try:
        found = authenticator.judge(spec["token"], spec.get("audiences") or None)
    except UnauthorizedError:
        return {"user": {}, "error": "invalid bearer token"}
    except InvalidTokenError as error:
        return {"user": {}, "error": f"[invalid bearer token, {error}]"}
    return {"authenticated": True, "user": user_json(found.user), "audiences": list(found.audiences)}


def _session(tokens: Tokens, question: Object, user: User) -> Object:
    """Give the asking user a token of their own for portal, REST and MCP.

    ``system:masters`` does not travel in it: no role limits that group, and the portal may not act as it. Its
    members become ``roadbed:admins``, who have the same rights from a binding that can be taken away.
    """
    asked = (question.get("spec") or {}).get("expirationSeconds")
    ttl_s = SESSION_S if asked is None else float(asked)
    if not 60 <= ttl_s <= MAX_SESSION_S:
        text = f"must be between 60 and {MAX_SESSION_S:.0f}"
        field = causes.invalid_value("spec.expirationSeconds", asked, text)
        raise causes.invalid(review.PORTALSESSIONS.gvk, "", [field])
    groups = tuple(dict.fromkeys(ADMINS if group == MASTERS else group for group in user.groups))
    token, expires = tokens.issue(User(user.name, groups, user.uid, user.extra), ttl_s)
    return {"token": token, "expirationTimestamp": format_time(expires)}
