"""Forms of answers: what an Accept header gets, what is compressed, what a client need not fetch again."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import orjson
import pytest
import yaml

from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer
from roadbed.apiserver.openapi.swagger import ASKED_TYPE

MAPS = "/api/v1/namespaces/default/configmaps"
AS = "application/json;g=meta.k8s.io"


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(server.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        client.headers = httpx.Headers({"accept-encoding": "identity"})
        yield client


@pytest.fixture
async def stored(api: Any) -> dict[str, Any]:
    data = {"text": "a: b\nc: yes\n", "word": "no", "number": "1e3", "wide": "ä" * 200}
    made: dict[str, Any] = await api.create(
        CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default"}, "data": data}
    )
    return made


async def test_yaml_says_what_json_says(http: httpx.AsyncClient, stored: dict[str, Any]) -> None:
    answer = await http.get(f"{MAPS}/a", headers={"accept": "application/yaml"})
    assert answer.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(answer.content) == stored
    assert answer.text.startswith("apiVersion: v1\ndata:\n")
    assert "text: |\n" in answer.text


async def test_refusals_come_in_the_form_that_was_asked_for(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{MAPS}/absent", headers={"accept": "application/yaml"})
    assert answer.status_code == 404
    assert yaml.safe_load(answer.content)["reason"] == "NotFound"


ACCEPTED = [
    ("", "application/json", "ConfigMap"),
    ("*/*", "application/json", "ConfigMap"),
    ("*", "application/json", None),
    ("application/json;stream=watch", "application/json", "ConfigMap"),
    ("application/json;q=0", "application/json", "ConfigMap"),
    ("text/html,application/json;q=0.5,application/yaml;q=0.9", "application/yaml", "ConfigMap"),
    ("*/*;q=0.1,application/yaml;q=0.1", "application/yaml", "ConfigMap"),
    (f"{AS};v=v1;as=Table,application/json", "application/json", "Table"),
    (f"{AS};v=v1beta1;as=Table", "application/json", "Table"),
    (f"{AS};v=v1beta1;as=PartialObjectMetadata", "application/json", "PartialObjectMetadata"),
    (f"{AS};v=v9;as=Table,application/json", "application/json", "ConfigMap"),
    ("application/yaml;g=meta.k8s.io;v=v1;as=Table", "application/yaml", "Table"),
    (f"{AS};v=v1;as=Unknown", "application/json", None),
    (f"{AS};v=v1;as=PartialObjectMetadataList", "application/json", None),
    ("application/json;stream=other", "application/json", None),
    ("application/*", "application/json", None),
    ("text/html", "application/json", None),
    ("APPLICATION/JSON", "application/json", None),
    (";;;,,", "application/json", None),
]  # None is a 406; as the real server answered each of them


async def test_the_first_form_that_can_be_had_is_given(
    http: httpx.AsyncClient, stored: dict[str, Any]
) -> None:
    for accept, media_type, kind in ACCEPTED:
        answer = await http.get(f"{MAPS}/a", headers={"accept": accept})
        body = yaml.safe_load(answer.content)
        assert answer.headers["content-type"] == media_type, accept
        assert (answer.status_code, body["kind"]) == ((200, kind) if kind else (406, "Status")), accept
        if kind in ("Table", "PartialObjectMetadata"):
            version = "v1beta1" if "v1beta1" in accept else "v1"
            assert body["apiVersion"] == f"meta.k8s.io/{version}"


async def test_a_list_can_not_be_had_as_one_object(http: httpx.AsyncClient) -> None:
    answer = await http.get(MAPS, headers={"accept": f"{AS};v=v1;as=PartialObjectMetadata"})
    assert answer.status_code == 406
    assert answer.json()["message"].startswith(
        "you requested PartialObjectMetadata, but the requested object is a list"
    )


async def test_a_watch_has_no_yaml(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{MAPS}?watch=1", headers={"accept": "application/yaml"})
    assert answer.status_code == 406
    assert "application/json;stream=watch" in yaml.safe_load(answer.content)["message"]


async def test_answers_for_people_are_indented(http: httpx.AsyncClient, stored: dict[str, Any]) -> None:
    for query, agent, is_pretty in (
        ("", "x", False),
        ("?pretty=true", "x", True),
        ("?pretty", "x", False),
        ("", "curl/8", True),
        ("?pretty=false", "curl/8", False),
        ("", "Mozilla/5.0 (X11)", True),
    ):
        answer = await http.get(f"{MAPS}/a{query}", headers={"user-agent": agent})
        assert answer.json() == stored
        assert (answer.text.count("\n  ") > 3) == is_pretty, (query, agent)


async def test_large_answers_are_compressed_for_those_who_take_it(http: httpx.AsyncClient, api: Any) -> None:
    await api.create(
        CONFIGMAPS, {"metadata": {"name": "large", "namespace": "default"}, "data": {"t": "x" * 200_000}}
    )
    taking = {"accept-encoding": "deflate, gzip"}
    plain = await http.get(f"{MAPS}/large")
    assert "content-encoding" not in plain.headers
    async with http.stream("GET", f"{MAPS}/large", headers=taking) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert len(raw) < 10_000
    assert gzip.decompress(raw) == plain.content
    assert (
        "content-encoding" not in (await http.get(MAPS + "?limit=0&labelSelector=a", headers=taking)).headers
    )


@pytest.mark.parametrize("path", ["/openapi/v2", "/openapi/v3/api/v1", "/apis"])
async def test_documents_are_compressed_and_not_sent_twice(http: httpx.AsyncClient, path: str) -> None:
    accept = "application/json"
    if path == "/apis":
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    first = await http.get(path, headers={"accept": accept})
    etag = first.headers["etag"]
    for known in (etag, f'"other", W/{etag}', "*"):
        again = await http.get(path, headers={"accept": accept, "if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
    changed = await http.get(path, headers={"accept": accept, "if-none-match": '"other"'})
    assert changed.content == first.content
    packed = await http.get(path, headers={"accept": accept, "accept-encoding": "gzip"})
    is_large = len(first.content) > 128 * 1024
    assert packed.headers.get("content-encoding") == ("gzip" if is_large else None)
    assert packed.content == first.content
    assert "Accept" in packed.headers["vary"]


async def test_v2_as_json_says_what_the_protobuf_says(http: httpx.AsyncClient) -> None:
    from roadbed.apiserver.messages import message_class

    found = (await http.get("/openapi/v2")).json()
    assert (found["swagger"], found["info"]["title"]) == ("2.0", "Kubernetes")
    answer = await http.get("/openapi/v2", headers={"accept": ASKED_TYPE})
    assert answer.headers["content-type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    message = message_class("openapi.v2.Document").FromString(answer.content)
    defined = {entry.name: entry.value for entry in message.definitions.additional_properties}
    assert defined.keys() == found["definitions"].keys()
    paths = {entry.name: entry.value for entry in message.paths.path}
    assert paths.keys() == found["paths"].keys()
    for name, schema in found["definitions"].items():
        _agree(schema, defined[name])
    patch = found["paths"]["/api/v1/namespaces/{namespace}/configmaps/{name}"]["patch"]
    assert patch["consumes"] == list(paths["/api/v1/namespaces/{namespace}/configmaps/{name}"].patch.consumes)


def _agree(schema: dict[str, Any], message: Any) -> None:
    assert schema.get("$ref", "") == message._ref
    assert [schema[word] for word in ("type",) if word in schema] == list(message.type.value)
    assert schema.get("required", []) == list(message.required)
    members = {entry.name: entry.value for entry in message.properties.additional_properties}
    assert schema.get("properties", {}).keys() == members.keys()
    for name, inner in schema.get("properties", {}).items():
        _agree(inner, members[name])
    extensions = {entry.name: orjson.loads(entry.value.yaml) for entry in message.vendor_extension}
    assert {name: value for name, value in schema.items() if name.startswith("x-")} == extensions


async def test_a_schema_document_that_can_not_be_given_is_a_406_without_a_body(
    http: httpx.AsyncClient,
) -> None:
    for path in ("/openapi/v2", "/openapi/v3/api/v1"):
        answer = await http.get(path, headers={"accept": "text/html"})
        assert (answer.status_code, answer.content) == (406, b"")


async def test_what_nobody_serves_is_a_plain_404(http: httpx.AsyncClient) -> None:
    for path in ("/nope", "/apis/nope", "/apis/nope/v1", "/healthz/nope", "/livez/engines"):
        answer = await http.get(path)
        assert (answer.status_code, answer.text) == (404, "404 page not found\n"), path
    assert (await http.get("/apis/apps/v9")).json()["kind"] == "Status"


async def test_health_tells_of_each_check(http: httpx.AsyncClient, server: ApiServer) -> None:
    server.add_readiness("engines", lambda: "not synced")
    assert (await http.get("/livez?verbose")).text == "[+]ping ok\nlivez check passed\n"
    assert (await http.get("/readyz/ping")).text == "ok"
    assert (await http.get("/readyz/engines")).status_code == 500
    excluded = await http.get("/readyz?exclude=engines&exclude=more")
    assert (excluded.status_code, excluded.text) == (200, "ok")
    told = (await http.get("/readyz?exclude=nope")).text
    assert 'warn: some health checks cannot be excluded: no matches for "nope"' in told
    assert "[-]engines not ready: not synced" in told
    assert (await http.post("/healthz")).text == "ok"


async def test_the_root_lists_addresses_that_answer(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/")).json()["paths"]
    assert {"/apis/apps/v1", "/metrics", "/openapi/v2", "/readyz/ping", "/version"} <= set(paths)
    for path in paths:
        assert (await http.get(path)).status_code == 200, path
