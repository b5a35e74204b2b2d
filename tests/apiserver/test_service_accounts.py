"""Tokens of service accounts: who they stand for, for whom, how long, and what ends them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthorizedError,
)
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import ApiRequest
from roadbed.apis.authentication import TOKENREVIEWS
from roadbed.apis.core import NAMESPACES, SECRETS, SERVICEACCOUNTS
from roadbed.apiserver import Credentials
from roadbed.apiserver.serviceaccounts import ISSUER, InvalidTokenError, Keys
from roadbed.apiserver.serviceaccounts.documents import configuration, key_set
from roadbed.testing import ControlPlane, control_plane


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def plane(clock: Clock) -> AsyncIterator[ControlPlane]:
    async with control_plane(crds=(), clock=clock) as running:  # type: ignore[arg-type]
        await running.client.create(SERVICEACCOUNTS, account("robot"))
        yield running


def account(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}


def secret(name: str, **members: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", **members.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, **members}


async def request(plane: ControlPlane, name: str = "robot", **spec: Any) -> dict[str, Any]:
    place = {"namespace": "default", "name": name, "subresource": "token"}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    transport = plane.client.transport
    answer = await transport.call(ApiRequest.on("create", SERVICEACCOUNTS, **place, body=body))
    assert answer.status == 201
    found: dict[str, Any] = orjson.loads(answer.body)
    return found


async def token_of(plane: ControlPlane, name: str = "robot", **spec: Any) -> str:
    token: str = (await request(plane, name, **spec))["status"]["token"]
    return token


async def review(plane: ControlPlane, token: str, *audiences: str) -> dict[str, Any]:
    spec = {"token": token, "audiences": list(audiences)}
    question = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    answer = await plane.client.create(TOKENREVIEWS, question)
    status: dict[str, Any] = answer["status"]
    return status


def user(plane: ControlPlane, token: str) -> Any:
    return plane.access.authenticator.authenticate(Credentials({"authorization": f"Bearer {token}"}))


async def test_a_token_stands_for_its_account_with_its_groups(plane: ControlPlane) -> None:
    found = user(plane, await token_of(plane))
    live = await plane.client.get(SERVICEACCOUNTS, "robot", "default")
    assert (found.name, found.uid) == ("system:serviceaccount:default:robot", live["metadata"]["uid"])
    assert found.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    )
    (mark,) = found.extra["authentication.kubernetes.io/credential-id"]
    assert mark.startswith("JTI=")


async def test_the_answer_names_account_audience_and_expiry(plane: ControlPlane) -> None:
    answer = await request(plane, expirationSeconds=600)
    assert answer["metadata"]["name"] == "robot"
    assert answer["spec"] == {"audiences": [ISSUER], "expirationSeconds": 600, "boundObjectRef": None}
    assert answer["status"]["expirationTimestamp"] == "2026-01-01T00:10:00Z"


async def test_a_token_ends_with_its_time_a_minute_of_leeway_allowed(
    plane: ControlPlane, clock: Clock
) -> None:
    token = await token_of(plane, expirationSeconds=600)
    clock.moment += timedelta(seconds=659)
    assert user(plane, token)
    clock.moment += timedelta(seconds=2)
    with pytest.raises(UnauthorizedError):
        user(plane, token)
    assert "service account token has expired" in (await review(plane, token))["error"]


async def test_a_token_from_before_the_clock_was_set_back_waits_for_its_time(
    plane: ControlPlane, clock: Clock
) -> None:
    token = await token_of(plane, expirationSeconds=600)
    clock.moment -= timedelta(hours=1)
    assert "service account token is not valid yet" in (await review(plane, token))["error"]
    later = await token_of(plane, expirationSeconds=600)
    assert user(plane, later)
    clock.moment += timedelta(hours=1)
    assert user(plane, token)
    with pytest.raises(UnauthorizedError):
        user(plane, later)


async def test_a_token_ends_with_its_account_and_does_not_come_back_with_a_new_one(
    plane: ControlPlane,
) -> None:
    token = await token_of(plane)
    assert user(plane, token)
    await plane.client.delete(SERVICEACCOUNTS, "robot", "default")
    with pytest.raises(UnauthorizedError):
        user(plane, token)
    assert (await review(plane, token))[
        "error"
    ] == '[invalid bearer token, serviceaccounts "robot" not found]'
    await plane.client.create(SERVICEACCOUNTS, account("robot"))
    assert "does not match claim" in (await review(plane, token))["error"]


async def test_a_token_ends_with_the_secret_that_it_is_bound_to(plane: ControlPlane) -> None:
    await plane.client.create(SECRETS, secret("bond"))
    bound = {"apiVersion": "v1", "kind": "Secret", "name": "bond"}
    token = await token_of(plane, boundObjectRef=bound)
    assert user(plane, token)
    await plane.client.delete(SECRETS, "bond", "default")
    error = (await review(plane, token))["error"]
    assert error == "[invalid bearer token, service account token has been invalidated]"


async def test_a_token_counts_only_for_its_audiences(plane: ControlPlane) -> None:
    token = await token_of(plane, audiences=["vault"])
    with pytest.raises(UnauthorizedError):
        user(plane, token)
    assert (await review(plane, token))["error"] == (
        f'[invalid bearer token, token audiences ["vault"] is invalid for the target audiences ["{ISSUER}"]]'
    )
    found = await review(plane, token, "x", "vault")
    assert (found["authenticated"], found["audiences"]) == (True, ["vault"])


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        ({"expirationSeconds": 60}, InvalidError, "may not specify a duration less than 10 minutes"),
        ({"expirationSeconds": 1 << 33}, InvalidError, "larger than 2\\^32 seconds"),
        ({"expirationSeconds": "x"}, InvalidError, "spec.expirationSeconds"),
        (
            {"boundObjectRef": {"apiVersion": "v1", "kind": "ConfigMap"}},
            BadRequestError,
            "/v1, Kind=ConfigMap",
        ),
        (
            {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "x"}},
            NotFoundError,
            'secrets "x"',
        ),
    ],
)
async def test_a_request_out_of_bounds_is_refused(
    plane: ControlPlane, spec: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        await request(plane, **spec)


async def test_no_token_of_an_account_that_is_not_there(plane: ControlPlane) -> None:
    with pytest.raises(NotFoundError, match='serviceaccounts "nope" not found'):
        await request(plane, "nope")


async def test_a_secret_made_anew_is_not_the_one_asked_for(plane: ControlPlane) -> None:
    await plane.client.create(SECRETS, secret("bond"))
    bound = {"apiVersion": "v1", "kind": "Secret", "name": "bond", "uid": "another"}
    with pytest.raises(ConflictError, match="might have been deleted and then recreated"):
        await request(plane, boundObjectRef=bound)


async def test_a_changed_token_is_nobodys(plane: ControlPlane) -> None:
    token = await token_of(plane)
    head, payload, mark = token.split(".")
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["sub"] = "system:serviceaccount:kube-system:root"
    forged = base64.urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("=")
    for wrong in (
        f"{head}.{forged}.{mark}",
        f"{head}.{payload}.",
        f"{head}.{payload}.{mark}x",
        f"{head}.{payload}",
    ):
        with pytest.raises(UnauthorizedError):
            user(plane, wrong)


async def test_an_algorithm_of_the_tokens_own_choice_does_not_count(plane: ControlPlane) -> None:
    """The classic hole: ``none``, or the public key taken for a shared secret."""
    _, payload, _ = (await token_of(plane)).split(".")
    kid = plane.access.accounts.keys.to_json()["keys"][0]["kid"]
    for algorithm in ("none", "HS256", "RS256"):
        head = base64.urlsafe_b64encode(orjson.dumps({"alg": algorithm, "kid": kid})).decode().rstrip("=")
        with pytest.raises(UnauthorizedError):
            user(plane, f"{head}.{payload}.")


def test_an_rsa_key_of_others_signs_and_its_predecessor_still_counts(tmp_path: Path) -> None:
    old, new = (rsa.generate_private_key(public_exponent=65_537, key_size=2_048) for _ in range(2))
    form = serialization.PrivateFormat.TraditionalOpenSSL
    for name, key in (("old", old), ("new", new)):
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        (tmp_path / name).write_bytes(pem)
    before, after = Keys.read(tmp_path / "old"), Keys.read(tmp_path / "new", [tmp_path / "old"])
    assert after.verify(before.sign({"sub": "a"})) == {"sub": "a"}
    assert after.verify(after.sign({"sub": "b"})) == {"sub": "b"}
    assert before.verify(after.sign({"sub": "b"})) is None
    assert after.algorithms == ["RS256"]


def test_keys_outlive_a_restart(tmp_path: Path) -> None:
    token = Keys.open_folder(tmp_path).sign({"sub": "a"})
    assert Keys.open_folder(tmp_path).verify(token) == {"sub": "a"}
    assert (tmp_path / "sa.key").stat().st_mode & 0o777 == 0o600


async def test_the_documents_lead_others_to_the_key(plane: ControlPlane) -> None:
    accounts = plane.access.accounts
    accounts.address = "127.0.0.1:6443"
    found = orjson.loads(configuration(accounts)[0])
    assert found["jwks_uri"] == "https://127.0.0.1:6443/openid/v1/jwks"
    (key,) = orjson.loads(key_set(accounts)[0])["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert found["id_token_signing_alg_values_supported"] == [key["alg"]]


KEYS = Keys.open_folder(None)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_no_token(text: str) -> None:
    assert KEYS.verify(text) is None
    assert KEYS.verify(f"{text}.{text}.{text}") is None


async def test_only_tokens_of_ours_are_judged_here(plane: ControlPlane) -> None:
    with pytest.raises(InvalidTokenError, match="invalid signature"):
        plane.access.accounts.verify("a.b.c")
    assert not plane.access.accounts.is_ours("a.b.c")


async def test_admission_is_asked_about_tokens(plane: ControlPlane) -> None:
    """Whoever limits the life of tokens by policy or webhook would be passed by otherwise."""
    constraint = {
        "resourceRules": [
            {
                "operations": ["CREATE"],
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["serviceaccounts/token"],
            }
        ]
    }
    names = ("kind.group", "kind.kind", "resource.resource", "subResource", "name", "namespace")
    parts = [f"request.{name}" for name in names]
    parts += ["object.metadata.name", "object.spec.audiences[0]", "string(has(object.metadata.uid))"]
    seen = " + ' ' + ".join(parts)
    await put(
        plane,
        "ValidatingAdmissionPolicy",
        matchConstraints=constraint,
        validations=[{"expression": "object.spec.expirationSeconds < 5000", "messageExpression": seen}],
    )
    await put(plane, "ValidatingAdmissionPolicyBinding", policyName="short", validationActions=["Deny"])
    await put(
        plane,
        "MutatingAdmissionPolicy",
        matchConstraints=constraint,
        failurePolicy="Fail",
        reinvocationPolicy="Never",
        mutations=[
            {
                "patchType": "ApplyConfiguration",
                "applyConfiguration": {
                    "expression": "object.spec.expirationSeconds == 700 ? Object{spec: Object.spec{expirationSeconds: 6000}} : Object{}"
                },
            }
        ],
    )
    await put(plane, "MutatingAdmissionPolicyBinding", policyName="short")
    expected = f"authentication.k8s.io TokenRequest serviceaccounts token robot default robot {ISSUER} true"
    for life_s in (5_001, 700):  # the latter is 6,000 by the time it is judged
        with pytest.raises(InvalidError, match="is forbidden: ValidatingAdmissionPolicy") as refused:
            await request(plane, expirationSeconds=life_s)
        assert str(refused.value).endswith(expected)
    assert (await request(plane))["status"]["token"]


async def put(plane: ControlPlane, kind: str, **spec: Any) -> None:
    version = "v1" if kind.startswith("Validating") else "v1beta1"
    plural = f"{kind.lower()}s" if kind.endswith("Binding") else f"{kind.lower()[:-1]}ies"
    resource = Resource("admissionregistration.k8s.io", version, plural, kind, namespaced=False)
    obj = {"apiVersion": resource.api_version, "kind": kind, "metadata": {"name": "short"}, "spec": spec}
    await plane.client.create(resource, obj)


async def test_no_token_of_a_namespace_that_goes(plane: ControlPlane) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "going"}}
    await plane.client.create(NAMESPACES, namespace)
    await plane.client.create(
        SERVICEACCOUNTS, {**account("robot"), "metadata": {"name": "robot", "namespace": "going"}}
    )
    await plane.client.delete(NAMESPACES, "going")
    place = {"namespace": "going", "name": "robot", "subresource": "token"}
    with pytest.raises(ForbiddenError, match="unable to create new content in namespace going"):
        await plane.client.transport.call(ApiRequest.on("create", SERVICEACCOUNTS, **place, body={}))
