"""Protobuf answers: what clients that take nothing else read is what JSON would have told them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import NotAcceptableError
from roadbed.apis.core import CONFIGMAPS
from roadbed.apiserver import ApiServer, protobuf, protobufwrite
from roadbed.apiserver.messages import message_class

pytestmark = pytest.mark.acceptance

HERE = Path(__file__).parent
TYPE = "application/vnd.kubernetes.protobuf"
MAPS = "/api/v1/namespaces/default/configmaps"
AS = "g=meta.k8s.io;v=v1;as="


def told() -> Iterator[Any]:
    """Give every object that the real server answered with when it was asked about samples of every kind."""
    for path in sorted((HERE / "kinds" / "recordings").glob("*.json")):
        waiting = [json.loads(path.read_text())]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                if value.get("apiVersion") and value.get("kind") and "metadata" in value:
                    yield from value["items"] if value["kind"] == "List" else (value,)
                waiting += value.values() if "apiVersion" not in value else ()
            elif isinstance(value, list):
                waiting += value


def read(content: bytes) -> Any:
    return protobuf.decode(content)


def test_every_kind_survives_the_way_there_and_back() -> None:
    objects = [
        obj for obj in told() if obj["kind"] != "APIService"
    ]  # the aggregator's kind has no message here
    assert len({obj["kind"] for obj in objects}) > 30
    for obj in objects:
        for claim in obj.get("spec", {}).get("volumeClaimTemplates", ()):
            del claim["apiVersion"], claim["kind"]  # Go's messages have no place for them either
        assert _plain(read(protobufwrite.encode(orjson.dumps(obj)))) == _plain(obj), obj["kind"]


def _plain(value: Any) -> Any:
    """Leave out what Go leaves out: nulls, and empty texts, lists and numbers of members that are optional."""
    if isinstance(value, dict):
        members = {name: _plain(member) for name, member in value.items()}
        return {
            name: member for name, member in members.items() if member not in (None, "", [], {}, 0, False)
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", sorted(path.stem for path in (HERE / "recordings").glob("*.pb")))
def test_what_kubectl_sent_is_written_as_it_was_read(name: str) -> None:
    obj = read((HERE / "recordings" / f"{name}.pb").read_bytes())
    assert read(protobufwrite.encode(orjson.dumps(obj))) == obj


def test_definitions_keep_their_schemas() -> None:
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "additionalProperties": {
                    "type": "integer",
                    "minimum": 1.5,
                    "default": 3,
                    "enum": [1, "a", None],
                },
                "x-kubernetes-validations": [{"rule": "true", "message": "m"}],
            },
            "list": {"type": "array", "items": {"type": "string", "x-kubernetes-int-or-string": True}},
            "open": {"additionalProperties": True, "example": {"a": [1, None]}},
        },
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.org", "names": names, "scope": "Namespaced", "versions": [version]}
    obj = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    assert read(protobufwrite.encode(orjson.dumps(obj)))["spec"] == spec


@pytest.mark.parametrize("text", ["1h0m30s", "-1.5s", "20ms", "0s", "1µs", "2540400h0m0s"])
def test_durations_keep_their_value(text: str) -> None:
    message = message_class("k8s.io.apimachinery.pkg.apis.meta.v1.Duration")()
    protobufwrite._duration(message, text)
    assert protobuf._duration(message) == text


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4),
    st.dictionaries(st.text(max_size=5), st.binary(max_size=20), max_size=4),
    st.none() | st.integers(-(2**31), 2**31 - 1),
)
def test_any_text_and_bytes_survive(data: dict[str, str], raw: dict[str, bytes], number: int | None) -> None:
    import base64

    binary = {name: base64.b64encode(value).decode() for name, value in raw.items()}
    meta = {"name": "a", "generation": number} if number else {"name": "a"}
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data, "binaryData": binary}
    assert read(protobufwrite.encode(orjson.dumps(obj))) == {
        name: value for name, value in obj.items() if value != {}
    }


def test_a_custom_kind_has_no_message() -> None:
    with pytest.raises(NotAcceptableError, match="has no protobuf form"):
        protobufwrite.encode(b'{"apiVersion":"example.org/v1","kind":"Widget","metadata":{}}')


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(server.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def test_a_client_that_takes_only_protobuf_is_served(http: httpx.AsyncClient, api: Any) -> None:
    await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default"}, "data": {"k": "v"}})
    for path in (f"{MAPS}/a", MAPS, f"{MAPS}/absent", "/api", "/apis", "/api/v1", "/apis/apps"):
        plain, packed = await http.get(path), await http.get(path, headers={"accept": TYPE})
        assert (packed.status_code, packed.headers["content-type"]) == (plain.status_code, TYPE)
        assert packed.content.startswith(b"k8s\0")
        if path.startswith(MAPS):
            assert _plain(read(packed.content)) == _plain(plain.json())


async def test_a_client_that_takes_json_too_gets_it(http: httpx.AsyncClient) -> None:
    for accept in (
        f"{TYPE},application/json",
        f"{TYPE}, */*",
        f"{TYPE};{AS}PartialObjectMetadataList,application/json;{AS}PartialObjectMetadataList",
    ):
        answer = await http.get(MAPS, headers={"accept": accept})
        assert answer.headers["content-type"] == "application/json"
    answer = await http.get(MAPS, headers={"accept": f"{TYPE},application/json;q=0.5"})
    assert answer.headers["content-type"] == TYPE


async def test_custom_kinds_give_their_metadata_only(
    http: httpx.AsyncClient, api: Any, make_crd: Any
) -> None:
    from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS

    await api.create(CRDS, make_crd())
    widgets = "/apis/example.org/v1/namespaces/default/widgets"
    refused = await http.get(widgets, headers={"accept": TYPE})
    assert refused.status_code == 406
    assert read(refused.content)["reason"] == "NotAcceptable"
    metadata = await http.get(widgets, headers={"accept": f"{TYPE};{AS}PartialObjectMetadataList"})
    assert metadata.status_code == 200
    unknown = message_class(protobuf._UNKNOWN).FromString(metadata.content[4:])
    assert unknown.typeMeta.kind == "PartialObjectMetadataList"


async def test_a_watch_sends_frames(http: httpx.AsyncClient, api: Any) -> None:
    await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "default"}})
    name = "fieldSelector=metadata.name%3Da"
    answer = await http.get(f"{MAPS}?watch=1&timeoutSeconds=1&{name}", headers={"accept": TYPE})
    assert answer.headers["content-type"] == f"{TYPE};stream=watch"
    size_bytes = int.from_bytes(answer.content[:4], "big")
    event = message_class("k8s.io.apimachinery.pkg.apis.meta.v1.WatchEvent").FromString(answer.content[4:])
    assert len(answer.content) == 4 + size_bytes
    assert event.type == "ADDED"
    assert read(event.object.raw)["metadata"]["name"] == "a"
