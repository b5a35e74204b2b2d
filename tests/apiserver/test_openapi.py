"""OpenAPI v3 as clients use it: an index with hashes, documents that stand alone, no needless bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from roadbed.apimachinery.gvk import Resource
from roadbed.apis.kubernetes import SERVED, load
from roadbed.apiserver.messages import message_class
from roadbed.apiserver.openapi import Document, OpenApi, Published
from roadbed.apiserver.openapi.swagger import ASKED_TYPE

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
DATABASES = Resource(
    "platform.example.org", "v1alpha1", "databases", "Database", verbs=VERBS, subresources=("status",)
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"size": {"type": "string"}}}},
}
PLAN = Resource("review.roadbed.dev", "v1alpha1", "plans", "Plan", namespaced=False, verbs=("create",))


class Registry:
    def __init__(self) -> None:
        self.generation = 1
        self.kinds = [
            *(Published(resource) for resource in SERVED),
            Published(DATABASES, SCHEMA),
            Published(PLAN),
        ]

    def published(self) -> Iterable[Published]:
        return self.kinds

    def replace(self, schema: dict[str, Any]) -> None:
        self.kinds = [
            Published(DATABASES, schema) if kind.resource is DATABASES else kind for kind in self.kinds
        ]
        self.generation += 1


@pytest.fixture
def registry() -> Registry:
    return Registry()


def index(openapi: OpenApi) -> dict[str, str]:
    return {
        name: entry["serverRelativeURL"]
        for name, entry in content(openapi.get("/openapi/v3"))["paths"].items()
    }


def content(document: Document | None) -> dict[str, Any]:
    assert document is not None
    assert document.status == 200
    assert document.headers["Content-Type"] == "application/json"
    loaded: dict[str, Any] = orjson.loads(document.body)
    return loaded


def test_the_index_names_every_group_version_with_its_hash(registry: Registry) -> None:
    found = index(OpenApi(registry))
    assert {"api/v1", "apis/apiextensions.k8s.io/v1", "apis/platform.example.org/v1alpha1"} <= set(found)
    assert {".well-known/openid-configuration", "api", "apis", "apis/apps", "openid/v1/jwks"} <= set(found)
    assert "apis/platform.example.org" not in found  # only built-in groups have a document, as in Kubernetes
    assert found["api/v1"].startswith("/openapi/v3/api/v1?hash=")


@pytest.mark.parametrize("resource", [*SERVED, DATABASES, PLAN], ids=lambda resource: resource.qualified)
def test_every_kind_is_found_by_group_version_kind_in_a_document_that_stands_alone(
    registry: Registry, resource: Resource
) -> None:
    name = f"apis/{resource.api_version}" if resource.group else f"api/{resource.api_version}"
    document = content(OpenApi(registry).get(f"/openapi/v3/{name}"))
    wanted = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    schemas = document["components"]["schemas"]
    assert (
        sum(wanted in schema.get("x-kubernetes-group-version-kind", ()) for schema in schemas.values()) == 1
    )
    for operation in (each for path in document["paths"].values() for each in path.values()):
        # Go leaves out empty lists, so that the document would be another once it is read and written.
        assert not isinstance(operation, dict) or operation.get("parameters") != []
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas
    if "create" not in resource.verbs:
        return
    (post,) = (
        path["post"]
        for path in document["paths"].values()
        if "post" in path and path["post"]["x-kubernetes-group-version-kind"] == wanted
    )
    assert {"dryRun", "fieldValidation", "fieldManager"} <= {each["name"] for each in post["parameters"]}


def references(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)


def test_a_custom_kind_has_its_schema_and_the_members_of_every_object(registry: Registry) -> None:
    document = content(OpenApi(registry).get("/openapi/v3/apis/platform.example.org/v1alpha1"))
    schema = document["components"]["schemas"]["org.example.platform.v1alpha1.Database"]
    assert set(schema["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    assert schema["properties"]["spec"] == SCHEMA["properties"]["spec"]


def test_enumerations_are_told_in_both_versions(registry: Registry) -> None:
    """Objects are not held to them: kinds judge themselves, in Kubernetes' words."""
    openapi = OpenApi(registry)
    told = content(openapi.get("/openapi/v3/api/v1"))["components"]["schemas"][
        "io.k8s.api.core.v1.ServiceSpec"
    ]
    known = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
    assert told["properties"]["type"]["enum"] == known
    assert told["properties"]["ipFamilies"]["items"]["enum"] == ["", "IPv4", "IPv6"]
    v2 = content(openapi.get("/openapi/v2", accept="application/json"))["definitions"]
    assert v2["io.k8s.api.core.v1.ServiceSpec"]["properties"]["type"]["enum"] == known
    assert "enum" not in load().definitions["io.k8s.api.core.v1.ServiceSpec"]["properties"]["type"]


