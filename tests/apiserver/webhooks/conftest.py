"""Configurations of webhooks and answers of theirs, in few words."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from roadbed.apimachinery.gvk import Resource

GROUP = "admissionregistration.k8s.io"


@pytest.fixture
def configure(api: Any, webhook: Any) -> Callable[..., Any]:
    """Create a configuration with one webhook that leads to a path of the webhook server."""

    async def create(kind: str, path: str, name: str = "", **members: Any) -> Any:
        kind_name = f"{kind}WebhookConfiguration"
        resource = Resource(GROUP, "v1", f"{kind_name.lower()}s", kind_name, namespaced=False)
        name = name or path.strip("/")
        hook = {
            "name": f"{name}.example.org",
            "clientConfig": webhook.config(path),
            "rules": [
                {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
            ],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **members,
        }
        body = {
            "apiVersion": f"{GROUP}/v1",
            "kind": kind_name,
            "metadata": {"name": name},
            "webhooks": [hook],
        }
        return await api.ask("create", resource, body=body)

    return create


@pytest.fixture
def verdict() -> Callable[..., Any]:
    """Give what a webhook answers a question with: allowed unless ``denied`` says with which status."""

    def give(question: Any, *, denied: Any = None, patch: Any = None, **members: Any) -> Any:
        response: dict[str, Any] = {"uid": question["request"]["uid"], "allowed": denied is None, **members}
        if denied:
            response["status"] = denied
        if patch:
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(orjson.dumps(patch)).decode()
        return {"apiVersion": question["apiVersion"], "kind": "AdmissionReview", "response": response}

    return give
