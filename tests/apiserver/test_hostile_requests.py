"""Requests that nobody means well: each is refused with a Status that says what is wrong, none ends in a 500."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from roadbed.apiserver import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"
JSON, YAML, MERGE = "application/json", "application/yaml", "application/merge-patch+json"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.asgi), base_url="http://api") as client:
        yield client


def named(name: str, **members: object) -> bytes:
    metadata = {"name": name, **members}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}).encode()


BODIES = {
    "null": (JSON, b"null", 400, "couldn't get version/kind"),
    "a text": (JSON, b'"x"', 400, "couldn't get version/kind"),
    "cut off": (JSON, b'{"a":', 400, "couldn't read the body as JSON"),
    "not UTF-8": (JSON, named("x").replace(b'"x"', b'"\xff"'), 400, "not valid UTF-8"),
    "half a surrogate": (JSON, named("x").replace(b'"x"', b'"\\ud800"'), 400, "surrogate"),
    "a number without end": (JSON, named("x", generation=1).replace(b"1}", b"1e999}"), 400, "infinity"),
    "brackets without end": (JSON, b"[" * 100_000, 400, "couldn't read the body as JSON"),
    "just too deep": (JSON, b"[" * 300 + b"]" * 300, 400, "nested deeper than 200 levels"),
    "a NUL in the name": (JSON, named("n\0x"), 422, 'metadata.name: Invalid value: "n\\x00x"'),
    "text that runs backwards": (JSON, named("\u202e"), 422, 'metadata.name: Invalid value: "\\u202e"'),
    "a path as name": (JSON, named("../../etc"), 422, "metadata.name: Invalid value"),
    "a name too long": (JSON, named("a" * 300), 422, "must be no more than 253"),
    "a label too long": (JSON, named("a", labels={"a": "x" * 70_000}), 422, "metadata.labels: Invalid value"),
    "a label of a wrong type": (
        JSON,
        named("a", labels={"a": 1}),
        400,
        "metadata.labels[a] must be a string",
    ),
    "a YAML bomb": (YAML, BOMB.encode(), 400, "line 5: aliases stand for more than 100000 values"),
    "a key twice": (YAML, b"a: 1\na: 2", 400, 'line 2: key "a" already set in map'),
    "an object of Python": (YAML, b'!!python/object/apply:os.system ["id"]', 400, "unknown tag"),
    "a control character": (YAML, b"a: \x00", 400, "control characters are not allowed"),
    "a value that holds itself": (YAML, b"a: &a [*a]", 400, "anchor 'a' value contains itself"),
    "two documents": (YAML, b"---\na: 1\n---\nb: 2\n", 400, "expected one YAML document, found 2"),
    "no known type": ("text/html", named("a"), 415, "accepted media types include: application/json"),
    "protobuf that is none": ("application/vnd.kubernetes.protobuf", named("a"), 400, "protobuf"),
    "damaged protobuf": ("application/vnd.kubernetes.protobuf", b"k8s\0\xff\xff", 400, "protobuf"),
}


@pytest.mark.parametrize("case", sorted(BODIES))
async def test_a_hostile_body_is_refused_in_words(http: httpx.AsyncClient, case: str) -> None:
    media_type, body, code, words = BODIES[case]
    answer = await http.post(MAPS, content=body, headers={"content-type": media_type})
    assert answer.status_code == code, answer.text[:300]
    assert words in answer.json()["message"]
    assert "\n" not in answer.json()["message"]
    assert (await http.get(MAPS)).json()["items"] == []


QUERIES = {
    f"{MAPS}?labelSelector=%ff": "couldn't read the query of the address",
    f"{MAPS}?fieldSelector=spec.x=1": '"spec.x" is not a known field selector',
    f"{MAPS}?resourceVersion=99999999999999999999999": "invalid resource version",
    f"{MAPS}?watch=1&resourceVersion=abc": "resourceVersion: Invalid value",
}


@pytest.mark.parametrize("address", sorted(QUERIES))
async def test_a_hostile_query_is_refused_in_words(http: httpx.AsyncClient, address: str) -> None:
    answer = await http.get(address)
    assert answer.status_code == 400
    assert QUERIES[address] in answer.json()["message"]


@pytest.mark.parametrize("manager", ["x" * 129, "a%00b", "a%0ab"])
async def test_a_field_manager_that_can_not_be_kept_is_refused(http: httpx.AsyncClient, manager: str) -> None:
    answer = await http.post(
        f"{MAPS}?fieldManager={manager}", content=named("a"), headers={"content-type": JSON}
    )
    assert answer.status_code == 422
    assert "fieldManager: " in answer.json()["message"]


@pytest.mark.parametrize("place", ["%ff%fe", "%00", "..%2f..%2fsecrets", "a" * 40_000])
async def test_an_address_that_leads_nowhere_is_a_404(http: httpx.AsyncClient, place: str) -> None:
    assert (await http.get(f"{MAPS}/{place}")).status_code == 404


@pytest.mark.parametrize("strictness", ["Strict", "Ignore"])
async def test_an_applied_list_is_refused_however_strictly_it_is_read(
    http: httpx.AsyncClient, strictness: str
) -> None:
    address = f"{MAPS}/a?fieldManager=m&fieldValidation={strictness}"
    body, headers = b'[{"op":"x","op":"y"}]', {"content-type": "application/apply-patch+yaml"}
    assert (await http.patch(address, content=body, headers=headers)).status_code == 400
