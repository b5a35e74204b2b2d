"""Objects of several versions: shown in the version that is asked for, stored in the one that the CRD names."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.gvk import Resource
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS

HOME = "/example.org/widgets/"
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def version(name: str, *, storage: bool = False, **members: Any) -> dict[str, Any]:
    schema = members.pop("schema", {**OPEN, "description": name})
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": schema},
        **members,
    }


def widget(name: str = "a", **members: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, **members}


def converting(path: str, review: dict[str, Any]) -> dict[str, Any]:
    """Keep v1's ``size: "2cm"`` as v2's ``length: {value: 2, unit: cm}`` and back."""
    del path
    wanted = review["request"]["desiredAPIVersion"]
    converted = []
    for obj in review["request"]["objects"]:
        found = {**obj, "apiVersion": wanted}
        if wanted.endswith("/v2") and "size" in found:
            text = found.pop("size")
            found["length"] = {"value": int(text[:-2]), "unit": text[-2:]}
        elif wanted.endswith("/v1") and "length" in found:
            length = found.pop("length")
            found["size"] = f"{length['value']}{length['unit']}"
        converted.append(found)
    return answered(review, converted)


def answered(review: dict[str, Any], converted: list[Any], **response: Any) -> dict[str, Any]:
    body = {"uid": review["request"]["uid"], "convertedObjects": converted, "result": {"status": "Success"}}
    return {"kind": review["kind"], "apiVersion": review["apiVersion"], "response": {**body, **response}}


@pytest.fixture
def define(api: Any, make_crd: Any, webhook: Any) -> Callable[..., Awaitable[Any]]:
    """Creates the definition of widgets with v1 (stored) and v2, converted by the webhook."""

    async def make(*versions: dict[str, Any]) -> Any:
        webhook.answer = converting
        crd = make_crd()
        crd["spec"]["versions"] = list(versions) or [version("v1", storage=True), version("v2")]
        client = {"conversionReviewVersions": ["v1"], "clientConfig": webhook.config("/convert")}
        crd["spec"]["conversion"] = {"strategy": "Webhook", "webhook": client}
        return await api.create(CRDS, crd)

    return make


async def test_both_versions_are_read_written_and_stored_as_the_definition_says(
    api: Any, define: Any, widgets_in: Any, storage: Any
) -> None:
    await define()
    v1, v2 = widgets_in("v1"), widgets_in("v2")
    await api.create(v1, widget("a", size="2cm"))
    seen = await api.get(v2, "a", "default")
    assert (seen["apiVersion"], seen["length"]) == ("example.org/v2", {"value": 2, "unit": "cm"})
    made = await api.create(v2, widget("b", length={"value": 3, "unit": "mm"}))
    assert (made["apiVersion"], made["length"]["value"]) == ("example.org/v2", 3)
    assert (await api.get(v1, "b", "default"))["size"] == "3mm"
    stored = orjson.loads(storage.get(f"{HOME}default/b").value)
    assert (stored["apiVersion"], stored["size"]) == ("example.org/v1", "3mm")
    changed = await api.update(v2, {**seen, "length": {"value": 9, "unit": "cm"}})
    assert changed["metadata"]["generation"] == 2
    assert (await api.get(v1, "a", "default"))["size"] == "9cm"
    patched = await api.patch(v2, "a", {"length": {"unit": "mm"}}, "default")
    assert patched["length"] == {"value": 9, "unit": "mm"}
    assert (await api.delete(v2, "a", "default"))["status"] == "Success"


async def test_lists_ask_once_for_all_objects_and_remember(
    api: Any, define: Any, widgets_in: Any, webhook: Any
) -> None:
    await define()
    for number in range(5):
        await api.create(widgets_in("v1"), widget(f"w{number}", size=f"{number}cm"))
    webhook.asked.clear()
    page = await api.page(widgets_in("v2"), "default")
    assert [orjson.loads(item)["length"]["value"] for item in page.items] == [0, 1, 2, 3, 4]
    assert [len(review["request"]["objects"]) for _, review in webhook.asked] == [5]
    await api.page(widgets_in("v2"), "default", limit="2")
    await api.page(widgets_in("v1"), "default")
    assert len(webhook.asked) == 1


async def test_watches_tell_every_change_in_their_version(api: Any, define: Any, widgets_in: Any) -> None:
    await define()
    v1, v2 = widgets_in("v1"), widgets_in("v2")
    await api.create(v1, widget("a", size="1cm"))
    async with asyncio.timeout(2):
        watching = asyncio.ensure_future(api.events(v2, 3, "default"))
        await asyncio.sleep(0)
        await api.patch(v1, "a", {"size": "4cm"}, "default")
        await api.delete(v1, "a", "default")
        events = await watching
    assert [(kind, obj["apiVersion"], obj["length"]["value"]) for kind, obj in events] == [
        ("ADDED", "example.org/v2", 1),
        ("MODIFIED", "example.org/v2", 4),
        ("DELETED", "example.org/v2", 4),
    ]


async def test_selections_are_made_of_what_a_version_shows(api: Any, define: Any, widgets_in: Any) -> None:
    """The same field has another name in each version; lists, watches and deletions go by the asked one's."""
    text = {"type": "string"}
    await define(
        version(
            "v1",
            storage=True,
            schema={**OPEN, "properties": {"size": text}},
            selectableFields=[{"jsonPath": ".size"}],
        ),
        version(
            "v2",
            schema={
                **OPEN,
                "properties": {
                    "length": {
                        "type": "object",
                        "properties": {"unit": text},
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            },
            selectableFields=[{"jsonPath": ".length.unit"}],
        ),
    )
    v1, v2 = widgets_in("v1"), widgets_in("v2")
    for name, size in (("a", "1cm"), ("b", "2cm"), ("c", "3mm")):
        await api.create(v1, widget(name, size=size))
    page = await api.page(v2, "default", fieldSelector="length.unit=cm")
    assert [orjson.loads(item)["metadata"]["name"] for item in page.items] == ["a", "b"]
    with pytest.raises(ApiError, match="field label not supported: size"):
        await api.page(v2, "default", fieldSelector="size=1cm")
    async with asyncio.timeout(2):
        watching = asyncio.ensure_future(api.events(v2, 6, "default", fieldSelector="length.unit=cm"))
        await asyncio.sleep(0)
        await api.patch(v1, "a", {"size": "4mm"}, "default")
        await api.patch(v1, "c", {"size": "5cm"}, "default")
        await api.patch(v1, "a", {"size": "5mm"}, "default")
        await api.patch(v1, "b", {"size": "6cm"}, "default")
        await api.delete(v1, "b", "default")
        events = await watching
    assert [(kind, obj["metadata"]["name"], obj["length"]) for kind, obj in events] == [
        ("ADDED", "a", {"value": 1, "unit": "cm"}),
        ("ADDED", "b", {"value": 2, "unit": "cm"}),
        ("DELETED", "a", {"value": 1, "unit": "cm"}),
        ("ADDED", "c", {"value": 5, "unit": "cm"}),
        ("MODIFIED", "b", {"value": 6, "unit": "cm"}),
        ("DELETED", "b", {"value": 6, "unit": "cm"}),
    ]
    await api.answer("deletecollection", v2, "", "default", options={"fieldSelector": "length.unit=cm"})
    assert [orjson.loads(item)["size"] for item in (await api.page(v1, "default")).items] == ["5mm"]


async def test_defaults_and_pruning_are_the_stored_versions_around_the_webhook(
    api: Any, define: Any, widgets_in: Any, storage: Any
) -> None:
    """What is written gets its own version's defaults, what is read the stored version's, and both are pruned."""

    def schema(default: str) -> dict[str, Any]:
        known = {name: {"type": "string"} for name in ("size", "v1", "v2")}
        known[default] = {"type": "string", "default": default}
        length = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        return {"type": "object", "properties": {**known, "length": length}}

    await define(version("v1", storage=True, schema=schema("v1")), version("v2", schema=schema("v2")))
    v1, v2 = widgets_in("v1"), widgets_in("v2")
    made = await api.create(v2, widget("a", length={"value": 1, "unit": "cm"}, extra="pruned"))
    assert (made["v1"], made["v2"], "extra" in made) == ("v1", "v2", False)
    stored = orjson.loads(storage.get(f"{HOME}default/a").value)
    assert ("v1" in stored, stored["v2"]) == (False, "v2"), (
        "only what a request says, or its defaults, is stored"
    )
    await api.create(v1, widget("b", size="1cm"))
    assert "v2" not in await api.get(v2, "b", "default"), (
        "defaults of the version asked for come with writes only"
    )
    assert [orjson.loads(item).get("v1") for item in (await api.page(v2, "default")).items] == ["v1", "v1"]


async def test_apply_works_through_any_version(api: Any, define: Any, widgets_in: Any) -> None:
    await define()
    v1, v2 = widgets_in("v1"), widgets_in("v2")
    body = {
        "apiVersion": "example.org/v2",
        "kind": "Widget",
        **widget("a", length={"value": 1, "unit": "cm"}),
    }
    apply = "application/apply-patch+yaml"
    made = await api.patch(v2, "a", body, "default", patch_type=apply, fieldManager="me")
    assert made["metadata"]["managedFields"][0]["apiVersion"] == "example.org/v2"
    body["length"]["value"] = 2
    await api.patch(v2, "a", body, "default", patch_type=apply, fieldManager="me")
    seen = await api.get(v1, "a", "default")
    assert seen["size"] == "2cm"
    assert [(each["manager"], each["apiVersion"]) for each in seen["metadata"]["managedFields"]] == [
        ("me", "example.org/v2")
    ]


async def test_labels_are_the_webhooks_and_other_metadata_is_kept(
    api: Any, define: Any, widgets_in: Any, webhook: Any
) -> None:
    await define()
    made = await api.create(widgets_in("v1"), widget("a", size="1cm"))

    def marking(path: str, review: dict[str, Any]) -> dict[str, Any]:
        answer = converting(path, review)
        for each in answer["response"]["convertedObjects"]:
            each["metadata"] = {**each["metadata"], "labels": {"by": "hook"}, "finalizers": ["x/y"]}
        return answer

    webhook.answer = marking
    seen = await api.get(widgets_in("v2"), "a", "default")
    assert seen["metadata"]["labels"] == {"by": "hook"}
    assert "finalizers" not in seen["metadata"]
    assert seen["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def _with_object(**change: Any) -> Callable[[str, Any], Any]:
    def answer(path: str, review: dict[str, Any]) -> dict[str, Any]:
        found = converting(path, review)
        (obj,) = found["response"]["convertedObjects"]
        obj.update({name: value for name, value in change.items() if name != "metadata"})
        obj["metadata"] = {**obj["metadata"], **change.get("metadata", {})}
        return found

    return answer


WHOSE = "conversion webhook for example.org/v1, Kind=Widget "


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            lambda _path, review: answered(review, [], uid="other"),
            r'failed: expected response.uid=".*", got "other"',
        ),
        (lambda _path, review: answered(review, []), "returned 0 objects, expected 1"),
        (
            lambda _path, review: answered(review, [], result={"status": "Failure", "message": "no idea"}),
            "failed: no idea$",
        ),
        (
            lambda _path, review: answered(review, [], result={}),
            "failed: response.result.status was '', not 'Success'",
        ),
        (
            lambda _path, review: {"kind": review["kind"], "apiVersion": review["apiVersion"]},
            "failed: no response provided",
        ),
        (
            lambda _path, _review: {"kind": "Pod", "apiVersion": "v1"},
            "failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got v1, Kind=Pod",
        ),
        (
            _with_object(apiVersion="example.org/v9"),
            r"returned invalid object: invalid groupVersion \(expected example.org/v2, received example.org/v9\)",
        ),
        (
            _with_object(kind="Gadget"),
            r"returned invalid object: invalid kind \(expected Widget, received Gadget\)",
        ),
        (
            _with_object(metadata={"name": "b"}),
            "returned invalid object: must have the same name: a != b",
        ),
        (
            _with_object(metadata={"uid": "0"}),
            "returned invalid object: must have the same UID: .* != 0",
        ),
        (
            _with_object(metadata={"labels": {"x": 1}}),
            r"returned invalid metadata: metadata.labels\[x\] must be a string, but is int64 in converted object",
        ),
        (
            _with_object(metadata={"labels": {"-": "x"}}),
            'returned invalid metadata: metadata.labels: Invalid value: "-": name part must consist of',
        ),
        (lambda _path, _review: b"HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\nnope", "failed: an error on the server"),
    ],
)  # fmt: skip
async def test_a_wrong_answer_fails_the_request_and_says_why(
    api: Any, define: Any, widgets_in: Any, webhook: Any, answer: Any, told: str
) -> None:
    await define()
    await api.create(widgets_in("v1"), widget("a", size="1cm"))
    webhook.answer = answer
    with pytest.raises(ApiError, match=WHOSE + told) as caught:
        await api.get(widgets_in("v2"), "a", "default")
    assert caught.value.code == 500
    assert (await api.get(widgets_in("v1"), "a", "default"))["size"] == "1cm"


