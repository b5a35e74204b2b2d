"""What a namespace says while it goes, in the words of Kubernetes 1.35 (asked of the real controller)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from roadbed.apimachinery.errors import ForbiddenError, ServiceUnavailableError
from roadbed.apimachinery.gvk import Resource
from roadbed.apis.core import CONFIGMAPS, NAMESPACES, SECRETS
from roadbed.client import Client
from roadbed.controller import Request
from roadbed.engines.core.namespaces import Found, NamespaceDeleter, conditions_for
from roadbed.testing import ControlPlane, control_plane, eventually

CORE = "roadbed.engines.core.plugin"
ADMISSION = "admissionregistration.k8s.io"
DISCOVERED = ("False", "ResourcesDiscovered", "All resources successfully discovered")
PARSED = ("False", "ParsedGroupVersions", "All legacy kube types successfully parsed")
DELETED = ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization")
REMOVED = ("False", "ContentRemoved", "All content successfully removed")
REFUSED = "configmaps \"Unknown\" is forbidden: ValidatingAdmissionPolicy 'keep' with binding 'keep' denied request: it is kept"
FREE = ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")


async def doomed(plane: ControlPlane, *names: str) -> None:
    """Make the namespace ``going`` with ConfigMaps that a finalizer holds, and delete it."""
    await plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "going"}})
    for name in names:
        meta: dict[str, Any] = {"name": name, "namespace": "going"}
        if name.startswith("held"):
            meta["finalizers"] = ["example.org/hold"]
        await plane.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    await plane.client.delete(NAMESPACES, "going")


async def said(plane: ControlPlane) -> dict[str, tuple[str, str, str]]:
    """Give status, reason and message by type, in the order of the list; nothing where all is gone."""
    live = await plane.client.find(NAMESPACES, "going")
    conditions = ((live or {}).get("status") or {}).get("conditions") or []
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in conditions}


async def test_what_is_left_and_what_holds_it_is_told_until_it_goes() -> None:
    async with control_plane(CORE, crds=()) as plane:
        await doomed(plane, "held-1", "held-2", "free")

        async def settled() -> Any:
            found = await said(plane)
            return found if "2 resource" in found.get("NamespaceContentRemaining", ("", "", ""))[2] else None

        assert list((await eventually(settled)).items()) == [
            ("NamespaceDeletionDiscoveryFailure", DISCOVERED),
            ("NamespaceDeletionGroupVersionParsingFailure", PARSED),
            ("NamespaceDeletionContentFailure", DELETED),
            (
                "NamespaceContentRemaining",
                (
                    "True",
                    "SomeResourcesRemain",
                    "Some resources are remaining: configmaps. has 2 resource instances",
                ),
            ),
            (
                "NamespaceFinalizersRemaining",
                (
                    "True",
                    "SomeFinalizersRemain",
                    "Some content in the namespace has finalizers remaining: example.org/hold in 2 resource instances",
                ),
            ),
        ]
        for name in ("held-1", "held-2"):
            await plane.client.patch(CONFIGMAPS, name, {"metadata": {"finalizers": None}}, namespace="going")

        async def gone() -> bool:
            return await plane.client.find(NAMESPACES, "going") is None

        await eventually(gone)


async def test_what_may_not_be_deleted_is_told_and_the_rest_goes() -> None:
    async with control_plane(CORE, crds=()) as plane:
        await forbid(plane)
        await plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "going"}})
        for kind in ("ConfigMap", "Secret"):
            meta = {"name": "kept", "namespace": "going"}
            await plane.create({"apiVersion": "v1", "kind": kind, "metadata": meta})
        await plane.client.delete(NAMESPACES, "going")

        async def failed() -> Any:
            found = await said(plane)
            return found if found.get("NamespaceDeletionContentFailure", ("False",))[0] == "True" else None

        found = await eventually(failed)
        assert found["NamespaceDeletionContentFailure"] == (
            "True",
            "ContentDeletionFailed",
            f"Failed to delete all resource types, 1 remaining: {REFUSED}",
        )
        assert (found["NamespaceContentRemaining"], found["NamespaceFinalizersRemaining"]) == (REMOVED, FREE)
        assert await plane.client.find(SECRETS, "kept", "going") is None
        assert await plane.client.find(CONFIGMAPS, "kept", "going") is not None


async def forbid(plane: ControlPlane) -> None:
    """Let a policy keep the ConfigMap ``kept``."""
    rule = {"operations": ["DELETE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    validation = {"expression": "oldObject.metadata.name != 'kept'", "message": "it is kept"}
    for kind, plural, spec in (
        (
            "ValidatingAdmissionPolicy",
            "validatingadmissionpolicies",
            {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]},
        ),
        (
            "ValidatingAdmissionPolicyBinding",
            "validatingadmissionpolicybindings",
            {"policyName": "keep", "validationActions": ["Deny"]},
        ),
    ):
        resource = Resource(ADMISSION, "v1", plural, kind, namespaced=False)
        obj = {"apiVersion": f"{ADMISSION}/v1", "kind": kind, "metadata": {"name": "keep"}, "spec": spec}
        await plane.client.create(resource, obj)


class Blind:
    """A transport that can't see what is served until it is told to."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.is_blind = True

    async def discover(self) -> Sequence[Resource]:
        if self.is_blind:
            raise ServiceUnavailableError("the server is currently unable to handle the request")
        found: Sequence[Resource] = await self._inner.discover()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def test_nothing_is_called_empty_before_all_kinds_are_known() -> None:
    async with control_plane(crds=()) as plane:  # no controller but the one below
        await doomed(plane, "free")
        transport = Blind(plane.client.transport)
        deleter = NamespaceDeleter(Client(transport, field_manager="test"), plane.manager, plane.clock)
        with pytest.raises(ServiceUnavailableError):
            await deleter.reconcile(Request("", "going"))
        found = await said(plane)
        text = "the server is currently unable to handle the request"
        assert found["NamespaceDeletionDiscoveryFailure"] == ("True", "DiscoveryFailed", text)
        assert await plane.client.find(CONFIGMAPS, "free", "going") is not None
        transport.is_blind = False
        await deleter.reconcile(Request("", "going"))
        assert await plane.client.find(NAMESPACES, "going") is None


def test_a_condition_keeps_its_time_while_only_its_words_change() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    error = ForbiddenError("no")
    first = conditions_for(Found(failures=[error]), [], now)
    second = conditions_for(
        Found(failures=[error, ForbiddenError("nor this")]), first, now + timedelta(hours=1)
    )
    assert [each["lastTransitionTime"] for each in second] == ["2026-01-01T00:00:00Z"] * 5
    assert second[2]["message"] == "Failed to delete all resource types, 2 remaining: no, nor this"
    third = conditions_for(Found(), second, now + timedelta(hours=2))
    assert [each["lastTransitionTime"][11:13] for each in third] == ["00", "00", "02", "00", "00"]
    assert tuple(third[2][word] for word in ("status", "reason", "message")) == DELETED
