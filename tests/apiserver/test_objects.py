"""What every kind does: create, read, update, delete, and what each refuses."""

from __future__ import annotations

from typing import Any

import pytest

from roadbed.apimachinery.errors import (
    AlreadyExistsError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    MethodNotAllowedError,
    NotFoundError,
)
from roadbed.apis.core import CONFIGMAPS, NAMESPACES, SECRETS


def config(name: str = "a", **members: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, **members}


async def test_a_created_object_has_system_metadata_and_reads_back_as_answered(api: Any) -> None:
    made = await api.create(CONFIGMAPS, config(data={"k": "v"}))
    assert made["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"] == "2030-01-02T03:04:05Z"
    assert int(made["metadata"]["resourceVersion"]) > 0
    assert made["data"] == {"k": "v"}
    assert await api.get(CONFIGMAPS, "a", "default") == made


async def test_a_taken_name_is_already_exists(api: Any) -> None:
    await api.create(CONFIGMAPS, config())
    with pytest.raises(AlreadyExistsError, match='configmaps "a" already exists') as caught:
        await api.create(CONFIGMAPS, config())
    assert caught.value.to_status()["details"] == {"name": "a", "kind": "configmaps"}


async def test_create_in_an_absent_namespace_is_not_found(api: Any) -> None:
    with pytest.raises(NotFoundError, match='namespaces "absent" not found'):
        await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "absent"}})


async def test_generated_names_have_five_characters(api: Any) -> None:
    made = await api.create(CONFIGMAPS, {"metadata": {"generateName": "web-", "namespace": "default"}})
    assert len(made["metadata"]["name"]) == len("web-") + 5


async def test_an_update_with_a_stale_revision_conflicts(api: Any) -> None:
    made = await api.create(CONFIGMAPS, config(data={"k": "1"}))
    changed = await api.update(CONFIGMAPS, {**made, "data": {"k": "2"}})
    assert int(changed["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    with pytest.raises(ConflictError, match="the object has been modified"):
        await api.update(CONFIGMAPS, {**made, "data": {"k": "3"}})


async def test_an_update_that_changes_nothing_makes_no_revision(api: Any) -> None:
    made = await api.create(CONFIGMAPS, config(data={"k": "1"}))
    assert await api.update(CONFIGMAPS, made) == made
    assert await api.patch(CONFIGMAPS, "a", {"data": {"k": "1"}}, "default") == made


async def test_delete_answers_success_and_the_object_is_gone(api: Any) -> None:
    made = await api.create(CONFIGMAPS, config())
    gone = await api.delete(CONFIGMAPS, "a", "default")
    assert gone["status"] == "Success"
    assert gone["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    with pytest.raises(NotFoundError, match='configmaps "a" not found'):
        await api.get(CONFIGMAPS, "a", "default")


async def test_finalizers_hold_a_deleted_object_until_the_last_is_removed(api: Any) -> None:
    await api.create(
        CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default", "finalizers": ["x.org/y"]}}
    )
    held = await api.delete(CONFIGMAPS, "a", "default")
    assert held["metadata"]["deletionTimestamp"]
    with pytest.raises(InvalidError, match="no new finalizers can be added"):
        await api.patch(CONFIGMAPS, "a", {"metadata": {"finalizers": ["x.org/y", "x.org/z"]}}, "default")
    await api.patch(CONFIGMAPS, "a", {"metadata": {"finalizers": None}}, "default")
    with pytest.raises(NotFoundError):
        await api.get(CONFIGMAPS, "a", "default")


async def test_delete_holds_to_preconditions(api: Any) -> None:
    made = await api.create(CONFIGMAPS, config())
    for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
        with pytest.raises(ConflictError, match="in the precondition"):
            await api.delete(CONFIGMAPS, "a", "default", body={"preconditions": wrong})
    await api.delete(CONFIGMAPS, "a", "default", body={"preconditions": {"uid": made["metadata"]["uid"]}})


async def test_dry_run_stores_nothing(api: Any) -> None:
    made = await api.create(CONFIGMAPS, config(), dryRun="All")
    assert made["metadata"]["name"] == "a"
    assert await api.names(CONFIGMAPS, "default") == []
    await api.create(CONFIGMAPS, config())
    await api.delete(CONFIGMAPS, "a", "default", dryRun="All")
    await api.patch(CONFIGMAPS, "a", {"data": {"k": "v"}}, "default", dryRun="All")
    assert "data" not in await api.get(CONFIGMAPS, "a", "default")
    with pytest.raises(AlreadyExistsError):
        await api.create(CONFIGMAPS, config(), dryRun="All")


async def test_a_terminating_namespace_takes_no_new_content(api: Any) -> None:
    await api.create(NAMESPACES, {"metadata": {"name": "shop"}})
    held = await api.delete(NAMESPACES, "shop")
    assert held["status"]["phase"] == "Terminating"
    with pytest.raises(ForbiddenError, match="because it is being terminated") as caught:
        await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "shop"}})
    assert caught.value.causes[0].reason == "NamespaceTerminating"