async def test_a_webhook_that_is_down_leaves_the_stored_version_alone(
    api: Any, define: Any, widgets_in: Any, webhook: Any, storage: Any
) -> None:
    await define()
    webhook.answer = lambda _path, _review: b""
    with pytest.raises(ApiError, match=r"conversion webhook for example.org/v2, Kind=Widget failed: "):
        webhook.answer = lambda _path, _review: b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"
        await api.create(widgets_in("v2"), widget("a", length={"value": 1, "unit": "cm"}))
    assert storage.get(f"{HOME}default/a") is None
    assert (await api.create(widgets_in("v1"), widget("a", size="1cm")))["size"] == "1cm"


async def test_a_moved_storage_version_converts_what_is_written_next(
    api: Any, define: Any, widgets_in: Any, storage: Any
) -> None:
    """The migration of stored objects: write each as it is, then forget the old version."""
    crd = await define()
    v1, v2 = widgets_in("v1"), widgets_in("v2")
    await api.create(v1, widget("a", size="5cm"))
    crd = await api.get(CRDS, crd["metadata"]["name"])
    crd["spec"]["versions"] = [version("v1"), version("v2", storage=True)]
    crd = await api.update(CRDS, crd)
    assert crd["status"]["storedVersions"] == ["v1", "v2"]
    assert orjson.loads(storage.get(f"{HOME}default/a").value)["apiVersion"] == "example.org/v1"
    before = (await api.get(v2, "a", "default"))["metadata"]["resourceVersion"]
    same = await api.update(v1, await api.get(v1, "a", "default"))
    assert same["metadata"]["resourceVersion"] != before
    stored = orjson.loads(storage.get(f"{HOME}default/a").value)
    assert (stored["apiVersion"], stored["length"]["value"]) == ("example.org/v2", 5)
    crd["status"]["storedVersions"] = ["v2"]
    crd = await api.update(CRDS, crd, "status")
    crd["spec"]["versions"] = [version("v2", storage=True)]
    assert (await api.update(CRDS, crd))["status"]["storedVersions"] == ["v2"]


