"""Patches of every type and server-side apply, through the whole write path."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from roadbed.apimachinery.errors import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnsupportedMediaTypeError,
)
from roadbed.apimachinery.request import APPLY_PATCH, JSON_PATCH, STRATEGIC_PATCH
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS
from roadbed.apis.coordination import LEASES
from roadbed.apis.core import CONFIGMAPS, NAMESPACES

BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"}}


async def apply(api: Any, body: Any, manager: str = "one", **options: str) -> Any:
    return await api.patch(
        CONFIGMAPS, "a", body, "default", patch_type=APPLY_PATCH, fieldManager=manager, **options
    )


async def test_apply_creates_and_owns_then_repeats_without_a_revision(api: Any, storage: Any) -> None:
    made = await apply(api, BODY)
    entry = made["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"]) == ("one", "Apply")
    assert entry["fieldsV1"] == {"f:data": {"f:k": {}}}
    before = storage.revision
    assert await apply(api, BODY) == made
    assert storage.revision == before


async def test_apply_without_manager_is_refused(api: Any) -> None:
    with pytest.raises(InvalidError, match="fieldManager: Required value"):
        await api.patch(CONFIGMAPS, "a", BODY, "default", patch_type=APPLY_PATCH)


async def test_a_field_of_another_manager_conflicts_until_forced(api: Any) -> None:
    await apply(api, BODY)
    other = {**BODY, "data": {"k": "w"}}
    with pytest.raises(
        ConflictError, match=r'Apply failed with 1 conflict: conflict with "one": .data.k'
    ) as caught:
        await apply(api, other, "two")
    assert caught.value.causes[0].reason == "FieldManagerConflict"
    forced = await apply(api, other, "two", force="true")
    assert forced["data"] == {"k": "w"}


async def test_a_field_no_longer_applied_goes_with_its_owner(api: Any) -> None:
    await apply(api, {**BODY, "data": {"k": "v", "gone": "soon"}})
    await apply(api, {**BODY, "data": {"other": "1"}}, "two")
    assert (await apply(api, BODY))["data"] == {"k": "v", "other": "1"}


async def test_apply_with_a_uid_for_an_absent_object_conflicts(api: Any) -> None:
    with pytest.raises(ConflictError, match="no existing object was found"):
        await apply(api, {**BODY, "metadata": {"name": "a", "uid": "1234"}})


async def test_apply_that_creates_needs_the_right_to_create(api: Any, as_user: Any, server: Any) -> None:
    check = server._core.authorizer.check

    def no_creates(user: Any, attributes: Any) -> None:
        if attributes.verb == "create":
            raise ForbiddenError("may not create")
        check(user, attributes)

    server._core.authorizer.check = no_creates
    with pytest.raises(ForbiddenError, match="may not create"):
        await apply(api, BODY)


async def test_an_update_takes_fields_from_the_applier(api: Any) -> None:
    await apply(api, BODY)
    await api.patch(CONFIGMAPS, "a", {"data": {"k": "w"}}, "default", fieldManager="editor")
    with pytest.raises(ConflictError, match='conflict with "editor"'):
        await apply(api, BODY)


async def test_status_and_spec_are_owned_apart(api: Any, make_crd: Any, widgets: Any) -> None:
    await api.create(CRDS, make_crd(subresources={"status": {}}))
    body = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "a"}}
    options = {"patch_type": APPLY_PATCH, "fieldManager": "c"}
    await api.patch(widgets, "a", {**body, "spec": {"x": 1}, "status": {"y": 1}}, "default", **options)
    both = await api.patch(
        widgets,
        "a",
        {**body, "spec": {"x": 2}, "status": {"y": 2}},
        "default",
        subresource="status",
        **options,
    )
    assert (both["spec"], both["status"]) == ({"x": 1}, {"y": 2})
    owned = {each.get("subresource", ""): each["fieldsV1"] for each in both["metadata"]["managedFields"]}
    assert owned == {
        "": {"f:spec": {".": {}, "f:x": {}}},
        "status": {"f:status": {".": {}, "f:y": {}}},
    }


async def test_labels_in_a_status_write_are_owned_but_not_stored(
    api: Any, make_crd: Any, widgets: Any
) -> None:
    """As in Kubernetes, whose strategy for the status of custom resources resets the spec only."""
    await api.create(CRDS, make_crd(subresources={"status": {}}))
    body = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "a"}}
    await api.create(widgets, {**body, "metadata": {"name": "a", "namespace": "default"}})
    reported = {"metadata": {"name": "a", "labels": {"team": "x"}}, "status": {"y": 1}}
    options = {"patch_type": APPLY_PATCH, "fieldManager": "reporter", "subresource": "status"}
    made = await api.patch(widgets, "a", {**body, **reported}, "default", **options)
    assert "labels" not in made["metadata"]
    owned = {each["manager"]: each["fieldsV1"] for each in made["metadata"]["managedFields"]}
    assert owned["reporter"] == {
        "f:metadata": {"f:labels": {"f:team": {}}},
        "f:status": {".": {}, "f:y": {}},
    }
    labels = {"metadata": {"name": "a", "labels": {"team": "y"}}}
    options = {"patch_type": APPLY_PATCH, "fieldManager": "owner"}
    with pytest.raises(ConflictError, match=r"\.metadata\.labels\.team"):
        await api.patch(widgets, "a", {**body, **labels}, "default", **options)


async def test_a_revision_in_a_patch_is_a_precondition(api: Any) -> None:
    made = await api.create(CONFIGMAPS, {**BODY, "metadata": {"name": "a", "namespace": "default"}})
    revision = made["metadata"]["resourceVersion"]
    await api.patch(
        CONFIGMAPS, "a", {"metadata": {"resourceVersion": revision}, "data": {"n": "1"}}, "default"
    )
    for wrong, error in (({"resourceVersion": revision}, ConflictError), ({"uid": "other"}, InvalidError)):
        with pytest.raises(error):
            await api.patch(CONFIGMAPS, "a", {"metadata": wrong, "data": {"n": "2"}}, "default")


async def test_a_patch_can_not_rename(api: Any) -> None:
    await api.create(CONFIGMAPS, {**BODY, "metadata": {"name": "a", "namespace": "default"}})
    with pytest.raises(BadRequestError, match="does not match the name on the URL"):
        await api.patch(CONFIGMAPS, "a", {"metadata": {"name": "b"}}, "default")


async def test_a_json_patch_that_does_not_fit_is_invalid(api: Any) -> None:
    await api.create(CONFIGMAPS, {**BODY, "metadata": {"name": "a", "namespace": "default"}})
    for operation in (
        {"op": "test", "path": "/data/k", "value": "x"},
        {"op": "remove", "path": "/data/absent"},
    ):
        with pytest.raises((InvalidError, BadRequestError)):
            await api.patch(CONFIGMAPS, "a", [operation], "default", patch_type=JSON_PATCH)


async def test_patching_an_absent_object_is_not_found(api: Any) -> None:
    with pytest.raises(NotFoundError):
        await api.patch(CONFIGMAPS, "a", {"data": {}}, "default")


async def test_strategic_merge_is_for_built_in_kinds_only(api: Any, make_crd: Any, widgets: Any) -> None:
    await api.create(CRDS, make_crd())
    await api.create(widgets, {"metadata": {"name": "a", "namespace": "default"}})
    with pytest.raises(UnsupportedMediaTypeError):
        await api.patch(widgets, "a", {"spec": {}}, "default", patch_type=STRATEGIC_PATCH)
    namespace = await api.patch(
        NAMESPACES, "default", {"metadata": {"finalizers": ["x.org/y"]}}, patch_type=STRATEGIC_PATCH
    )
    assert namespace["metadata"]["finalizers"] == ["x.org/y"]


async def test_concurrent_patches_of_one_object_all_count(api: Any) -> None:
    await api.create(CONFIGMAPS, {**BODY, "metadata": {"name": "a", "namespace": "default"}})
    patches = [api.patch(CONFIGMAPS, "a", {"data": {f"k{number}": "v"}}, "default") for number in range(20)]
    await asyncio.gather(*patches)
    assert len((await api.get(CONFIGMAPS, "a", "default"))["data"]) == 21


async def test_a_lease_is_created_by_put_and_never_overwritten_blindly(api: Any) -> None:
    lease = {
        "apiVersion": LEASES.api_version,
        "kind": "Lease",
        "metadata": {"name": "l", "namespace": "default"},
        "spec": {"holderIdentity": "me"},
    }
    made = await api.update(LEASES, lease)
    assert made["metadata"]["uid"]
    with pytest.raises(InvalidError, match="must be specified for an update"):
        await api.update(LEASES, lease)


async def test_managed_fields_are_stripped_on_request(api: Any) -> None:
    await apply(api, BODY)
    bare = await api.patch(CONFIGMAPS, "a", {"metadata": {"managedFields": [{}]}}, "default")
    assert "managedFields" not in bare["metadata"]
