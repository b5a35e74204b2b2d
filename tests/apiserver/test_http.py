"""The HTTP face: addresses, media types, forms of answers, and no 500 for anything a client sends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx2 as httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadbed.apimachinery.errors import AlreadyExistsError
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS
from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer, Listener

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(server.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


def config(name: str, **members: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **members}


async def test_create_answers_201_and_get_200_with_the_object(http: httpx.AsyncClient) -> None:
    made = await http.post(MAPS, json=config("a", data={"k": "v"}))
    assert made.status_code == 201
    assert (await http.get(f"{MAPS}/a")).json() == made.json()


async def test_a_failure_is_a_status_with_reason_details_and_code(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{MAPS}/absent")
    assert answer.status_code == 404
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "absent" not found',
        "reason": "NotFound",
        "details": {"name": "absent", "kind": "configmaps"},
        "code": 404,
    }


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "code"),
    [
        ("GET", "/api/v1/namespaces/default/nopes", {}, b"", 404),
        ("GET", "/api/v1//configmaps", {}, b"", 404),
        ("GET", MAPS, {"accept": "text/html"}, b"", 406),
        ("GET", f"{MAPS}?labelSelector=a%3D%3D%3Db", {}, b"", 400),
        ("GET", f"{MAPS}?limit=many", {}, b"", 400),
        ("GET", f"{MAPS}?resourceVersion=x", {}, b"", 400),
        ("GET", f"{MAPS}?continue=garbage", {}, b"", 400),
        ("GET", f"{MAPS}?watch=1&timeoutSeconds=x", {}, b"", 400),
        ("GET", f"{MAPS}?includeObject=All", {"accept": TABLE}, b"", 400),
        ("POST", MAPS, {"content-type": "text/plain"}, b"x", 415),
        ("POST", MAPS, {"content-type": "application/json"}, b"{", 400),
        ("POST", MAPS, {"content-type": "application/json"}, b"[]", 400),
        ("POST", MAPS, {"content-type": "application/json"}, b"", 400),
        ("POST", MAPS, {"content-type": "application/json"}, b'{"metadata":1}', 400),
        ("POST", MAPS, {"content-type": "application/json"}, b'{"metadata":{"name":1}}', 400),
        ("POST", MAPS, {"content-type": "application/json"}, b'{"metadata":{"name":"a"},"data":{"a":1}}', 400),
        ("POST", MAPS, {"content-type": "application/json"}, b'{"metadata":{"name":"A_B"}}', 422),
        ("POST", MAPS, {"content-type": "application/json"}, b'{"a":' * 5000 + b"1" + b"}" * 5000, 400),
        ("POST", MAPS, {"content-type": "application/vnd.kubernetes.protobuf"}, b"k8s\x00junk", 400),
        ("POST", MAPS, {"content-length": "4000000", "content-type": "application/json"}, b"{}", 413),
        ("PATCH", f"{MAPS}/a", {"content-type": "application/json"}, b"{}", 415),
        ("PATCH", f"{MAPS}/a", {"content-type": "application/json-patch+json"}, b"{}", 404),
        ("PATCH", MAPS, {"content-type": "application/merge-patch+json"}, b"{}", 405),
        ("PUT", MAPS, {"content-type": "application/json"}, b"{}", 405),
        ("DELETE", "/api/v1/namespaces", {}, b"", 405),
        ("TRACE", MAPS, {}, b"", 405),
        ("POST", "/version", {}, b"", 405),
    ],
)  # fmt: skip
async def test_bad_input_has_its_own_code(
    http: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], body: bytes, code: int
) -> None:
    answer = await http.request(method, path, headers=headers, content=body)
    assert answer.status_code == code, answer.text
    assert answer.json()["kind"] == "Status"
    assert answer.json()["message"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["metadata", "kind", "apiVersion", "data", "name", "labels", "finalizers", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ),
    method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
    kind=st.sampled_from(
        ["api/v1 configmaps", "api/v1 secrets", "api/v1 events", "apis/example.org/v1 widgets"]
    ),
    media_type=st.sampled_from(
        ["json", "merge-patch+json", "json-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"]
    ),
)
async def test_no_body_makes_a_500(
    http: httpx.AsyncClient, api: Any, make_crd: Any, body: Any, method: str, kind: str, media_type: str
) -> None:
    name = "" if method == "POST" else "/a"
    root, _, plural = kind.partition(" ")
    with contextlib.suppress(AlreadyExistsError):
        await api.create(CRDS, make_crd())
    path = f"/{root}/namespaces/default/{plural}"
    known = next(each for each in await api.transport.discover() if each.plural == plural)
    whole = {"apiVersion": known.api_version, "kind": known.kind, "metadata": {"name": "a"}}
    await http.post(path, json={**whole, "data": {}, "spec": {"a": [1]}})
    if isinstance(body, dict):
        body = {"apiVersion": known.api_version, "kind": known.kind, **body}
    answer = await http.request(
        method,
        f"{path}{name}?fieldManager=f",
        headers={"content-type": f"application/{media_type}"},
        content=orjson.dumps(body),
    )
    assert answer.status_code < 500, answer.text


async def test_a_port_by_number_fits_into_32_bits(http: httpx.AsyncClient) -> None:
    """A larger one was stored, and could then not be told as protobuf."""
    ports = [{"port": 1, "targetPort": 2**63}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": ports}}
    accept = {"accept": "application/vnd.kubernetes.protobuf"}
    answer = await http.post("/api/v1/namespaces/default/services", json=service, headers=accept)
    assert answer.status_code == 400
    assert b"cannot unmarshal number 9223372036854775808 into a Go value of type int32" in answer.content


async def test_no_definition_makes_a_500(http: httpx.AsyncClient, make_crd: Any) -> None:
    whole = make_crd(additionalPrinterColumns=[{"name": "A", "type": "string", "jsonPath": ".spec.a"}])
    broken: list[Any] = [None, 1, "x", [], [1], {}, {"x": 1}]
    places = [("spec",), ("spec", "names"), ("spec", "versions"), ("spec", "group"), ("spec", "scope")]
    places += [("spec", "versions", 0, member) for member in ("name", "schema", "subresources", "served")]
    places += [
        ("spec", "versions", 0, "additionalPrinterColumns"),
        ("spec", "conversion"),
        ("spec", "names", "kind"),
    ]
    places += [
        ("spec", "names", "shortNames"),
        ("spec", "versions", 0, "schema", "openAPIV3Schema"),
        ("spec", "versions", 0, "selectableFields"),
    ]
    for place in places:
        for value in broken:
            crd = orjson.loads(orjson.dumps(whole))
            *parents, last = place
            holder = crd
            for member in parents:
                holder = holder[member]
            holder[last] = value
            answer = await http.post(
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?dryRun=All", json=crd
            )
            assert answer.status_code < 500, (place, value, answer.text)


async def test_lists_come_as_lists_tables_and_metadata(http: httpx.AsyncClient) -> None:
    await http.post(MAPS, json=config("a", data={"k": "v"}))
    plain = (await http.get(MAPS)).json()
    assert (plain["kind"], plain["items"][0]["data"]) == ("ConfigMapList", {"k": "v"})
    table = (await http.get(MAPS, headers={"accept": TABLE})).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"] == ["a", 1, "0s"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = (await http.get(f"{MAPS}?includeObject=Object", headers={"accept": TABLE})).json()
    assert whole["rows"][0]["object"]["data"] == {"k": "v"}
    bare = (await http.get(f"{MAPS}?includeObject=None", headers={"accept": TABLE})).json()
    assert bare["rows"][0]["object"] is None
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    partial = (await http.get(MAPS, headers={"accept": accept})).json()
    assert partial["kind"] == "PartialObjectMetadataList"
    assert set(partial["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_printer_columns_of_definitions_are_shown(
    http: httpx.AsyncClient, api: Any, make_crd: Any, widgets: Any
) -> None:
    columns = [
        {"name": "Size", "type": "string", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Count", "type": "integer", "jsonPath": ".spec.count", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    await api.create(CRDS, make_crd(additionalPrinterColumns=columns))
    status = {"conditions": [{"type": "Synced", "status": "True"}, {"type": "Ready", "status": "False"}]}
    meta = {"name": "a", "namespace": "default"}
    await api.create(widgets, {"metadata": meta, "spec": {"size": "big", "count": 3}, "status": status})
    path = "/apis/example.org/v1/namespaces/default/widgets"
    table = (await http.get(path, headers={"accept": TABLE})).json()
    assert table["rows"][0]["cells"] == ["a", "big", "False", 3, "0s"]
    assert [column["priority"] for column in table["columnDefinitions"]] == [0, 0, 0, 1, 0]


async def test_discovery_is_aggregated_when_asked_and_fresh_after_a_definition(
    http: httpx.AsyncClient, api: Any, make_crd: Any
) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    before = await http.get("/apis", headers={"accept": accept})
    assert before.headers["content-type"] == accept.split(",", maxsplit=1)[0]
    same = await http.get("/apis", headers={"accept": accept, "if-none-match": before.headers["etag"]})
    assert same.status_code == 304
    await api.create(CRDS, make_crd(subresources={"status": {}}))
    after = (await http.get("/apis", headers={"accept": accept})).json()
    group = next(each for each in after["items"] if each["metadata"]["name"] == "example.org")
    widget = group["versions"][0]["resources"][0]
    assert (widget["resource"], widget["scope"], widget["responseKind"]["kind"]) == (
        "widgets",
        "Namespaced",
        "Widget",
    )
    assert [each["subresource"] for each in widget["subresources"]] == ["status"]
    core = (await http.get("/api", headers={"accept": accept})).json()
    assert {each["resource"] for each in core["items"][0]["versions"][0]["resources"]} >= {
        "configmaps",
        "secrets",
    }


async def test_legacy_discovery_lists_groups_and_resources(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api")).json()["versions"] == ["v1"]
    groups = (await http.get("/apis")).json()
    assert groups["kind"] == "APIGroupList"
    assert (await http.get("/apis/coordination.k8s.io")).json()["preferredVersion"]["version"] == "v1"
    listed = (await http.get("/api/v1")).json()
    names = {each["name"] for each in listed["resources"]}
    assert {"namespaces", "namespaces/status", "namespaces/finalize", "events"} <= names


async def test_health_and_version_say_what_is_served(http: httpx.AsyncClient, server: ApiServer) -> None:
    assert (await http.get("/healthz")).text == "ok"
    server.add_readiness("engines", lambda: "composition has not synced")
    answer = await http.get("/readyz?verbose")
    assert answer.status_code == 500
    assert "[-]engines not ready: composition has not synced" in answer.text
    assert (await http.get("/livez")).text == "ok"
    version = (await http.get("/version")).json()
    assert version["gitVersion"].startswith("v1.35.")
    assert "+roadbed" in version["gitVersion"]


async def test_warnings_are_headers(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{MAPS}?fieldValidation=Warn", json=config("a", typo=1))
    assert answer.status_code == 201
    assert answer.headers["warning"] == '299 - "unknown field \\"typo\\""'
    strict = await http.post(f"{MAPS}?fieldValidation=Strict", json=config("b", typo=1))
    assert strict.status_code == 400
    assert 'strict decoding error: unknown field "typo"' in strict.json()["message"]


async def test_yaml_bodies_are_read(http: httpx.AsyncClient) -> None:
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n"
    answer = await http.post(MAPS, content=body, headers={"content-type": "application/yaml"})
    assert answer.json()["data"] == {"k": "v"}


async def test_an_object_too_large_to_store_is_refused_with_its_size(http: httpx.AsyncClient) -> None:
    answer = await http.post(MAPS, json=config("a", data={"k": "x" * 1_600_000}))
    assert answer.status_code == 413
    assert "more than the 1500000 that can be stored" in answer.json()["message"]


async def test_the_manager_comes_from_the_user_agent(http: httpx.AsyncClient) -> None:
    made = await http.post(MAPS, json=config("a", data={"k": "v"}), headers={"user-agent": "tool/v1 (linux)"})
    assert made.json()["metadata"]["managedFields"][0]["manager"] == "tool"


@pytest.fixture
async def address(server: ApiServer) -> AsyncIterator[str]:
    listener = Listener(server.asgi, host="127.0.0.1", port=0, tls=None)
    await listener.start()
    yield f"http://127.0.0.1:{listener.port}"
    await listener.stop()


async def test_a_watch_streams_lines_over_a_socket_and_ends_when_the_client_goes(
    address: str, api: Any, server: ApiServer
) -> None:
    async with httpx.AsyncClient(base_url=address) as client:
        async with client.stream("GET", f"{MAPS}?watch=true&resourceVersion=1") as answer:
            assert answer.status_code == 200
            await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default"}})
            async with aclosing(answer.aiter_lines()) as lines:
                event = orjson.loads(await anext(lines))
            assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
        cache = server._registry.get("", "v1", "configmaps").cache
        async with asyncio.timeout(1):
            while cache._watchers:
                await asyncio.sleep(0)


async def test_a_watched_table_names_its_columns_once(address: str, api: Any) -> None:
    await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default"}})
    await api.create(CONFIGMAPS, {"metadata": {"name": "b", "namespace": "default"}})
    async with (
        httpx.AsyncClient(base_url=address) as client,
        client.stream("GET", f"{MAPS}?watch=true", headers={"accept": TABLE}) as answer,
        aclosing(answer.aiter_lines()) as lines,
    ):
        events = [orjson.loads(await anext(lines)), orjson.loads(await anext(lines))]
    assert [event["object"]["rows"][0]["cells"][0] for event in events] == ["a", "b"]
    assert [bool(event["object"]["columnDefinitions"]) for event in events] == [True, False]


async def test_an_expired_watch_is_an_error_event(
    address: str, api: Any, storage: Any, server: ApiServer
) -> None:
    await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default"}})
    await storage.compact(storage.revision)
    server._registry.get("", "v1", "configmaps").cache.ring_start = storage.revision
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.get(f"{MAPS}?watch=true&resourceVersion=1")
    event = orjson.loads(answer.text)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_stopping_ends_open_watches(server: ApiServer) -> None:
    listener = Listener(server.asgi, host="127.0.0.1", port=0, tls=None)
    await listener.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.port}") as client:
        async with client.stream("GET", f"{MAPS}?watch=true&resourceVersion=1") as answer:
            await server.stop()
            text = (await answer.aread()).decode()
        assert orjson.loads(text)["object"]["reason"] == "ServiceUnavailable"
        refused = await client.get(MAPS)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
    await listener.stop()


async def test_a_request_head_without_end_is_cut_off(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: " + b"y" * 70_000)
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_a_body_larger_than_the_limit_is_refused_while_it_arrives(address: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 100_000

    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post(MAPS, content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