async def test_without_conversion_versions_differ_in_name_and_schema_only(
    api: Any, make_crd: Any, widgets_in: Any, storage: Any
) -> None:
    first = {"type": "object", "properties": {"a": {"type": "string"}, "both": {"type": "string"}}}
    second = {
        "type": "object",
        "properties": {"b": {"type": "string", "default": "x"}, "both": {"type": "string"}},
    }
    crd = make_crd()
    crd["spec"]["versions"] = [version("v1", storage=True, schema=first), version("v2", schema=second)]
    await api.create(CRDS, crd)
    await api.create(widgets_in("v1"), widget("o", a="1", both="2"))
    seen = await api.get(widgets_in("v2"), "o", "default")
    assert {name: value for name, value in seen.items() if name != "metadata"} == {
        "apiVersion": "example.org/v2", "kind": "Widget", "both": "2",
    }, "defaults of another version than is stored come with its requests only"  # fmt: skip
    assert (await api.get(widgets_in("v1"), "o", "default"))["a"] == "1"
    crd = await api.get(CRDS, "widgets.example.org")
    crd["spec"]["versions"][0]["storage"], crd["spec"]["versions"][1]["storage"] = False, True
    await api.update(CRDS, crd)
    await api.update(widgets_in("v1"), await api.get(widgets_in("v1"), "o", "default"))
    assert orjson.loads(storage.get(f"{HOME}default/o").value)["apiVersion"] == "example.org/v2"
    assert (await api.get(widgets_in("v2"), "o", "default"))["b"] == "x"