def test_strategic_merge_is_offered_for_built_in_kinds_only(registry: Registry) -> None:
    openapi = OpenApi(registry)
    strategic = "application/strategic-merge-patch+json"
    core = content(openapi.get("/openapi/v3/api/v1"))["paths"][
        "/api/v1/namespaces/{namespace}/configmaps/{name}"
    ]
    custom = content(openapi.get("/openapi/v3/apis/platform.example.org/v1alpha1"))["paths"]
    one = custom["/apis/platform.example.org/v1alpha1/namespaces/{namespace}/databases/{name}"]
    assert strategic in core["patch"]["requestBody"]["content"]
    assert strategic not in one["patch"]["requestBody"]["content"]
    assert "application/apply-patch+yaml" in one["patch"]["requestBody"]["content"]


def test_a_document_is_not_sent_twice(registry: Registry) -> None:
    openapi = OpenApi(registry)
    for path in ("/openapi/v3", "/openapi/v3/api/v1"):
        first = openapi.get(path)
        assert first is not None
        again = openapi.get(path, if_none_match=f'"other", {first.headers["ETag"]}')
        assert again is not None
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])


def test_the_right_hash_lasts_and_a_stale_one_is_sent_on(registry: Registry) -> None:
    openapi = OpenApi(registry)
    url = index(openapi)["api/v1"]
    lasting = openapi.get("/openapi/v3/api/v1", hash_=url.partition("=")[2])
    assert lasting is not None
    assert "immutable" in lasting.headers["Cache-Control"]
    stale = openapi.get("/openapi/v3/api/v1", hash_="0")
    assert stale is not None
    assert (stale.status, stale.headers["Location"]) == (301, url)


def test_a_changed_definition_changes_its_group_version_only(registry: Registry) -> None:
    openapi = OpenApi(registry)
    before = index(openapi)
    openapi.get("/openapi/v3/apis/platform.example.org/v1alpha1")
    registry.replace({"type": "object", "properties": {"status": {"type": "object"}}})
    after = index(openapi)
    assert {name for name in after if after[name] != before[name]} == {"apis/platform.example.org/v1alpha1"}
    document = content(openapi.get("/openapi/v3/apis/platform.example.org/v1alpha1"))
    assert (
        "status" in document["components"]["schemas"]["org.example.platform.v1alpha1.Database"]["properties"]
    )


def test_what_is_not_served_has_no_document(registry: Registry) -> None:
    assert OpenApi(registry).get("/openapi/v3/apis/apps/v9") is None


def swagger(openapi: OpenApi) -> Any:
    document = openapi.get("/openapi/v2", accept=ASKED_TYPE)
    assert document is not None
    assert document.headers["Content-Type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    return message_class("openapi.v2.Document").FromString(document.body)


def test_v2_defines_every_name_once_and_refers_to_nothing_else(registry: Registry) -> None:
    found = swagger(OpenApi(registry))
    names = [entry.name for entry in found.definitions.additional_properties]
    assert len(names) == len(set(names))
    assert {"io.k8s.api.core.v1.ConfigMap", "org.example.platform.v1alpha1.Database"} <= set(names)
    waiting, references = [found], set()
    while waiting:
        for field, value in waiting.pop().ListFields():
            if field.name == "_ref":
                references.add(value.removeprefix("#/definitions/"))
            elif field.message_type is not None:
                waiting += value if field.is_repeated else [value]
    assert references
    assert references <= set(names)


def test_v2_says_which_parameters_a_patch_takes(registry: Registry) -> None:
    paths = {entry.name: entry.value for entry in swagger(OpenApi(registry)).paths.path}
    patch = paths["/api/v1/namespaces/{namespace}/configmaps/{name}"].patch
    assert "application/strategic-merge-patch+json" in patch.consumes
    names = [each.parameter.non_body_parameter.query_parameter_sub_schema.name for each in patch.parameters]
    assert {"fieldValidation", "dryRun", "force"} <= set(names)
    extensions = {entry.name: entry.value.yaml for entry in patch.vendor_extension}
    gvk = {"group": "", "kind": "ConfigMap", "version": "v1"}
    assert orjson.loads(extensions["x-kubernetes-group-version-kind"]) == gvk


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "nullable": True, "properties": {"a": {"type": "string"}}},
        {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"a": {"type": "string"}},
        },
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
    ],
)
def test_v2_says_nothing_of_values_that_it_would_wrongly_refuse(
    registry: Registry, schema: dict[str, Any]
) -> None:
    registry.replace({"type": "object", "properties": {"spec": schema}})
    entries = {
        entry.name: entry.value for entry in swagger(OpenApi(registry)).definitions.additional_properties
    }
    database = entries["org.example.platform.v1alpha1.Database"]
    spec = {entry.name: entry.value for entry in database.properties.additional_properties}["spec"]
    assert not spec.type.value
    assert not spec.properties.additional_properties


def test_v2_follows_a_changed_definition(registry: Registry) -> None:
    openapi = OpenApi(registry)
    before = openapi.get("/openapi/v2")
    assert before is not None
    unchanged = openapi.get("/openapi/v2", if_none_match=before.headers["ETag"])
    assert unchanged is not None
    assert unchanged.status == 304
    registry.replace({"type": "object", "properties": {"status": {"type": "object"}}})
    after = openapi.get("/openapi/v2", if_none_match=before.headers["ETag"])
    assert after is not None
    assert after.status == 200
