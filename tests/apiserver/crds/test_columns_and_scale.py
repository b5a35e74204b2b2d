"""Printer columns and scale as the real API server shows them; the values here were read from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from roadbed.apimachinery.errors import InvalidError
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS
from roadbed.apiserver.crdcolumns import column_of

OBJECT = {
    "spec": {
        "i": 5, "f": 1.5, "s": "text", "l": ["x", "y"], "m": {"x.y": "z"}, "b": True, "n": None,
        "list": [{"x": 1}, {"x": 2}], "big": 12345678901, "t": "2020-01-01T00:00:00Z",
    }
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "path", "shown"),
    [
        ("integer", ".spec.i", 5),
        ("integer", ".spec.f", 1),
        ("integer", ".spec.s", None),
        ("integer", ".spec.big", 12345678901),
        ("number", ".spec.f", 1.5),
        ("string", ".spec.i", "5"),
        ("string", ".spec.f", "1.5"),
        ("string", ".spec.b", "true"),
        ("string", ".spec.n", "<no value>"),
        ("string", ".spec.l", '["x","y"]'),
        ("string", ".spec.m", '{"x.y":"z"}'),
        ("string", ".spec.l[*]", "x"),
        ("string", ".spec.l[-1]", "y"),
        ("string", ".spec.list[*].x", "1"),
        ("string", "..x", "1"),
        ("string", ".spec.none", None),
        ("boolean", ".spec.b", True),
        ("boolean", ".spec.s", None),
        ("date", ".spec.t", "10y"),
        ("date", ".spec.s", "<invalid>"),
    ],
)
def test_a_column_shows_what_the_real_server_shows(kind: str, path: str, shown: Any) -> None:
    column = column_of({"name": "X", "type": kind, "jsonPath": path})
    assert column.cell(OBJECT, datetime(2030, 1, 2, tzinfo=UTC)) == shown


async def test_columns_that_cannot_be_read_give_way_to_plain_ones(
    api: Any, make_crd: Any, widgets: Any
) -> None:
    """The real server takes any path that begins with a dot; one bad column must not unserve the kind."""
    await api.create(
        CRDS, make_crd(additionalPrinterColumns=[{"name": "X", "type": "string", "jsonPath": ".a["}])
    )
    assert (await api.create(widgets, {"metadata": {"name": "a", "namespace": "default"}}))["metadata"]["uid"]


async def test_fewer_replicas_than_none_are_refused(api: Any, make_crd: Any, widgets: Any) -> None:
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    await api.create(CRDS, make_crd(subresources={"scale": scale}))
    await api.create(widgets, {"metadata": {"name": "a", "namespace": "default"}, "spec": {"replicas": 3}})
    with pytest.raises(InvalidError) as caught:
        await api.patch(widgets, "a", {"spec": {"replicas": -1}}, "default", subresource="scale")
    assert caught.value.message == (
        'Widget.example.org "a" is invalid: .spec.replicas: Invalid value: -1: should be a non-negative integer'
    )
