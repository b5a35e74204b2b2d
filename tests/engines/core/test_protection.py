"""What is in use stays until nothing uses it, and goes at once where nothing does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from roadbed.engines.core.protection import CLAIMS, CLASSES, PODS, VOLUMES
from roadbed.testing import ControlPlane, control_plane, eventually


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    async with control_plane("roadbed.engines.core.plugin", crds=()) as running:
        yield running


def made(resource: Any, name: str, **members: Any) -> Any:
    meta: dict[str, Any] = {"name": name, **({"namespace": "default"} if resource.namespaced else {})}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **members}


async def test_a_claim_goes_with_the_last_pod_that_mounts_it(plane: ControlPlane) -> None:
    client = plane.client
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    live = await client.create(CLAIMS, made(CLAIMS, "disk", spec=spec))
    assert live["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    await client.create(CLAIMS, made(CLAIMS, "idle", spec=spec))
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "disk"}}]
    pod = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}], "volumes": volumes}
    await client.create(PODS, made(PODS, "user", spec=pod))

    await client.delete(CLAIMS, "disk", "default")
    await client.delete(CLAIMS, "idle", "default")
    assert await eventually(lambda: gone(plane, CLAIMS, "idle"))
    assert (await client.get(CLAIMS, "disk", "default"))["metadata"]["deletionTimestamp"]
    await client.patch(PODS, "user", {"metadata": {"labels": {"a": "b"}}}, namespace="default")
    assert await client.find(CLAIMS, "disk", "default")
    await client.delete(PODS, "user", "default")
    assert await eventually(lambda: gone(plane, CLAIMS, "disk"))


async def test_a_bound_volume_and_a_named_class_stay(plane: ControlPlane) -> None:
    client = plane.client
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "csi": {"driver": "d", "volumeHandle": "h"},
        "volumeAttributesClassName": "gold",
    }
    await client.create(CLASSES, made(CLASSES, "gold", driverName="d", parameters={"tier": "gold"}))
    await client.create(VOLUMES, made(VOLUMES, "v", spec=spec))
    bound = {"status": {"phase": "Bound"}}
    await client.patch(VOLUMES, "v", bound, subresource="status")
    await client.delete(VOLUMES, "v")
    await client.delete(CLASSES, "gold")
    assert await client.find(VOLUMES, "v")
    await client.patch(VOLUMES, "v", {"status": {"phase": "Released"}}, subresource="status")
    assert await eventually(lambda: gone(plane, VOLUMES, "v"))
    assert await eventually(lambda: gone(plane, CLASSES, "gold"))


async def gone(plane: ControlPlane, resource: Any, name: str) -> bool:
    return await plane.client.find(resource, name, "default" if resource.namespaced else "") is None
