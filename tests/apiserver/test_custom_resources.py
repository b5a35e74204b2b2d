"""CustomResourceDefinitions: served when stored, changed under live objects, cleaned up when deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from roadbed.apimachinery.errors import ForbiddenError, InvalidError, NotFoundError
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS
from roadbed.apis.rbac import ROLEBINDINGS
from roadbed.apiserver import ApiServer


def widget(name: str = "a", **members: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, **members}


SPEC = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "string", "enum": ["small", "large"]},
                "color": {"type": "string", "default": "red"},
                "replicas": {"type": "integer", "minimum": 0},
            },
        },
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    },
}


async def test_a_stored_definition_is_established_and_served_at_once(
    api: Any, make_crd: Any, widgets: Any
) -> None:
    crd = await api.create(CRDS, make_crd())
    conditions = {each["type"]: each["status"] for each in crd["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert crd["status"]["storedVersions"] == ["v1"]
    assert crd["spec"]["names"] == {
        "plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList",
    }  # fmt: skip
    assert any(each.plural == "widgets" for each in await api.transport.discover())
    made = await api.create(widgets, widget(spec={"anything": 1}))
    assert made["spec"] == {"anything": 1}
    assert made["metadata"]["generation"] == 1


async def test_objects_are_pruned_defaulted_and_validated(api: Any, make_crd: Any, widgets: Any) -> None:
    await api.create(CRDS, make_crd(schema=SPEC))
    made = await api.create(widgets, widget(spec={"size": "small", "typo": 1}))
    assert made["spec"] == {"size": "small", "color": "red"}
    with pytest.raises(InvalidError) as caught:
        await api.create(widgets, widget("b", spec={"size": "huge"}))
    assert caught.value.message == (
        'Widget.example.org "b" is invalid: spec.size: Unsupported value: "huge": supported values: "small", "large"'
    )
    with pytest.raises(InvalidError, match=r"spec.size: Required value"):
        await api.create(widgets, widget("b", spec={}))


async def test_unknown_fields_are_warned_of_or_refused_as_asked(
    api: Any, make_crd: Any, widgets: Any
) -> None:
    await api.create(CRDS, make_crd(schema=SPEC))
    body = {"apiVersion": "example.org/v1", "kind": "Widget", **widget(spec={"size": "small", "typo": 1})}
    answer = await api.answer("create", widgets, namespace="default", body=body, options={"dryRun": "All"})
    assert answer.warnings == ('unknown field "spec.typo"',)
    with pytest.raises(Exception, match=r'strict decoding error: unknown field "spec.typo"'):
        await api.create(widgets, body, fieldValidation="Strict")


async def test_generation_grows_with_spec_only_and_status_is_apart(
    api: Any, make_crd: Any, widgets: Any
) -> None:
    await api.create(CRDS, make_crd(schema=SPEC, subresources={"status": {}}))
    made = await api.create(widgets, widget(spec={"size": "small"}, status={"ready": True}))
    assert "status" not in made
    seen = await api.update(widgets, {**made, "spec": {"size": "large"}, "status": {"ready": True}}, "status")
    assert seen["status"] == {"ready": True}
    assert seen["spec"]["size"] == "small"
    assert seen["metadata"]["generation"] == 1
    changed = await api.patch(
        widgets, "a", {"spec": {"size": "large"}, "status": {"ready": False}}, "default"
    )
    assert changed["metadata"]["generation"] == 2
    assert changed["status"] == {"ready": True}
    labelled = await api.patch(widgets, "a", {"metadata": {"labels": {"x": "y"}}}, "default")
    assert labelled["metadata"]["generation"] == 2


async def test_an_update_without_revision_is_invalid(api: Any, make_crd: Any, widgets: Any) -> None:
    await api.create(CRDS, make_crd())
    made = await api.create(widgets, widget())
    del made["metadata"]["resourceVersion"]
    with pytest.raises(
        InvalidError, match=r"metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    ):
        await api.update(widgets, made)


async def test_a_schema_that_is_not_structural_is_refused_with_its_path(api: Any, make_crd: Any) -> None:
    with pytest.raises(InvalidError, match=r"spec.validation.openAPIV3Schema.properties\[spec\].type"):
        await api.create(
            CRDS, make_crd(schema={"type": "object", "properties": {"spec": {"properties": {}}}})
        )


async def test_new_defaults_show_on_stored_objects(api: Any, make_crd: Any, widgets: Any) -> None:
    crd = await api.create(CRDS, make_crd(schema=SPEC))
    await api.create(widgets, widget(spec={"size": "small"}))
    schema = orjson.loads(orjson.dumps(SPEC))
    schema["properties"]["spec"]["properties"]["replicas"]["default"] = 3
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
    await api.update(CRDS, crd)
    assert (await api.get(widgets, "a", "default"))["spec"]["replicas"] == 3


async def test_every_served_version_shows_every_object(
    api: Any, make_crd: Any, widgets: Any, widgets_in: Any
) -> None:
    crd = make_crd()
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v1beta1", "storage": False})
    await api.create(CRDS, crd)
    await api.create(widgets_in("v1beta1"), widget(spec={"x": 1}))
    made = await api.get(widgets, "a", "default")
    assert made["apiVersion"] == "example.org/v1"
    assert (await api.get(widgets_in("v1beta1"), "a", "default"))["apiVersion"] == "example.org/v1beta1"
    assert [made["metadata"]["name"]] == await api.names(widgets_in("v1beta1"), "default")


async def test_a_deprecated_version_warns_its_users(api: Any, make_crd: Any, widgets: Any) -> None:
    await api.create(CRDS, make_crd(deprecated=True))
    await api.create(widgets, widget())
    answer = await api.answer("get", widgets, "a", "default")
    assert answer.warnings == ("example.org/v1 Widget is deprecated",)


async def test_a_deleted_definition_takes_its_objects_along(
    api: Any, make_crd: Any, widgets: Any, storage: Any
) -> None:
    await api.create(CRDS, make_crd())
    await api.create(widgets, widget())
    held = await api.delete(CRDS, "widgets.example.org")
    assert held["metadata"]["deletionTimestamp"]
    async with asyncio.timeout(1):
        while storage.get("/apiextensions.k8s.io/customresourcedefinitions/widgets.example.org"):
            await asyncio.sleep(0)
    assert storage.scan("/example.org/widgets/") == []
    with pytest.raises(NotFoundError, match="could not find the requested resource"):
        await api.get(widgets, "a", "default")


async def test_a_definition_waits_for_finalizers_of_its_objects(
    api: Any, make_crd: Any, widgets: Any, storage: Any
) -> None:
    await api.create(CRDS, make_crd())
    await api.create(widgets, {"metadata": {"name": "a", "namespace": "default", "finalizers": ["x.org/y"]}})
    await api.delete(CRDS, "widgets.example.org")
    async with asyncio.timeout(1):
        while not (await api.get(widgets, "a", "default"))["metadata"].get("deletionTimestamp"):
            await asyncio.sleep(0)
    with pytest.raises(
        ForbiddenError, match="create not allowed while custom resource definition is terminating"
    ):
        await api.create(widgets, widget("b"))
    await api.patch(widgets, "a", {"metadata": {"finalizers": None}}, "default")
    async with asyncio.timeout(1):
        while storage.get("/apiextensions.k8s.io/customresourcedefinitions/widgets.example.org"):
            await asyncio.sleep(0)


async def test_definitions_survive_a_restart(
    api: Any, make_crd: Any, widgets: Any, server: ApiServer, storage: Any
) -> None:
    await api.create(CRDS, make_crd(schema=SPEC))
    await api.create(widgets, widget(spec={"size": "small"}))
    await server.stop()
    again = ApiServer(
        storage,
        authenticator=server._authenticator,
        authorizer=server._core.authorizer,
        sealer=server._core.store._sealer,
        clock=server._core.clock,
    )
    await again.start()
    try:
        api.transport = again.local(api.transport._user)
        assert (await api.get(widgets, "a", "default"))["spec"]["color"] == "red"
    finally:
        await again.stop()


async def test_taken_names_are_not_accepted_and_not_served(api: Any, make_crd: Any) -> None:
    await api.create(CRDS, make_crd())
    other = make_crd("gadgets")
    other["spec"]["names"]["kind"] = "Widget"
    crd = await api.create(CRDS, other)
    conditions = {each["type"]: each for each in crd["status"]["conditions"]}
    assert conditions["NamesAccepted"]["message"] == '"WidgetList" is already in use'
    assert conditions["Established"]["status"] == "False"
    assert not any(each.plural == "gadgets" for each in await api.transport.discover())


async def test_a_definition_never_takes_the_place_of_a_built_in_kind(
    api: Any, make_crd: Any, storage: Any
) -> None:
    """Or who may write definitions could replace the very objects that say who may do what."""
    rolebinding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "a", "namespace": "default"},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
    }
    await api.create(ROLEBINDINGS, rolebinding)
    crd = make_crd("rolebindings", group="rbac.authorization.k8s.io")
    crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, for a test"}
    made = await api.create(CRDS, crd)
    conditions = {each["type"]: each for each in made["status"]["conditions"]}
    assert conditions["NamesAccepted"]["reason"] == "SingularConflict"
    assert conditions["Established"]["status"] == "False"
    assert (await api.get(ROLEBINDINGS, "a", "default"))["roleRef"]["name"] == "view"
    await api.delete(CRDS, crd["metadata"]["name"])
    async with asyncio.timeout(1):
        while storage.get(f"/apiextensions.k8s.io/customresourcedefinitions/{crd['metadata']['name']}"):
            await asyncio.sleep(0)
    assert (await api.get(ROLEBINDINGS, "a", "default"))["roleRef"]["name"] == "view"


@pytest.mark.parametrize(
    ("group", "approved", "said"),
    [
        ("x.k8s.io", None, "Required value: protected groups must have approval annotation"),
        ("x.kubernetes.io", None, "Required value: protected groups must have approval annotation"),
        ("x.k8s.io", "yes", 'Invalid value: "yes": protected groups must have approval annotation'),
        ("x.k8s.io", "unapproved, experimental", ""),
        ("x.k8s.io", "https://github.com/kubernetes/kubernetes/pull/78458", ""),
        ("notk8s.io", None, ""),
    ],
)
async def test_groups_of_kubernetes_take_an_approval(
    api: Any, make_crd: Any, group: str, approved: str | None, said: str
) -> None:
    crd = make_crd(group=group)
    if approved is not None:
        crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": approved}
    if not said:
        assert await api.create(CRDS, crd)
        return
    with pytest.raises(InvalidError) as caught:
        await api.create(CRDS, crd)
    assert f"metadata.annotations[api-approved.kubernetes.io]: {said}" in caught.value.message