async def test_a_field_that_left_the_schema_is_no_longer_shown(api: Any, make_crd: Any, widgets: Any) -> None:
    wide = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    narrow = {"type": "object", "properties": {"a": {"type": "string"}}}
    await api.create(CRDS, make_crd(schema=wide))
    await api.create(widgets, widget("o", a="1", b="2"))
    crd = await api.get(CRDS, "widgets.example.org")
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = narrow
    await api.update(CRDS, crd)
    assert "b" not in await api.get(widgets, "o", "default")


async def test_a_webhook_that_wants_another_version_is_shown_it_converted(
    api: Any, define: Any, widgets_in: Any, webhook: Any
) -> None:
    await define()
    asked: list[Any] = []
    patch = [{"op": "replace", "path": "/length/value", "value": 7}]

    def answering(path: str, review: dict[str, Any]) -> dict[str, Any]:
        if review["kind"] == "ConversionReview":
            return converting(path, review)
        asked.append(review["request"])
        encoded = base64.b64encode(orjson.dumps(patch)).decode()
        response = {
            "uid": review["request"]["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": encoded,
        }
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

    webhook.answer = answering
    group = "admissionregistration.k8s.io"
    kind = "MutatingWebhookConfiguration"
    rule = {
        "operations": ["*"],
        "apiGroups": ["example.org"],
        "apiVersions": ["v2"],
        "resources": ["widgets"],
    }
    hook = {
        "name": "lengths.example.org",
        "clientConfig": webhook.config("/lengths"),
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    hooks = Resource(group, "v1", f"{kind.lower()}s", kind, namespaced=False)
    await api.create(hooks, {"metadata": {"name": "lengths"}, "webhooks": [hook]})
    made = await api.create(widgets_in("v1"), widget("a", size="2cm"))
    assert asked[0]["kind"]["version"] == "v2"
    assert asked[0]["requestKind"]["version"] == "v1"
    assert asked[0]["object"]["length"] == {"value": 2, "unit": "cm"}
    assert made["size"] == "7cm"
