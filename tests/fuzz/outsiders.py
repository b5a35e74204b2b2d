"""Outsiders that mean no good: webhooks, token issuers, and files that somebody else wrote.

Each target makes an answer or a file that is right but for a few places and gives it to what reads it. Who reads may
refuse, in its own words; whatever else happens is a finding. A webhook's nonsense must end as Kubernetes ends it: the
write fails with ``failed calling webhook``, and the server says so in a Status.
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import httpx2 as httpx
import orjson
import yaml

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.request import User
from roadbed.apiserver.audit.policy import Policy, PolicyError
from roadbed.apiserver.ports import Attributes
from roadbed.apiserver.webhooks import Caller
from roadbed.client.credentials import oidc
from roadbed.client.credentials.kubeconfigs import read_kubeconfigs
from roadbed.client.credentials.proofs import credentials_for
from roadbed.client.credentials.tls import tls_context

from . import values
from .choices import Choices
from .story import Story, begin, operations

MAPS = "/api/v1/namespaces/default/configmaps"
BROKEN = (b"", b"{", b"null", b"[]", b"1e999", b"\xff", b'{"a":' * 300, b"<html>")


class _Answering(Caller):
    """Answers every question with what was put into it."""

    def __init__(self) -> None:
        super().__init__()
        self.choices = Choices(b"")

    async def _post(self, target: Any, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        del target, timeout_s
        choices, question = self.choices, orjson.loads(body)
        if choices.once_in(12):
            return choices.pick((200, 204, 301, 400, 404, 500, 0)), choices.pick(BROKEN)
        make = _converted if question["kind"] == "ConversionReview" else _reviewed
        answer = make(choices, question)
        answer = values.changed(choices, answer) if choices.below(3) else answer
        return 200, orjson.dumps(answer)


def _reviewed(choices: Choices, question: Any) -> Any:
    response: dict[str, Any] = {"uid": question["request"]["uid"], "allowed": choices.below(4) != 3}
    if choices.below(2):
        patch = orjson.dumps(operations(choices, question["request"].get("object") or {}))
        response |= {"patchType": "JSONPatch", "patch": base64.b64encode(patch).decode()}
    if choices.once_in(3):
        response["warnings"] = [choices.pick(values.ODD_TEXTS), "w"]
        response["auditAnnotations"] = {"a": "b", choices.pick(values.ODD_TEXTS): "c"}
    if choices.once_in(3):
        cause = {"reason": "FieldValueInvalid", "message": "m", "field": "f"}
        details = {"name": "a", "kind": "ConfigMap", "causes": [cause], "retryAfterSeconds": 1}
        code = choices.pick((403, 422, 200, 0, 99_999, -1))
        response["status"] = {"code": code, "message": "no", "reason": "Invalid", "details": details}
    return {"apiVersion": question["apiVersion"], "kind": "AdmissionReview", "response": response}


def _converted(choices: Choices, question: Any) -> Any:
    asked = question["request"]
    objects = [{**each, "apiVersion": asked["desiredAPIVersion"]} for each in asked["objects"]]
    if choices.once_in(4):
        objects = objects[1:]
    status = {"status": choices.pick(("Success", "Success", "Success", "Failed", ""))}
    response = {"uid": asked["uid"], "convertedObjects": objects, "result": status}
    return {"apiVersion": question["apiVersion"], "kind": "ConversionReview", "response": response}


@cache
def _hooked() -> tuple[asyncio.AbstractEventLoop, Story, _Answering]:
    """Start a server whose webhooks answer anything; it lives as long as the process."""
    loop = asyncio.new_event_loop()
    caller = _Answering()

    async def start() -> Story:
        story, _ = await begin((), webhooks=caller)
        for path, obj in _configurations():
            answer = await story.ask("POST", path, {}, obj)
            assert answer.is_good, answer
        return story

    return loop, loop.run_until_complete(start()), caller


def _configurations() -> list[tuple[str, dict[str, Any]]]:
    found = []
    config = {"url": "https://127.0.0.1:1/"}
    for kind in ("Mutating", "Validating"):
        rule = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
        hook = {"name": f"{kind.lower()}.example.org", "clientConfig": config, "rules": [rule]}
        hook |= {"sideEffects": "None", "admissionReviewVersions": ["v1", "v1beta1"]}
        obj = {"kind": f"{kind}WebhookConfiguration", "metadata": {"name": "a"}, "webhooks": [hook]}
        path = f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}webhookconfigurations"
        found.append((path, {"apiVersion": "admissionregistration.k8s.io/v1", **obj}))
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": name, "served": True, "storage": name == "v1", "schema": schema} for name in ("v1", "v2")
    ]
    names = {"plural": "twos", "kind": "Two"}
    webhook = {"clientConfig": config, "conversionReviewVersions": ["v1"]}
    spec = {"group": "hostile.example.org", "scope": "Namespaced", "names": names, "versions": versions}
    spec["conversion"] = {"strategy": "Webhook", "webhook": webhook}
    crd = {"kind": "CustomResourceDefinition", "metadata": {"name": "twos.hostile.example.org"}, "spec": spec}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    found.append((path, {"apiVersion": "apiextensions.k8s.io/v1", **crd}))
    return found


def webhook(content: bytes) -> None:
    """Write something that webhooks are asked about, or read what one converts."""
    loop, story, caller = _hooked()
    caller.choices = choices = Choices(content)
    obj: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"k": "v"},
    }
    two = {"apiVersion": "hostile.example.org/v1", "kind": "Two", "metadata": {"name": "a"}, "a": [1]}
    twos = "/apis/hostile.example.org/v%d/namespaces/default/twos"

    async def ask() -> None:
        if choices.below(2):
            await story.ask("POST", MAPS, {"dryRun": "" if choices.below(2) else "All"}, obj)
            await story.ask("DELETE", f"{MAPS}/a", {})
        else:
            await story.ask("POST", twos % 1, {}, two)
            await story.ask("GET", twos % 2 + choices.pick(("", "/a")), {})
            await story.ask("PATCH", twos % 2 + "/a", {}, {"b": 1}, media_type="application/merge-patch+json")
            await story.ask("DELETE", twos % 1 + "/a", {})

    loop.run_until_complete(ask())


def kubeconfig(content: bytes) -> None:
    """Read a kubeconfig that somebody sent, up to where a connection would be opened."""
    choices = Choices(content)
    user = choices.pick((
        {"token": "t"},
        {"username": "u", "password": "p"},
        {"client-certificate-data": "YQ==", "client-key-data": "YQ=="},
        {"tokenFile": "/nowhere"},
        {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "x", "interactiveMode": "Never"}},
        {"auth-provider": {"name": "oidc", "config": {"idp-issuer-url": "https://a", "client-id": "c"}}},
        {"token": "t", "as": "bob", "as-groups": ["g"], "as-user-extra": {"k": ["v"]}},
    ))  # fmt: skip
    cluster = {"server": "https://a.b:1", "certificate-authority-data": "YQ==", "tls-server-name": "x"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    text = yaml.safe_dump(
        values.changed(choices, document) if choices.below(2) else document, allow_unicode=True
    )
    if choices.once_in(8):
        text = text[: choices.below(400)] + choices.pick(("\t", "&a", "*b", "\x00", "!!x", "{")) + text[200:]
    path = _folder() / "kubeconfig"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    target = read_kubeconfigs([path])
    credentials = credentials_for(target)
    if "exec" not in target.user and "auth-provider" not in target.user:
        proof = asyncio.run(credentials.current())
        tls_context(target, proof)


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


def audit_policy(content: bytes) -> None:
    """Read an audit policy, and let it decide."""
    choices = Choices(content)
    rule = {
        "level": choices.pick(("None", "Metadata", "Request", "RequestResponse")),
        "users": ["a"],
        "userGroups": ["g"],
        "verbs": ["get", "create"],
        "resources": [{"group": "", "resources": ["configmaps", "pods/*"], "resourceNames": ["a"]}],
        "namespaces": ["default"],
        "nonResourceURLs": ["/healthz*", "*"],
        "omitStages": ["RequestReceived"],
        "omitManagedFields": True,
    }
    kept = {key: value for key, value in rule.items() if key == "level" or choices.below(2)}
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [kept, {"level": "Metadata"}]}
    policy = Policy.of(values.changed(choices, document, 1 + choices.below(3)))
    for attributes in (
        Attributes("get", "", "configmaps", "", "default", "a"),
        Attributes("create", "", "pods", "log", "default", "a"),
        Attributes("get", "", "", "", "", "", "/healthz/x"),
    ):
        policy.decide(User("a", ("g",)), attributes)
        policy.decide(None, attributes)


def issuer(content: bytes) -> None:
    """Refresh a token at an issuer that answers anything."""
    choices = Choices(content)
    token = _token(choices)
    document = {"issuer": "https://issuer", "token_endpoint": "https://issuer/token", "jwks_uri": "https://x"}
    document["token_endpoint"] = choices.pick((
        "https://issuer/token", "http://[", "https://", "ftp://x", "https://a:b/c", "https://\x00", "https://é.b/",
        "//x", "https://" + "a" * 300, "https://a b/", "https://[::1", "https://x:99999999/",
    ))  # fmt: skip
    answered = {"id_token": token, "refresh_token": "r", "token_type": "Bearer", "expires_in": 1}

    def answer(request: httpx.Request) -> httpx.Response:
        found = document if request.url.path.endswith("openid-configuration") else answered
        found = values.changed(choices, found) if choices.below(2) else found
        body = choices.pick(BROKEN) if choices.once_in(10) else orjson.dumps(found)
        headers = {"location": "https://issuer/again"} if choices.once_in(10) else {}
        return httpx.Response(
            choices.pick((200, 200, 200, 200, 302, 400, 500)), content=body, headers=headers
        )

    config = {"idp-issuer-url": "https://issuer", "client-id": "c", "refresh-token": "r", "id-token": token}
    path = _folder() / "issued"
    users = [{"name": "u", "user": {"auth-provider": {"name": "oidc", "config": config}}}]
    path.write_text(json.dumps({"users": users}))
    client = httpx.AsyncClient
    context = oidc.ssl.create_default_context
    oidc.ssl.create_default_context = lambda **_: None  # type: ignore[assignment] # it takes 30 ms
    oidc.httpx.AsyncClient = lambda **_: client(transport=httpx.MockTransport(answer))  # type: ignore[assignment,misc]
    try:
        refresh = oidc.OidcRefresh(config, path, b"")
        asyncio.run(refresh.fetch(is_refused=bool(choices.below(2))))
    finally:
        oidc.ssl.create_default_context = context
        oidc.httpx.AsyncClient = client  # type: ignore[misc]


def _token(choices: Choices) -> str:
    claims = values.changed(choices, {"exp": choices.pick((1, 4_102_444_800, 1e300, -1, "x")), "sub": "a"})
    middle = base64.urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("=")
    return choices.pick(
        (f"a.{middle}.c", middle, "", "a..c", f"a.{middle[:5]}.c", "a.é.c", "..", f"a.{middle}")
    )


Reading = Callable[[bytes], Awaitable[None] | None]
OUTSIDERS: dict[str, tuple[Reading, tuple[type[Exception], ...]]] = {
    "audit-policy": (audit_policy, (PolicyError,)),
    "issuer": (issuer, (ApiError,)),
    "kubeconfig": (kubeconfig, (ApiError,)),
    "webhook": (webhook, ()),
}
