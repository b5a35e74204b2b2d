"""Bytes of built-in objects: as Go's decoder takes them, with the words and places of the real server."""

from __future__ import annotations

from typing import Any

import pytest

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apis.core import SECRETS
from roadbed.apiserver.kinds import octets


def secret(**members: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, **members}


async def test_a_value_may_be_empty_or_null_or_of_several_lines(api: Any) -> None:
    """``base64`` of a shell breaks lines, and a literal may be empty."""
    data = {"none": "", "null": None, "lines": "YWJj\nYWI=\n", "loose": "YR=="}
    await api.ask("create", SECRETS, namespace="default", body=secret(data=data, stringData={"text": None}))
    for _ in range(2):  # what was stored is taken again
        found = await api.ask("get", SECRETS, namespace="default", name="a")
        assert found["data"] == {"none": "", "null": "", "lines": "YWJjYWI=", "loose": "YQ==", "text": ""}
        await api.ask("update", SECRETS, namespace="default", name="a", body=secret(data=found["data"]))


async def test_what_is_no_base64_is_refused_without_being_shown(api: Any) -> None:
    with pytest.raises(BadRequestError) as refused:
        await api.ask("create", SECRETS, namespace="default", body=secret(data={"k": "my password"}))
    assert refused.value.message == (
        'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 2'
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("YQ", 0),
        ("A=", 1),
        ("==", 0),
        ("YQ=", 3),
        ("YQ=a", 2),
        ("YWI=x", 4),
        ("Y\nQ", 1),
        ("YQ==YQ==", 4),
        ("Y Q==", 1),
        ("é", 0),
        ("YWJj\nYQ=\n=\nx", 11),
    ],
)
def test_it_says_where_base64_goes_wrong(text: str, place: int) -> None:
    with pytest.raises(ValueError, match=f"illegal base64 data at input byte {place}$"):
        octets.canonical(text)
