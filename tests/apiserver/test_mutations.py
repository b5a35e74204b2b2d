"""Valid objects with a few random faults, sent in every way: the answer may be no, but never a 500."""

from __future__ import annotations

import random
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from roadbed.apiserver import ApiServer

META = {
    "name": "a",
    "labels": {"x": "y"},
    "annotations": {"a": "b"},
    "finalizers": ["x.org/y"],
    "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "n", "uid": "u", "controller": True}],
    "managedFields": [
        {
            "manager": "m",
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2030-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:k": {}}},
        }
    ],
}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "string", "enum": ["a", "b"], "default": "a"},
                "replicas": {"type": "integer", "minimum": 0},
                "list": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                    "items": {
                        "type": "object",
                        "required": ["k"],
                        "properties": {"k": {"type": "string"}, "v": {"x-kubernetes-int-or-string": True}},
                    },
                },
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "x-kubernetes-validations": [{"rule": "self.replicas < 10", "message": "m"}],
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "subresources": {
        "status": {},
        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
    },
    "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".spec.a", "priority": 0}],
    "selectableFields": [{"jsonPath": ".spec.size"}],
    "schema": {"openAPIV3Schema": SCHEMA},
}
CRD = {
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["w"], "categories": ["all"]},
        "conversion": {"strategy": "None"},
        "versions": [VERSION],
    }
}
RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["x"]}
ABOUT = {"kind": "x", "name": "y"}


def seed(path: str, kind: str, **members: Any) -> tuple[str, dict[str, Any]]:
    root, _, rest = path.partition(" ")
    api_version = root.removeprefix("/apis/").removeprefix("/api/")
    return f"{root}/{rest}", {"apiVersion": api_version, "kind": kind, "metadata": META, **members}


HERE = "namespaces/default"
SEEDS = [
    seed(f"/api/v1 {HERE}/configmaps", "ConfigMap", data={"k": "v"}, binaryData={"z": "aa=="}),
    seed(f"/api/v1 {HERE}/secrets", "Secret", data={"k": "dg=="}, stringData={"a": "b"}, type="Opaque"),
    seed("/api/v1 namespaces", "Namespace", spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"}),
    seed(f"/api/v1 {HERE}/events", "Event", involvedObject=ABOUT, source={"component": "c"}, count=1),
    seed(f"/apis/events.k8s.io/v1 {HERE}/events", "Event", regarding=ABOUT, note="x"),
    seed(f"/apis/coordination.k8s.io/v1 {HERE}/leases", "Lease", spec={"holderIdentity": "x"}),
    seed(f"/apis/rbac.authorization.k8s.io/v1 {HERE}/roles", "Role", rules=[RULE]),
    seed("/apis/apiextensions.k8s.io/v1 customresourcedefinitions", "CustomResourceDefinition", **CRD),
    seed(
        f"/apis/example.org/v1 {HERE}/widgets",
        "Widget",
        spec={"size": "a", "replicas": 1, "list": [{"k": "x", "v": 1}], "map": {"a": "b"}},
        status={"replicas": 1},
    ),
]
SEEDS[7][1]["metadata"] = {**META, "name": "widgets.example.org"}
JUNK: list[Any] = [
    None, 1, -1, 1.5, True, "", "x", "A B", "é", [], [1], [None], [{}], {}, {"x": 1}, {"": None}, "a" * 300,
    2**63, [["x"]], "2030", "{}", "metadata", "$patch", "$setElementOrder/x",
]  # fmt: skip
POINTERS = [
    "/metadata",
    "/metadata/labels",
    "/spec/versions/0",
    "/spec",
    "/data/k",
    "/x/y",
    "",
    "/metadata/finalizers/-",
]
PATCHES = ["merge-patch+json", "apply-patch+yaml", "strategic-merge-patch+json", "json-patch+json"]
QUERIES = [
    "?fieldManager=f",
    "?fieldManager=f&force=true",
    "?dryRun=All&fieldManager=f",
    "?fieldValidation=Strict&fieldManager=f",
    "",
]


def junk(rnd: random.Random) -> Any:
    return orjson.loads(orjson.dumps(rnd.choice(JUNK)))  # a copy: it may be changed in its turn


def mutated(obj: Any, rnd: random.Random) -> Any:
    """Give a copy with one to three members dropped, added or replaced by junk."""
    obj = orjson.loads(orjson.dumps(obj))
    for _ in range(rnd.choice([1, 1, 1, 2, 3])):
        node = obj
        while keys := list(node) if isinstance(node, dict) else list(range(len(node))):
            key = rnd.choice(keys)
            if isinstance(node[key], dict | list) and rnd.random() < 0.75:
                node = node[key]
                continue
            chance = rnd.random()
            if chance < 0.15:
                del node[key]
            elif chance < 0.3 and isinstance(node, dict):
                node[rnd.choice(["x", "$patch", "metadata", "", "spec", "f:x", "$retainKeys"])] = junk(rnd)
            else:
                node[key] = junk(rnd)
            break
    return obj


def request_of(rnd: random.Random) -> tuple[str, str, dict[str, str], Any]:
    path, obj = rnd.choice(SEEDS)
    method = rnd.choice(["POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE"])
    body = mutated(obj, rnd)
    media_type = "json"
    if method != "POST":
        path += "/" + obj["metadata"]["name"] + rnd.choice(["", "", "", "/status", "/scale", "/finalize"])
    if method == "PATCH":
        media_type = rnd.choice(PATCHES)
        if media_type == "json-patch+json":
            operation = rnd.choice(["add", "replace", "remove", "test", "move", "copy"])
            pointers = {"path": rnd.choice(POINTERS), "from": rnd.choice(POINTERS)}
            body = [{"op": operation, **pointers, "value": rnd.choice(JUNK)}]
    if method == "DELETE":
        members = ["preconditions", "propagationPolicy", "dryRun", "orphanDependents", "kind"]
        body = {rnd.choice(members): rnd.choice(JUNK)}
    headers = {"content-type": f"application/{media_type}"}
    if rnd.random() < 0.2:
        headers["accept"] = "application/json;as=Table;v=v1;g=meta.k8s.io"
    return method, path + rnd.choice(QUERIES), headers, body


async def send(server: ApiServer, start: int, count: int) -> None:
    rnd = random.Random(start)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.asgi), base_url="http://api") as client:
        for number in range(count):
            if number % 50 == 0:  # what was deleted comes back
                for path, obj in SEEDS:
                    await client.post(path, json=obj)
            method, path, headers, body = request_of(rnd)
            answer = await client.request(method, path, headers=headers, content=orjson.dumps(body))
            assert answer.status_code < 500, (method, path, headers, body, answer.text)


async def test_faulty_objects_never_make_a_500(server: ApiServer) -> None:
    await send(server, random.randrange(2**32), 150)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_many_faulty_objects_never_make_a_500(server: ApiServer) -> None:
    await send(server, random.randrange(2**32), 10_000)
