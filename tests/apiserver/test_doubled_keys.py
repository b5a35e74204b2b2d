"""A key given twice in a JSON body: the last one counts, as everywhere, but nobody is left to guess that it did."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import InvalidError
from roadbed.apimachinery.request import JSON_PATCH
from roadbed.apiserver import ApiServer
from roadbed.apiserver.bodies import repeated, repeated_in_patch

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


async def test_strict_validation_names_unknown_fields_beside_it(http: httpx.AsyncClient) -> None:
    """Kubernetes' conformance suite looks for both in one refusal."""
    body = TWICE.replace(b'"data":{"x":"1"}', b'"other":1')
    answer = await http.post(f"{MAPS}?fieldValidation=Strict", content=body, headers=JSON)
    said = 'strict decoding error: unknown field "other", duplicate field "metadata.name"'
    assert answer.json()["message"].endswith(said)


async def test_a_timeout_that_is_no_duration_is_refused(http: httpx.AsyncClient) -> None:
    said = "invalid timeout specified in the request URL - time: "
    for text, why in (("x", 'invalid duration "x"'), ("5", 'missing unit in duration "5"')):
        answer = await http.get(f"{MAPS}?timeout={text}")
        assert (answer.status_code, answer.json()["message"]) == (400, said + why)
    for text in ("", "0", "32s", "1h2m", "-1s"):
        assert (await http.get(f"{MAPS}?timeout={text}")).status_code == 200


REFUSED = ' "" is invalid: patch: Invalid value: the patch: strict decoding error: '


@pytest.mark.parametrize(
    ("patch_type", "expected"),
    [
        ("merge-patch+json", (422, f'{REFUSED}duplicate field "data"')),
        ("strategic-merge-patch+json", (422, f'{REFUSED}duplicate field "data"')),
        (
            "apply-patch+yaml",
            (
                400,
                (
                    'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
                    'duplicate field "data"'
                ),
            ),
        ),
    ],
)
async def test_patches_are_held_to_it_too(
    http: httpx.AsyncClient, patch_type: str, expected: tuple[int, str]
) -> None:
    await http.post(
        MAPS, content=b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"}}', headers=JSON
    )
    answer = await http.patch(
        f"{MAPS}/b?fieldManager=me&fieldValidation=Strict",
        content=TWICE.replace(b'"name":"a",', b""),
        headers={"content-type": f"application/{patch_type}"},
    )
    assert (answer.status_code, answer.json()["message"]) == expected


def test_operations_of_json_patches_have_known_members_only() -> None:
    body = b'[{"op":"add","path":"/data/x","value":"1","odd":1},{"op":"test","op":"remove","path":"/data"}]'
    operations = json.loads(body)
    found = (
        'json patch duplicate field "[1].op"',
        'json patch unknown field "[0].odd"',
    )
    assert repeated_in_patch(body, operations, JSON_PATCH, "Warn") == found
    assert repeated_in_patch(body, operations, JSON_PATCH, "Ignore") == ()
    with pytest.raises(InvalidError, match="json patch unknown field"):
        repeated_in_patch(body, operations, JSON_PATCH, "Strict")


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


@given(
    st.recursive(
        st.text(max_size=6) | st.integers(-9, 9) | st.none() | st.booleans(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab c"), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.sampled_from([None, 1, 4]),
    st.booleans(),
)
def test_no_layout_and_no_escape_hides_a_repeated_key_or_invents_one(value, indent, is_ascii):
    body = json.dumps({"x": value, "y": 1}, indent=indent, ensure_ascii=is_ascii).encode()
    assert repeated(body, json.loads(body), "Strict") == ()
    doubled = body[: body.rindex(b"}")].rstrip() + b', "x": 2}'
    assert repeated(doubled, json.loads(doubled), "") == ('duplicate field "x"',)