async def test_a_namespace_goes_when_its_own_finalizers_are_finalized(api: Any) -> None:
    await api.create(NAMESPACES, {"metadata": {"name": "shop"}})
    held = await api.delete(NAMESPACES, "shop")
    held["spec"]["finalizers"] = []
    await api.update(NAMESPACES, held, "finalize")
    with pytest.raises(NotFoundError):
        await api.get(NAMESPACES, "shop")


async def test_system_namespaces_exist_and_stay(api: Any) -> None:
    assert {"default", "kube-system"} <= set(await api.names(NAMESPACES))
    with pytest.raises(ForbiddenError, match="this namespace may not be deleted"):
        await api.delete(NAMESPACES, "default")


async def test_secrets_are_sealed_at_rest_and_open_in_answers(api: Any, storage: Any) -> None:
    made = await api.create(SECRETS, config(stringData={"password": "hunter2"}))
    assert made["data"] == {"password": "aHVudGVyMg=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made
    record = storage.get("/core/secrets/default/a")
    assert record.value.startswith(b"\0")
    assert b"aHVudGVyMg==" not in record.value
    assert await api.get(SECRETS, "a", "default") == made


async def test_a_secret_s_values_never_appear_in_errors(api: Any) -> None:
    faults: list[dict[str, Any]] = [
        {"data": {"password": "hunter2!"}},
        {"data": {"password": ["hunter2"]}},
        {"data": {"pass word": "aHVudGVyMg=="}},
        {"data": "hunter2"},
        {"stringData": {"pass word": "hunter2"}},
        {"stringData": {"password": ["hunter2"]}},
        {"stringData": ["hunter2"]},
    ]
    for fault in faults:
        with pytest.raises((BadRequestError, InvalidError)) as caught:
            await api.create(SECRETS, config(**fault))
        told = str(caught.value.to_status())
        assert "hunter2" not in told, told
        assert "aHVudGVyMg" not in told, told
    await api.create(SECRETS, config(stringData={"password": "hunter2"}))
    test = {"op": "test", "path": "/data/password", "value": "other"}
    with pytest.raises((BadRequestError, InvalidError)) as caught:
        await api.patch(SECRETS, "a", [test], "default", patch_type="application/json-patch+json")
    assert "aHVudGVyMg" not in str(caught.value.to_status())


async def test_deletecollection_deletes_what_the_selector_names(api: Any) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        meta = {"name": name, "namespace": "default", "labels": {"l": label}}
        await api.create(CONFIGMAPS, {"metadata": meta})
    await api.ask("deletecollection", CONFIGMAPS, namespace="default", options={"labelSelector": "l=x"})
    assert await api.names(CONFIGMAPS, "default") == ["c"]


async def test_names_in_body_and_address_must_agree(api: Any) -> None:
    made = await api.create(CONFIGMAPS, config())
    with pytest.raises(BadRequestError, match="does not match the name on the URL"):
        await api.ask("update", CONFIGMAPS, "b", "default", body=made)
    with pytest.raises(BadRequestError, match="namespace of the provided object does not match"):
        await api.ask("create", CONFIGMAPS, namespace="kube-system", body=made)


async def test_a_nameless_object_is_invalid(api: Any) -> None:
    with pytest.raises(
        InvalidError, match=r"metadata.name: Required value: name or generateName is required"
    ):
        await api.create(CONFIGMAPS, {"metadata": {"namespace": "default"}})


async def test_unknown_resources_and_verbs_are_refused_as_such(api: Any, widgets: Any) -> None:
    with pytest.raises(NotFoundError, match="could not find the requested resource"):
        await api.get(widgets, "a", "default")
    with pytest.raises(MethodNotAllowedError):
        await api.ask("deletecollection", NAMESPACES)


async def test_immutable_configmaps_and_secret_types_stay(api: Any) -> None:
    await api.create(CONFIGMAPS, config(data={"k": "v"}, immutable=True))
    with pytest.raises(InvalidError, match="field is immutable when `immutable` is set"):
        await api.patch(CONFIGMAPS, "a", {"data": {"k": "w"}}, "default")
    await api.create(SECRETS, config())
    with pytest.raises(InvalidError, match="field is immutable"):
        await api.patch(SECRETS, "a", {"type": "other"}, "default")
