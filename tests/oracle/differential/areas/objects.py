"""Custom objects under random schemas: pruned, defaulted, judged, ratcheted, ruled, patched, applied and selected.

Every definition is made loose first, and an object of it stored; then it is tightened. Changes of those objects are
dry runs, so that each sequence finds them as they were: what was wrong before may stay where it is not touched. All
else happens to objects of a sequence's own. The definitions are the same for every seed; the objects are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from random import Random
from typing import Any

from tests.contract.corpus import Step
from tests.oracle.differential.growing import ODD, inside, places, put, value

from roadbed.apimachinery.cel_check import check_rules
from roadbed.apimachinery.structural import check_structural

from . import shapes
from .making import Area, step

_DEFINITIONS = 12
_STORED = 3  # objects of each definition that were stored when it was loose
_GROUP = "objects.differ.dev"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_OLD = "objects-setup"  # the namespace of the setup


@cache
def _schema(number: int) -> dict[str, Any]:
    """Give the first schema from a number on that is not refused, for what its rules may cost, say."""
    for attempt in count():
        rng = Random(f"objects-{number}-{attempt}")
        found = shapes.schema(rng)
        status = {"type": "object", "properties": {"phase": shapes.schema(rng, 2), "n": {"type": "integer"}}}
        members = {"mark": {"type": "string", "enum": ["on"]}, "spec": found, "status": status}
        whole: dict[str, Any] = {"type": "object", "properties": members}
        if not (check_structural(whole, "") or check_rules(whole, "")):
            return whole
    raise AssertionError  # counting never ends


def _loose(number: int) -> dict[str, Any]:
    found = shapes.loose(_schema(number))
    return {**found, "properties": {**found["properties"], "mark": {"type": "string", "enum": ["off"]}}}


def _definition(number: int) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _loose(number)},
    }
    if number % 3:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things{number}s.{_GROUP}"},
        "spec": {
            "group": _GROUP,
            "scope": "Namespaced",
            "names": {"plural": f"things{number}s", "kind": f"Thing{number}"},
            "versions": [version],
        },
    }


def _home(number: int, namespace: str) -> str:
    return f"/apis/{_GROUP}/v1/namespaces/{namespace}/things{number}s"


def _object(rng: Random, number: int, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = value(rng, schema, density=rng.choice((0.4, 0.8)))
    found.pop("mark", None)
    found.update(apiVersion=f"{_GROUP}/v1", kind=f"Thing{number}", metadata={"name": name})
    return found


def _setup() -> Iterator[Step]:
    numbers = range(_DEFINITIONS)
    yield step(
        "POST", "/api/v1/namespaces/$ns/configmaps", {"metadata": {"name": "a"}}
    )  # makes the namespace
    for number in numbers:
        yield step("POST", _CRDS, _definition(number))
    for number in numbers:
        yield replace(step("GET", _home(number, _OLD)), until={"status_code": 200})
        for index in range(_STORED):
            rng = Random(f"objects-{number}-{index}")
            yield step("POST", _home(number, _OLD), _object(rng, number, f"o{index}", _loose(number)))
    for number in numbers:
        path = "/spec/versions/0/schema/openAPIV3Schema"
        patch = [{"op": "replace", "path": path, "value": _schema(number)}]
        yield step("PATCH", f"{_CRDS}/things{number}s.{_GROUP}", patch, "jsonpatch")
    for number in numbers:
        marked = {
            "apiVersion": f"{_GROUP}/v1",
            "kind": f"Thing{number}",
            "metadata": {"name": "m"},
            "mark": "on",
        }
        yield replace(step("POST", _home(number, _OLD), marked, dryRun="All"), until={"status_code": 201})
    yield replace(step("GET", f"/openapi/v3/apis/{_GROUP}/v1"), until={"status_code": 200}, keep=("openapi",))


def _spoilt(rng: Random, obj: dict[str, Any]) -> dict[str, Any]:
    """Give an object with something odd somewhere."""
    below = [place for place in places(obj) if place[0] in ("spec", "status")]
    if not below:
        return {**obj, "spec": rng.choice(ODD)}
    place = rng.choice(below)
    if rng.random() < 0.25 and isinstance(inside(obj, place), dict):
        place = (*place, rng.choice(("a", "b", "zz")))
    found: dict[str, Any] = put(obj, place, rng.choice(ODD))
    return found


def _wanted(rng: Random, number: int, name: str) -> dict[str, Any]:
    found = _object(rng, number, name, _schema(number))
    return _spoilt(rng, found) if rng.random() < 0.35 else found


def _ratcheted(rng: Random, number: int) -> Iterator[Step]:
    """Change one of the old objects, in dry runs."""
    index = rng.randrange(_STORED)
    path = f"{_home(number, _OLD)}/o{index}"
    old = _object(Random(f"objects-{number}-{index}"), number, f"o{index}", _loose(number))
    new = _wanted(rng, number, f"o{index}")
    yield step("PATCH", path, {"metadata": {"labels": {"x": "y"}}}, "merge", dryRun="All")
    yield step("PATCH", path, {"spec": new.get("spec")}, "merge", dryRun="All")
    below = [place for place in places(old) if place[0] == "spec"]
    if below:
        place = rng.choice(below)
        changed = put(old, place, rng.choice(ODD))
        yield step("PATCH", path, {"spec": changed["spec"]}, "merge", dryRun="All")
        target = "/" + "/".join(str(each) for each in place)
        operation = {"op": rng.choice(("remove", "replace")), "path": target, "value": rng.choice(ODD)}
        yield step("PATCH", path, [operation], "jsonpatch", dryRun="All")
    yield step("PATCH", path, new, "apply", fieldManager="one", force="true", dryRun="All")
    yield step("PATCH", f"{path}/status", {"status": new.get("status")}, "merge", dryRun="All")


def _steps(rng: Random) -> Iterable[Step]:
    number = rng.randrange(_DEFINITIONS)
    home = _home(number, "$ns")
    if rng.random() < 0.4:
        yield from _ratcheted(rng, number)
        return
    checks = rng.choice((None, "Strict", "Ignore"))
    for _ in range(rng.randrange(1, 4)):
        yield step("POST", home, _wanted(rng, number, "a"), fieldValidation=checks)
    for _ in range(rng.randrange(1, 5)):
        new = _wanted(rng, number, "a")
        match rng.choice(("put", "merge", "status", "apply", "status-apply")):
            case "put":
                yield replace(step("GET", f"{home}/a"), save={"rv": "metadata.resourceVersion"})
                new["metadata"]["resourceVersion"] = "${rv}"
                yield step("PUT", f"{home}/a", new, fieldValidation=checks)
            case "merge":
                yield step("PATCH", f"{home}/a", new, "merge", fieldValidation=checks)
            case "status":
                yield step("PATCH", f"{home}/a/status", new, "merge")
            case "apply":
                force = rng.choice((None, "true"))
                yield step("PATCH", f"{home}/a", new, "apply", fieldManager=rng.choice("xy"), force=force)
            case "status-apply":
                yield step("PATCH", f"{home}/a/status", new, "apply", fieldManager="z", force="true")
    yield step("GET", home)


AREA = Area("objects", _steps, tuple(_setup()))
