"""A key given twice in a JSON body: the last one counts, as everywhere, but nobody is left to guess that it did."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from roadbed.apiserver import ApiServer
from roadbed.apiserver.bodies import repeated

MAPS = "/api/v1/namespaces/default/configmaps"
TWICE = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","name":"b"},"data":{"x":"1"},"data":{"y":"2"}}'
JSON = {"content-type": "application/json"}


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.asgi), base_url="http://api") as client:
        yield client


async def test_it_is_warned_of_by_path(http: httpx.AsyncClient) -> None:
    answer = await http.post(MAPS, content=TWICE, headers=JSON)
    assert (answer.status_code, answer.json()["metadata"]["name"]) == (201, "b")
    said = answer.headers["warning"]
    assert 'duplicate field \\"metadata.name\\"' in said
    assert 'duplicate field \\"data\\"' in said


async def test_strict_validation_refuses_it(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{MAPS}?fieldValidation=Strict", content=TWICE, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'duplicate field "metadata.name", duplicate field "data"'
    )
    assert (await http.get(f"{MAPS}/b")).status_code == 404


@pytest.mark.parametrize("patch_type", ["merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"])
async def test_patches_are_held_to_it_too(http: httpx.AsyncClient, patch_type: str) -> None:
    await http.post(
        MAPS, content=b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}', headers=JSON
    )
    answer = await http.patch(
        f"{MAPS}/b?fieldManager=me&fieldValidation=Strict",
        content=TWICE.replace(b'"name":"a",', b""),
        headers={"content-type": f"application/{patch_type}"},
    )
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        (
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
            'duplicate field "data"'
        ),
    )


async def test_who_ignores_fields_is_not_told(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{MAPS}?fieldValidation=Ignore", content=TWICE, headers=JSON)
    assert answer.status_code == 201
    assert "warning" not in answer.headers


def test_places_in_lists_are_named() -> None:
    body = b'{"spec": {"parts": [{"a": 1}, {"a": 1, "a": 2}]}}'
    assert repeated(body, {"spec": {"parts": [{"a": 1}, {"a": 2}]}}, "") == (
        'duplicate field "spec.parts[1].a"',
    )
    assert repeated(b'{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}, "") == ()
