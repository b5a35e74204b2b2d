"""Policies and bindings, in few words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from roadbed.apimachinery.gvk import Resource

GROUP = "admissionregistration.k8s.io"
CONFIG_MAPS = {
    "resourceRules": [
        {
            "operations": ["CREATE", "UPDATE"],
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "resources": ["configmaps"],
        }
    ]
}


@pytest.fixture
def put(api: Any) -> Callable[..., Any]:
    """Create a policy (or binding) of a kind such as ``ValidatingAdmissionPolicy`` with this spec."""

    async def create(kind: str, name: str, **spec: Any) -> Any:
        version = "v1" if kind.startswith("Validating") else "v1beta1"
        plural = kind.lower().removesuffix("y") + "ies" if kind.endswith("y") else f"{kind.lower()}s"
        resource = Resource(GROUP, version, plural, kind, namespaced=False)
        if kind.endswith("Policy"):
            spec = {"matchConstraints": CONFIG_MAPS, **spec}
        body = {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}
        return await api.ask("create", resource, body=body)

    return create


@pytest.fixture
def bind(put: Callable[..., Any]) -> Callable[..., Any]:
    """Create a validating policy called ``p`` and a binding ``b`` that denies unless told otherwise."""

    async def create(actions: tuple[str, ...] = ("Deny",), binding: Any = None, **spec: Any) -> None:
        await put("ValidatingAdmissionPolicy", "p", **spec)
        members = {"policyName": "p", "validationActions": list(actions), **(binding or {})}
        await put("ValidatingAdmissionPolicyBinding", "b", **members)

    return create
