"""Validation and defaults of the built-in kinds: a valid object of each, with one or two places made odd.

The valid objects are the samples of ``tests/apiserver/kinds/samples``; what is put where comes from the kind's
OpenAPI schema (a fitting value for a field that is not there) or from the odd values of ``growing``. Half of the
sequences create the odd object, half update a good one to it: what may not change is judged there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import yaml
from tests.contract.corpus import Step
from tests.oracle.differential.growing import ODD, Place, inside, places, put, value
from tests.oracle.samples import FOLDER

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apis import kubernetes

from .making import Area, step

# Names or contents that nobody else may have; a ServiceCIDR stays, and adds its addresses.
_SKIPPED = ("Event", "CertificateSigningRequest", "APIService", "ServiceCIDR")
_OWN_NAMES = ("IPAddress",)
_CONTROLLED = (
    "ValidatingAdmissionPolicy",
    "FlowSchema",
    "ResourceQuota",
)  # here their status follows by itself


@cache
def samples() -> tuple[tuple[Resource, dict[str, Any]], ...]:
    """Give the valid objects, with the resource of each."""
    served = {(each.api_version, each.kind): each for each in kubernetes.SERVED if "list" in each.verbs}
    found = []
    for path in sorted((FOLDER / "samples").glob("*.yaml")):
        for each in yaml.safe_load_all(path.read_text()):
            if each and "do" not in each and each["kind"] not in _SKIPPED:
                resource = served.get((each["apiVersion"], each["kind"]))
                if resource is not None:
                    found.append((resource, each))
    return tuple(found)


def _resolved(schema: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
    while "$ref" in schema or "allOf" in schema:
        reference = schema.get("$ref") or schema["allOf"][0].get("$ref")
        if reference is None or depth > 20:
            return {}
        schema = kubernetes.load().resolve(reference)
        depth += 1
    return schema


def _schema_at(gvk: GVK, place: Place) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = kubernetes.load().schema(gvk) or {}
    for name in place:
        schema = _resolved(schema)
        if isinstance(name, int):
            schema = schema.get("items") or {}
        else:
            schema = (schema.get("properties") or {}).get(name) or schema.get("additionalProperties") or {}
    return _resolved(schema) if isinstance(schema, Mapping) else {}


def _grown(rng: Random, schema: Mapping[str, Any], depth: int = 0) -> Any:
    """Give a small value that fits: few members, not deep."""
    schema = _resolved(schema)
    properties = schema.get("properties")
    if properties:
        required = schema.get("required") or ()
        free = [name for name in properties if name not in required]
        chosen = [*required, *(rng.sample(free, min(len(free), rng.randrange(3))) if depth < 3 else ())]
        return {name: _grown(rng, properties[name], depth + 1) for name in chosen}
    if schema.get("type") == "array":
        return [_grown(rng, schema.get("items") or {}, depth + 1) for _ in range(rng.randrange(3))]
    if isinstance(schema.get("additionalProperties"), Mapping):
        return {
            name: _grown(rng, schema["additionalProperties"], depth + 1)
            for name in rng.sample(("a", "b", "cpu"), rng.randrange(3))
        }
    if schema.get("format") == "date-time":
        return "2020-01-01T00:00:00Z"
    return value(rng, schema)


def odd(rng: Random, resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
    """Give an object with one place made odd."""
    below = [place for place in places(obj) if place[0] not in ("apiVersion", "kind", "status")]
    below = [
        place for place in below if place[0] != "metadata" or place[1:2] in (("labels",), ("annotations",))
    ]
    if not below:
        return obj
    place = rng.choice(below)
    match rng.choices(("drop", "odd", "like", "add", "double", "number"), (20, 25, 15, 30, 5, 10))[0]:
        case "drop":
            holder = inside(obj, place[:-1])
            if isinstance(holder, dict):
                return put(
                    obj, place[:-1], {name: each for name, each in holder.items() if name != place[-1]}
                )
            return put(obj, place[:-1], [each for index, each in enumerate(holder) if index != place[-1]])
        case "odd":
            return put(obj, place, rng.choice(ODD))
        case "like":
            return put(obj, place, _alike(rng, inside(obj, place), resource, place))
        case "number":
            numbers = [each for each in below if type(inside(obj, each)) is int]
            if numbers:
                return put(obj, rng.choice(numbers), rng.choice((0, -1, 1, 2, 100, 101, 65_536, 2**31 - 1)))
        case "double":
            lists = [each for each in below if isinstance(inside(obj, each), list) and inside(obj, each)]
            if lists:
                chosen = rng.choice(lists)
                found = inside(obj, chosen)
                return put(obj, chosen, [*found, rng.choice(found)])
        case "add":
            holders = [each for each in [*below, ("metadata",)] if isinstance(inside(obj, each), dict)]
            holder = rng.choice(holders)
            schema = _schema_at(resource.gvk, holder)
            absent = [name for name in schema.get("properties") or () if name not in inside(obj, holder)]
            if absent and holder != ("metadata",):
                name = rng.choice(absent)
                return put(obj, (*holder, name), _grown(rng, schema["properties"][name]))
    return obj


def _alike(rng: Random, found: Any, resource: Resource, place: Place) -> Any:
    """Give another value of the type that the place has."""
    pool = [each for each in ODD if type(each) is type(found)]
    if isinstance(found, (dict, list)):
        return _grown(rng, _schema_at(resource.gvk, place))
    return rng.choice(pool) if pool else rng.choice(ODD)


def _steps(rng: Random) -> Iterable[Step]:
    resource, sample = rng.choice(samples())
    good = {**sample, "metadata": {**sample["metadata"]}}
    good["metadata"].pop("namespace", None)
    if not resource.namespaced and sample["kind"] not in _OWN_NAMES:
        good["metadata"]["name"] = "$ns"
    prefix = f"/apis/{resource.api_version}" if resource.group else "/api/v1"
    home = f"{prefix}/namespaces/$ns" if resource.namespaced else prefix
    path = f"{home}/{resource.plural}"
    one = f"{path}/{good['metadata']['name']}"
    if sample["kind"] == "Pod":  # whether accounts are asked for is not what is compared
        good = {**good, "spec": {"serviceAccountName": "default", **good["spec"]}}
    if sample["kind"] == "Service":  # addresses and ports that a sample names are taken after the first time
        named = ("clusterIP", "healthCheckNodePort")
        spec = {name: each for name, each in good["spec"].items() if name not in named or each == "None"}
        ports = [
            {name: each for name, each in port.items() if name != "nodePort"}
            for port in spec.get("ports", ())
        ]
        good = {**good, "spec": {**spec, "ports": ports} if ports else spec}
    bad = odd(rng, resource, good)
    if rng.random() < 0.3:
        bad = odd(rng, resource, bad)
    if sample["kind"] in _CONTROLLED or rng.random() < 0.5:
        yield step("POST", path, bad)
    else:
        yield replace(step("POST", path, good), save={"rv": "metadata.resourceVersion"})
        bad = {**bad, "metadata": {**bad["metadata"], "resourceVersion": "${rv}"}}
        yield step("PUT", one, bad)
    if not resource.namespaced:
        yield step("DELETE", one)


AREA = Area("kinds", _steps)
