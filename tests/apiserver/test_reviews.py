"""The server's own questions: who am I, may I, what may I, give me a session."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import BadRequestError, InvalidError
from roadbed.apimachinery.request import Object, User
from roadbed.apiserver.access import Access
from roadbed.apiserver.authn import RequestAuthenticator, Tokens
from roadbed.apiserver.authz import Rbac
from roadbed.apiserver.bootstrap import policy
from roadbed.apiserver.encryption import AesSealer
from roadbed.apiserver.reviews import reviewers
from roadbed.apiserver.serviceaccounts import AccountTokens, Keys
from roadbed.storage import Storage, open_storage

WORDS = [
    "user",
    "groups",
    "extra",
    "uid",
    "token",
    "namespace",
    "verb",
    "name",
    "resource",
    "resourceAttributes",
    "nonResourceAttributes",
    "path",
    "expirationSeconds",
]
TOKENS = Tokens.open_folder(None, clock=lambda: NOW)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = User("ann", ("devs", "system:authenticated"), "u1", {"scopes": ("read",)})


@pytest.fixture
async def access() -> AsyncIterator[Access]:
    storage = await open_storage("memory:")
    reference = {"kind": "ClusterRole", "name": "view"}
    viewing = {
        "kind": "RoleBinding",
        "metadata": {"name": "v", "namespace": "shop"},
        "roleRef": reference,
        "subjects": [{"kind": "Group", "name": "devs"}],
    }
    for obj in [*policy(), viewing]:
        metadata = obj["metadata"]
        path = f"{obj['kind'].lower()}s/{metadata.get('namespace', '')}/{metadata['name']}".replace("//", "/")
        encoded = orjson.dumps(obj)
        await storage.create(f"/rbac.authorization.k8s.io/{path}", lambda _, encoded=encoded: encoded)
    opened = Access.open(None, storage, clock=lambda: NOW)
    yield opened
    opened.close()
    await storage.close()


async def ask(access: Access, kind: str, spec: Any = None, user: User = ANN, **metadata: str) -> Object:
    (reviewer,) = (each for each in access.reviewers if each.resource.kind == kind)
    question: Object = {"apiVersion": reviewer.resource.api_version, "kind": kind, "metadata": dict(metadata)}
    if spec is not None:
        question["spec"] = spec
    answer = await reviewer.review(question, user)
    assert {name: value for name, value in answer.items() if name != "status"} == question
    status: Object = answer["status"]
    return status


def resource(verb: str, plural: str, **members: str) -> Object:
    return {"resourceAttributes": {"verb": verb, "resource": plural, **members}}


async def test_self_access_review_says_what_rbac_says(access: Access) -> None:
    kind = "SelfSubjectAccessReview"
    assert await ask(access, kind, resource("get", "configmaps", namespace="shop")) == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "v/shop" of ClusterRole "view" to Group "devs"',
    }
    assert await ask(access, kind, resource("get", "secrets", namespace="shop")) == {"allowed": False}
    assert await ask(access, kind, {"nonResourceAttributes": {"verb": "get", "path": "/api"}}) == {
        "allowed": True,
        "reason": 'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery" to '
        'Group "system:authenticated"',
    }


async def test_access_review_of_another_subject_counts_user_and_groups(access: Access) -> None:
    asked = resource("get", "configmaps", namespace="shop")
    kind = "SubjectAccessReview"
    assert (await ask(access, kind, {**asked, "user": "bob", "groups": ["devs"]}))["allowed"]
    assert not (await ask(access, kind, {**asked, "user": "bob"}))["allowed"]
    with pytest.raises(InvalidError, match="at least one of user or group must be specified"):
        await ask(access, kind, asked)


async def test_a_local_review_stays_in_its_namespace(access: Access) -> None:
    asked = {**resource("get", "configmaps", namespace="shop"), "groups": ["devs"]}
    assert (await ask(access, "LocalSubjectAccessReview", asked, namespace="shop"))["allowed"]
    with pytest.raises(InvalidError, match=r"must match metadata\.namespace"):
        await ask(access, "LocalSubjectAccessReview", asked, namespace="other")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "exactly one of nonResourceAttributes or resourceAttributes must be specified"),
        (
            {"resourceAttributes": {}, "nonResourceAttributes": {}},
            "cannot be specified in combination with resourceAttributes",
        ),
    ],
)
async def test_a_question_about_nothing_or_two_things_is_invalid(
    access: Access, spec: Object, said: str
) -> None:
    with pytest.raises(InvalidError, match=said):
        await ask(access, "SelfSubjectAccessReview", spec)


async def test_rules_review_lists_what_the_user_may(access: Access) -> None:
    status = await ask(access, "SelfSubjectRulesReview", {"namespace": "shop"})
    assert status["incomplete"] is False
    assert {
        "verbs": ["create"],
        "apiGroups": ["authentication.k8s.io"],
        "resources": ["selfsubjectreviews"],
    } in status["resourceRules"]
    assert any("configmaps" in rule["resources"] for rule in status["resourceRules"])
    assert any("/apis/*" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])
    elsewhere = await ask(access, "SelfSubjectRulesReview", {"namespace": "other"})
    assert not any("configmaps" in rule["resources"] for rule in elsewhere["resourceRules"])
    with pytest.raises(BadRequestError, match="no namespace on request"):
        await ask(access, "SelfSubjectRulesReview", {})


async def test_self_review_says_who_asks_and_when(access: Access) -> None:
    (reviewer,) = (each for each in access.reviewers if each.resource.kind == "SelfSubjectReview")
    answer = await reviewer.review({"metadata": {"name": "mine"}}, ANN)
    assert answer["metadata"] == {"creationTimestamp": "2026-01-01T00:00:00Z"}
    assert answer["status"] == {
        "userInfo": {
            "username": "ann",
            "uid": "u1",
            "groups": list(ANN.groups),
            "extra": {"scopes": ["read"]},
        }
    }


async def test_token_review_knows_our_tokens_only(access: Access) -> None:
    token, _ = access.tokens.issue(ANN, 60)
    status = await ask(access, "TokenReview", {"token": token})
    assert (status["authenticated"], status["user"]["username"]) == (True, "ann")
    refused = await ask(access, "TokenReview", {"token": "x"})
    assert refused == {"user": {}, "error": "invalid bearer token"}
    others = await ask(access, "TokenReview", {"token": token, "audiences": ["vault"]})
    assert others == {"user": {}, "error": "invalid bearer token"}
    with pytest.raises(BadRequestError, match="token is required for TokenReview"):
        await ask(access, "TokenReview", {})


async def test_a_portal_session_is_the_caller_for_a_while(access: Access) -> None:
    status = await ask(access, "PortalSession", {"expirationSeconds": 600})
    assert status["expirationTimestamp"] == "2026-01-01T00:10:00Z"
    assert access.tokens.user_of(status["token"]) == ANN
    default = await ask(access, "PortalSession")
    expected = NOW + timedelta(hours=1)
    assert default["expirationTimestamp"] == expected.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_portal_session_of_root_is_an_admin_by_role(access: Access) -> None:
    root = User("admin", ("system:masters", "system:authenticated"))
    found = access.tokens.user_of((await ask(access, "PortalSession", user=root))["token"])
    assert found.groups == ("roadbed:admins", "system:authenticated")


@pytest.mark.parametrize("seconds", [-1, 0, 59, 43_201, 10**12])
async def test_a_portal_session_is_neither_endless_nor_over_at_once(access: Access, seconds: int) -> None:
    with pytest.raises(InvalidError, match=r"spec\.expirationSeconds"):
        await ask(access, "PortalSession", {"expirationSeconds": seconds})


KINDS = [
    "SubjectAccessReview",
    "LocalSubjectAccessReview",
    "SelfSubjectAccessReview",
    "SelfSubjectRulesReview",
    "TokenReview",
    "PortalSession",
]
# Larger integers decode as floats, so no request can bring one.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=6,
)


class EmptyStore:
    """Holds nothing and never changes."""

    def scan(self, prefix: str) -> list[Any]:
        return []

    def subscribe(self, observer: Any) -> Any:
        return lambda: None


STORE = cast("Storage", EmptyStore())
RBAC = Rbac(STORE)
ACCOUNTS = AccountTokens(Keys.open_folder(None), STORE, AesSealer.open_folder(None), lambda: NOW)
AUTHENTICATOR = RequestAuthenticator(TOKENS, ACCOUNTS, RBAC, clock=lambda: NOW)


@given(kind=st.sampled_from(KINDS), spec=JSON)
async def test_any_question_is_answered_or_invalid(kind: str, spec: Any) -> None:
    found = reviewers(RBAC, TOKENS, AUTHENTICATOR)
    (reviewer,) = (each for each in found if each.resource.kind == kind)
    question = {"apiVersion": reviewer.resource.api_version, "kind": kind, "spec": spec}
    with contextlib.suppress(InvalidError, BadRequestError):
        orjson.dumps(await reviewer.review(question, ANN))
