"""The built-in kinds: what the table serves, the generated data covers."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apis import core
from roadbed.apis.kubernetes import SERVED, load

DATA = Path(__file__).resolve().parents[2] / "src/roadbed/apis/kubernetes"
# A change here must be on purpose: it is what discovery tells every client.
VERBS = {
    ("create",),
    ("get", "list"),
    ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"),
    ("create", "delete", "get", "list", "patch", "update", "watch"),
}


@pytest.mark.parametrize("resource", SERVED, ids=lambda resource: resource.qualified)
def test_every_served_kind_has_a_schema_whose_references_resolve(resource: Resource) -> None:
    schema = load().schema(resource.gvk)
    assert schema is not None
    waiting, seen = [schema], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str) and reference not in seen:
                seen.add(reference)
                waiting.append(load().resolve(reference))
            waiting += [inner for inner in value.values() if isinstance(inner, dict | list)]


def test_the_table_names_each_kind_once_with_its_facts() -> None:
    assert len({(kind.group, kind.version, kind.plural) for kind in SERVED}) == len(SERVED)
    for kind in SERVED:
        assert kind.verbs in VERBS
        assert kind.singular == kind.kind.lower()
    assert core.NAMESPACES.short_names == ("ns",)
    assert "deletecollection" not in core.NAMESPACES.verbs


def test_schemas_keep_what_apply_and_strategic_merge_need() -> None:
    pod = load().resolve("#/components/schemas/io.k8s.api.core.v1.PodSpec")["properties"]["containers"]
    assert pod["x-kubernetes-list-map-keys"] == ["name"]
    assert pod["x-kubernetes-patch-merge-key"] == "name"
    assert pod["x-kubernetes-patch-strategy"] == "merge"
    assert load().version.startswith("v1.35.")


def test_a_foreign_kind_has_no_schema() -> None:
    assert load().schema(GVK("example.org", "v1", "Widget")) is None
    with pytest.raises(KeyError):
        load().resolve("#/components/schemas/org.example.Widget")


def test_the_data_stays_small() -> None:
    sizes = [path.stat().st_size for path in DATA.glob("*.xz")]
    assert len(sizes) == 4
    assert sum(sizes) < 400_000
