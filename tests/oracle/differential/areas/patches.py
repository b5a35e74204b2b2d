"""Patches of all types, sound and odd: pointers that lead nowhere, nulls anywhere, directives, other media types.

An object of a kind of the area ``apply`` is made, then patched a few times; most patches are near to what fits, since
what is far off is refused at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from random import Random
from typing import Any

from tests.contract.corpus import Step
from tests.oracle.differential.growing import ODD, WORDS, Place, inside, places, put

from . import apply
from .making import Area, step

_OPERATIONS = ("add", "add", "remove", "replace", "replace", "move", "copy", "test")
_FORMS = ("merge", "strategic", "jsonpatch", "json", "yaml", "apply", "text/plain", "application/merge-patch")


def _pointer(rng: Random, obj: dict[str, Any]) -> str:
    place = rng.choice([each for each in places(obj) if each[0] not in ("apiVersion", "kind")])
    text = "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in place)
    match rng.choices(("as it is", "end", "beyond", "new", "deep", "odd"), (60, 8, 6, 12, 6, 8))[0]:
        case "end":
            return text.rpartition("/")[0] + "/-"
        case "beyond":
            return text.rpartition("/")[0] + rng.choice(("/9", "/-1", "/01", "/1e0"))
        case "new":
            return text.rpartition("/")[0] + "/" + rng.choice(WORDS)
        case "deep":
            return text + "/a/b"
        case "odd":
            return rng.choice(("", "/", "a", "/~2", "//", text.removeprefix("/"), text + "/"))
    return text


def _json_patch(rng: Random, obj: dict[str, Any]) -> list[dict[str, Any]]:
    patch = []
    for _ in range(rng.randrange(1, 4)):
        operation: dict[str, Any] = {"op": rng.choice(_OPERATIONS), "path": _pointer(rng, obj)}
        if operation["op"] in ("move", "copy"):
            operation["from"] = _pointer(rng, obj)
        elif operation["op"] != "remove":
            place = rng.choice(list(places(obj)))
            operation["value"] = rng.choice((inside(obj, place), rng.choice(WORDS), rng.choice(ODD)))
        if rng.random() < 0.05:
            operation.pop(rng.choice(list(operation)))
        patch.append(operation)
    return patch


def _holed(rng: Random, obj: dict[str, Any]) -> dict[str, Any]:
    """Give a part of an object with nulls and odd values in it."""
    below = [each for each in places(obj) if each[0] not in ("apiVersion", "kind") and each != ("metadata",)]
    for _ in range(rng.randrange(1, 4)):
        place = rng.choice(below)
        if inside(obj, place[:-1]) is not None and _is_there(obj, place):
            obj = put(obj, place, None if rng.random() < 0.6 else rng.choice(ODD))
    return obj


def _is_there(obj: Any, place: Place) -> bool:
    holder = inside(obj, place[:-1])
    name = place[-1]
    if isinstance(holder, list):
        return isinstance(name, int) and name < len(holder)
    return isinstance(holder, dict) and name in holder


def _directed(rng: Random, patch: dict[str, Any]) -> dict[str, Any]:
    """Put directives of strategic merge into a patch."""
    holders = [
        each for each in places(patch) if isinstance(inside(patch, each), dict) and each[0] != "metadata"
    ]
    lists = [each for each in places(patch) if isinstance(inside(patch, each), list) and len(each) > 1]
    match rng.choice(("delete", "replace", "list", "retain", "order", "primitives", "bad")):
        case "delete" if holders:
            place = rng.choice(holders)
            return put(patch, place, {**inside(patch, place), "$patch": "delete"})
        case "replace" if holders:
            place = rng.choice(holders)
            return put(patch, place, {**inside(patch, place), "$patch": rng.choice(("replace", "merge"))})
        case "list" if lists:
            place = rng.choice(lists)
            return put(patch, place, [*inside(patch, place), {"$patch": rng.choice(("replace", "delete"))}])
        case "retain" if holders:
            place = rng.choice(holders)
            found = inside(patch, place)
            return put(patch, place, {**found, "$retainKeys": rng.sample(sorted(found), min(len(found), 2))})
        case "order" if lists:
            place = rng.choice(lists)
            found = inside(patch, place)
            keys = [{"name": each.get("name")} if isinstance(each, dict) else each for each in found]
            rng.shuffle(keys)
            return put(patch, (*place[:-1], f"$setElementOrder/{place[-1]}"), keys)
        case "primitives":
            patch = {**patch, "metadata": {**patch.get("metadata", {})}}
            patch["metadata"].pop("finalizers", None)  # which of both goes first is chance
            patch["metadata"]["$deleteFromPrimitiveList/finalizers"] = ["x.dev/a"]
            return patch
        case "bad" if holders:
            place = rng.choice(holders)
            return put(patch, place, {**inside(patch, place), "$patch": rng.choice(("odd", 1, None))})
    return patch


def _patch(rng: Random, kind: str, obj: dict[str, Any]) -> Step:
    path = f"{apply.WHERE[kind][1]}/a"
    part = "/status" if kind != "ConfigMap" and rng.random() < 0.1 else ""
    match rng.choices(("json", "merge", "strategic", "directed", "form", "raw"), (35, 25, 12, 20, 5, 3))[0]:
        case "json":
            return step("PATCH", path + part, _json_patch(rng, obj), "jsonpatch")
        case "merge":
            return step("PATCH", path + part, _holed(rng, apply.partial(rng, kind)), "merge")
        case "strategic":
            return step("PATCH", path + part, _holed(rng, apply.partial(rng, kind)), "strategic")
        case "directed":
            return step("PATCH", path + part, _directed(rng, apply.partial(rng, kind)), "strategic")
        case "form":
            return step("PATCH", path + part, apply.partial(rng, kind), rng.choice(_FORMS), fieldManager="x")
    body = rng.choice(("", "{", "[]", "null", "1", '"a"', "{}", "[{}]", "[null]", '{"metadata": null}'))
    return step("PATCH", path + part, body, rng.choice(("merge", "strategic", "jsonpatch")))


def _steps(rng: Random) -> Iterable[Step]:
    kind = rng.choice(("ConfigMap", "Service", "Deployment", "Deployment", "Widget"))
    obj = apply.full(rng, kind, 0.6)
    yield step("POST", apply.WHERE[kind][1], obj)
    for _ in range(rng.randrange(2, 5)):
        yield _patch(rng, kind, json.loads(json.dumps(obj)))


AREA = Area("patches", _steps, apply.AREA.setup)
