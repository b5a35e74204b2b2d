"""ResourceQuotas: how many objects there may be, held against many writers at once, and what their status says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from roadbed.apimachinery.errors import ApiError, ForbiddenError
from roadbed.apimachinery.gvk import Resource
from roadbed.apis.core import CONFIGMAPS

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
SERVICES = Resource("", "v1", "services", "Service")
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


async def limit(api: Any, name: str = "q", **spec: Any) -> Any:
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec}
    return await api.ask("create", QUOTAS, namespace="default", body=body)


async def make(api: Any, name: str, **options: str) -> Any:
    return await api.ask("create", CONFIGMAPS, namespace="default", body=config_map(name), options=options)


async def used(api: Any, wanted: dict[str, str], name: str = "q") -> None:
    """Wait until the status says so."""
    for _ in range(200):
        found = (await api.ask("get", QUOTAS, name, "default")).get("status") or {}
        if found.get("used") == wanted:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{found} is not {wanted}")


@pytest.mark.parametrize("name", ["configmaps", "count/configmaps"])
async def test_the_object_too_many_is_refused_in_kubernetes_words(api: Any, name: str) -> None:
    await make(api, "before")
    await limit(api, hard={name: "2"})
    await make(api, "a")
    with pytest.raises(ForbiddenError) as refused:
        await make(api, "b")
    assert refused.value.message == (
        f'configmaps "b" is forbidden: exceeded quota: q, requested: {name}=1, used: {name}=2, limited: {name}=2'
    )
    assert (refused.value.kind, refused.value.name) == ("configmaps", "b")


async def test_many_creates_at_once_never_overshoot(api: Any) -> None:
    await limit(api, hard={"configmaps": "7"})
    outcomes = await asyncio.gather(*(make(api, f"m{n}") for n in range(32)), return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, ForbiddenError)]
    assert len(refused) == 25
    assert len([each for each in outcomes if isinstance(each, dict)]) == 7
    await used(api, {"configmaps": "7"})


async def test_a_create_answers_when_the_status_tells_of_it(api: Any) -> None:
    await limit(api, hard={"configmaps": "3"})
    await make(api, "a")
    quota = await api.ask("get", QUOTAS, "q", "default")
    assert quota["status"] == {"hard": {"configmaps": "3"}, "used": {"configmaps": "1"}}


async def test_what_is_deleted_or_was_refused_is_free_again(api: Any) -> None:
    await limit(api, hard={"configmaps": "1"})
    await make(api, "a")
    await api.ask("delete", CONFIGMAPS, "a", "default")
    await used(api, {"configmaps": "0"})
    with pytest.raises(ApiError):
        await make(api, "not a name")
    await make(api, "b", dryRun="All")
    await make(api, "b")
    with pytest.raises(ForbiddenError):
        await make(api, "c", dryRun="All")


async def test_a_name_that_is_taken_holds_nothing(api: Any) -> None:
    await limit(api, hard={"configmaps": "2"})
    await make(api, "a")
    with pytest.raises(ApiError, match="already exists"):
        await make(api, "a")
    await make(api, "b")


async def test_raising_the_limit_counts_at_once_and_lowering_it_removes_nothing(api: Any) -> None:
    quota = await limit(api, hard={"configmaps": "1"})
    await make(api, "a")
    patch = {"spec": {"hard": {"configmaps": "2"}}}
    options = {"patch_type": "application/merge-patch+json"}
    await api.ask("patch", QUOTAS, "q", "default", body=patch, **options)
    await make(api, "b")
    patch = {"spec": {"hard": {"configmaps": "0"}}}
    quota = await api.ask("patch", QUOTAS, "q", "default", body=patch, **options)
    with pytest.raises(ForbiddenError, match="used: configmaps=2, limited: configmaps=0"):
        await make(api, "c")
    assert quota["spec"]["hard"] == {"configmaps": "0"}


async def test_custom_resources_are_counted_by_their_name(api: Any, make_crd: Any, widgets: Resource) -> None:
    definitions = Resource(
        "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
    )
    await limit(api, hard={"count/widgets.example.org": "1"})
    await api.ask("create", definitions, body=make_crd())
    body = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"generateName": "w-"}}
    await api.ask("create", widgets, namespace="default", body=body)
    with pytest.raises(ForbiddenError, match=r"widgets\.example\.org .* exceeded quota: q"):
        await api.ask("create", widgets, namespace="default", body=body)


async def test_services_and_claims_are_measured_by_what_they_say(api: Any) -> None:
    hard = {
        "services.nodeports": "1",
        "requests.storage": "3Gi",
        "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
    }
    await limit(api, hard=hard)
    spec: dict[str, Any] = {"type": "NodePort", "ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "b"}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}
    with pytest.raises(
        ForbiddenError, match=r"requested: services\.nodeports=2, used: services\.nodeports=0"
    ):
        await api.ask("create", SERVICES, namespace="default", body=body)

    async def claim(name: str, size: str, storage_class: str) -> Any:
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": size}},
        }
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}
        return await api.ask("create", CLAIMS, namespace="default", body=body)

    await claim("a", "2Gi", "plain")
    with pytest.raises(ForbiddenError, match=r"requests.storage=2Gi, used: .*requests.storage=0"):
        await claim("b", "2Gi", "gold")
    await claim("c", "1Gi", "gold")
    await used(
        api,
        {
            "services.nodeports": "0",
            "requests.storage": "3Gi",
            "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
        },
    )


async def test_claims_of_devices_are_measured_by_the_most_that_they_may_get(api: Any) -> None:
    spec = {
        "devices": {
            "requests": [
                {
                    "name": "a",
                    "exactly": {"deviceClassName": "gold", "allocationMode": "ExactCount", "count": 2},
                },
                {
                    "name": "b",
                    "firstAvailable": [
                        {"name": "x", "deviceClassName": "gold", "allocationMode": "ExactCount", "count": 1},
                        {"name": "y", "deviceClassName": "gold", "allocationMode": "ExactCount", "count": 3},
                    ],
                },
            ]
        }
    }
    names = ("gold.deviceclass.resource.k8s.io/devices", "count/resourceclaims.resource.k8s.io")
    await limit(api, hard=dict.fromkeys(names, "9"))
    claims = Resource("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim")
    body = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "c"},
        "spec": spec,
    }
    await api.ask("create", claims, namespace="default", body=body)
    await used(api, dict(zip(names, ("5", "1"), strict=True)))
    body["metadata"] = {"name": "d"}
    with pytest.raises(ForbiddenError, match="exceeded quota"):
        await api.ask("create", claims, namespace="default", body=body)


async def test_scopes_with_values_count_what_is_in_them(api: Any) -> None:
    for name, operator, values in (
        ("in", "In", ["gold", "silver"]),
        ("out", "NotIn", ["gold"]),
        ("any", "Exists", None),
    ):
        term = {"scopeName": "VolumeAttributesClass", "operator": operator, "values": values}
        selector = {"matchExpressions": [{key: value for key, value in term.items() if value is not None}]}
        await limit(api, name, hard={"persistentvolumeclaims": "5"}, scopeSelector=selector)
    for name in ("gold", "silver", "iron", ""):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        body = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name or "none"},
            "spec": {**spec, **({"volumeAttributesClassName": name} if name else {})},
        }
        await api.ask("create", CLAIMS, namespace="default", body=body)
    for name, count in (("in", "2"), ("out", "3"), ("any", "3")):
        await used(api, {"persistentvolumeclaims": count}, name)


async def test_a_pod_that_looks_at_other_namespaces_is_in_a_scope_of_its_own(api: Any) -> None:
    pods = Resource("", "v1", "pods", "Pod")
    await limit(api, hard={"pods": "0"}, scopeSelector={"matchExpressions": [
        {"scopeName": "CrossNamespacePodAffinity", "operator": "Exists"}
    ]})  # fmt: skip
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}}
    for name, extra in (("own", {}), ("others", {"namespaces": ["x"]})):
        affinity = {
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{**term, **extra}]}
        }
        spec = {"containers": [{"name": "c", "image": "i"}], "affinity": affinity}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        if extra:
            with pytest.raises(ForbiddenError, match="exceeded quota: q, requested: pods=1"):
                await api.ask("create", pods, namespace="default", body=body)
        else:
            await api.ask("create", pods, namespace="default", body=body)
