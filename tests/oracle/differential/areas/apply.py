"""Server-side apply and the ownership of fields: several managers, all ways to write, objects of every list type.

Every write is followed by what it answered, managedFields included. The custom kind has lists of all types, maps
granular and atomic, defaults, free fields and a status.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

from tests.contract.corpus import Step
from tests.oracle.differential.growing import WORDS, inside, places, put, value

from .making import Area, step

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_PART = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _TEXT,
        "size": {"type": "integer", "default": 1},
        "note": _TEXT,
        "colours": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
    },
}
_PAIR = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": _TEXT, "port": {"type": "integer", "default": 80}, "to": _TEXT},
}
_SPEC: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": _TEXT,
        "number": {"type": "integer", "default": 5},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
        "atoms": {"type": "array", "items": _TEXT},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": _PART,
        },
        "pairs": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name", "port"],
            "items": _PAIR,
        },
        "plain": {"type": "array", "items": {"type": "object", "properties": {"a": _TEXT, "b": _NUMBER}}},
        "marks": {"type": "object", "additionalProperties": _TEXT},
        "sealed": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": _TEXT},
        "nest": {
            "type": "object",
            "properties": {
                "a": _TEXT,
                "b": {
                    "type": "object",
                    "properties": {"c": _NUMBER, "d": {"type": "string", "default": "x"}},
                },
            },
        },
        "whole": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "properties": {"a": _TEXT, "b": {"type": "object", "properties": {"c": _NUMBER}}},
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "share": {"x-kubernetes-int-or-string": True},
        "sets": {
            "type": "object",
            "additionalProperties": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
        },
        "deep": {"type": "object", "additionalProperties": _PART},
        "maybe": {"type": "string", "nullable": True},
    },
}
_STATUS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "phase": _TEXT,
        "count": _NUMBER,
        "conditions": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": _TEXT, "status": _TEXT, "reason": _TEXT},
            },
        },
    },
}
_WIDGET = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.differ.dev"},
    "spec": {
        "group": "differ.dev",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC, "status": _STATUS}}
                },
            }
        ],
    },
}
_ENV = {"type": "object", "required": ["name"], "properties": {"name": _TEXT, "value": _TEXT}}
_PORT = {
    "type": "object",
    "required": ["containerPort"],
    "properties": {
        "containerPort": {"type": "integer", "x-pool": (80, 81, 443)},
        "protocol": {"enum": ["TCP", "UDP"]},
        "name": _TEXT,
    },
}
_CONTAINER = {
    "type": "object",
    "required": ["name", "image"],
    "properties": {
        "name": _TEXT,
        "image": _TEXT,
        "args": {"type": "array", "items": _TEXT},
        "env": {"type": "array", "items": _ENV, "x-kubernetes-list-map-keys": ["name"]},
        "ports": {
            "type": "array",
            "items": _PORT,
            "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
        },
        "resources": {
            "type": "object",
            "properties": {
                "requests": {"type": "object", "properties": {"cpu": {"enum": ["1", "100m", "0.5", "1000m"]}}}
            },
        },
    },
}
_POD = {
    "type": "object",
    "required": ["containers"],
    "properties": {
        "containers": {
            "type": "array",
            "minItems": 1,
            "items": _CONTAINER,
            "x-kubernetes-list-map-keys": ["name"],
        },
        "tolerations": {
            "type": "array",
            "items": {"type": "object", "properties": {"key": _TEXT, "operator": {"enum": ["Exists"]}}},
        },
        "nodeSelector": {"type": "object", "additionalProperties": _TEXT},
        "terminationGracePeriodSeconds": _NUMBER,
        "volumes": {
            "type": "array",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": _TEXT, "emptyDir": {"type": "object"}},
            },
        },
    },
}
_SHAPES: dict[str, dict[str, Any]] = {
    "ConfigMap": {
        "type": "object",
        "properties": {
            "data": {"type": "object", "additionalProperties": _TEXT},
            "binaryData": {"type": "object", "additionalProperties": {"enum": ["YQ==", "Yg=="]}},
        },
    },
    "Service": {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["ports"],
                "properties": {
                    "selector": {"type": "object", "additionalProperties": _TEXT},
                    "ports": {
                        "type": "array",
                        "minItems": 1,
                        "x-kubernetes-list-map-keys": ["port", "protocol"],
                        "items": {
                            "type": "object",
                            "required": ["port", "name"],
                            "properties": {
                                "name": _TEXT,
                                "port": {"type": "integer", "x-pool": (80, 81, 443)},
                                "protocol": {"enum": ["TCP", "UDP"]},
                                "targetPort": {"enum": [80, "web", 8080]},
                            },
                        },
                    },
                    "type": {"enum": ["ClusterIP"]},
                    "sessionAffinity": {"enum": ["None", "ClientIP"]},
                    "externalIPs": {"type": "array", "items": {"enum": ["1.2.3.4", "1.2.3.5"]}},
                },
            },
            "status": {
                "type": "object",
                "properties": {
                    "conditions": {
                        "type": "array",
                        "x-kubernetes-list-map-keys": ["type"],
                        "items": {
                            "type": "object",
                            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
                            "properties": {
                                "type": {"enum": ["A", "B"]},
                                "status": {"enum": ["True", "False"]},
                                "reason": {"enum": ["R", "S"]},
                                "message": _TEXT,
                                "lastTransitionTime": {"enum": ["2020-01-01T00:00:00Z"]},
                            },
                        },
                    }
                },
            },
        },
    },
    "Deployment": {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {
                "type": "object",
                "required": ["selector", "template"],
                "properties": {
                    "replicas": _NUMBER,
                    "paused": {"type": "boolean"},
                    "minReadySeconds": _NUMBER,
                    "selector": {"enum": [{"matchLabels": {"app": "a"}}]},
                    "template": {
                        "type": "object",
                        "required": ["metadata", "spec"],
                        "properties": {
                            "metadata": {
                                "enum": [
                                    {"labels": {"app": "a"}},
                                    {"labels": {"app": "a", "b": "c"}},
                                    {"labels": {"app": "a"}, "annotations": {"x": "y"}},
                                ]
                            },
                            "spec": _POD,
                        },
                    },
                },
            },
            "status": {
                "type": "object",
                "properties": {
                    "replicas": _NUMBER,
                    "observedGeneration": _NUMBER,
                    "conditions": {
                        "type": "array",
                        "x-kubernetes-list-map-keys": ["type"],
                        "items": {
                            "type": "object",
                            "required": ["type", "status"],
                            "properties": {
                                "type": {"enum": ["A", "B"]},
                                "status": {"enum": ["True", "False"]},
                                "reason": _TEXT,
                            },
                        },
                    },
                },
            },
        },
    },
    "Widget": {"type": "object", "properties": {"spec": _SPEC, "status": _STATUS}},
}
WHERE = {
    "ConfigMap": ("v1", "/api/v1/namespaces/$ns/configmaps"),
    "Service": ("v1", "/api/v1/namespaces/$ns/services"),
    "Deployment": ("apps/v1", "/apis/apps/v1/namespaces/$ns/deployments"),
    "Widget": ("differ.dev/v1", "/apis/differ.dev/v1/namespaces/$ns/widgets"),
}
_META = {
    "type": "object",
    "properties": {
        "labels": {"type": "object", "additionalProperties": _TEXT},
        "annotations": {"type": "object", "additionalProperties": _TEXT},
        "finalizers": {
            "type": "array",
            "x-kubernetes-list-type": "set",
            "items": {"enum": ["x.dev/a", "x.dev/b"]},
        },
    },
}
_MANAGERS = ("one", "two", "three", "kubectl")
_LAST = "kubectl.kubernetes.io/last-applied-configuration"


def full(rng: Random, kind: str, density: float) -> dict[str, Any]:
    """Give a whole object that is mostly valid."""
    found = {"apiVersion": WHERE[kind][0], "kind": kind}
    found["metadata"] = {"name": "a", **value(rng, _META, density=density * 0.5)}
    found["metadata"] = {name: each for name, each in found["metadata"].items() if each}
    found.update(value(rng, _SHAPES[kind], density=density))
    return found


def partial(rng: Random, kind: str) -> dict[str, Any]:
    """Give a part of an object, as one of several owners applies it."""
    found = full(rng, kind, rng.choice((0.2, 0.4, 0.7)))
    loose = [place for place in places(found) if len(place) > 2 and place[0] != "metadata"]
    for _ in range(rng.randrange(3)):
        place = rng.choice(loose) if loose else ()
        holder = inside(found, place[:-1]) if place else None
        if isinstance(holder, dict) and place[-1] in holder and place[-1] not in ("name", "port", "type"):
            found = put(found, place[:-1], {name: each for name, each in holder.items() if name != place[-1]})
    return found


def _json_patch(rng: Random, kind: str) -> list[dict[str, Any]]:
    found = full(rng, kind, 0.5)
    tops = [name for name in found if name not in ("apiVersion", "kind", "metadata")]
    choices: list[dict[str, Any]] = [
        {"op": "add", "path": "/metadata/labels", "value": {"a": rng.choice(WORDS)}},
        {"op": "replace", "path": "/metadata/managedFields", "value": rng.choice(([], [{}]))},
    ]
    for top in tops:
        for name, member in (found[top] if isinstance(found[top], dict) else {}).items():
            choices.append(
                {"op": rng.choice(("add", "add", "replace")), "path": f"/{top}/{name}", "value": member}
            )
            choices.append({"op": "remove", "path": f"/{top}/{name}"})
    return rng.sample(choices, min(len(choices), rng.randrange(1, 3)))


def _write(rng: Random, kind: str) -> Iterable[Step]:
    path = WHERE[kind][1]
    manager = rng.choice(_MANAGERS)
    part = "/status" if kind != "ConfigMap" and rng.random() < 0.25 else ""
    dry = "All" if rng.random() < 0.08 else None
    match rng.choices(
        ("apply", "merge", "strategic", "json", "put", "post", "delete", "last"), (45, 12, 10, 8, 15, 3, 2, 5)
    )[0]:
        case "apply":
            force = "true" if rng.random() < 0.4 else None
            body = partial(rng, kind)
            yield step(
                "PATCH", f"{path}/a{part}", body, "apply", fieldManager=manager, force=force, dryRun=dry
            )
        case "merge":
            body = partial(rng, kind)
            for place in [each for each in places(body) if len(each) > 1 and rng.random() < 0.1]:
                if isinstance(inside(body, place[:-1]), dict):
                    body = put(body, place, None)
            if rng.random() < 0.1:
                body["metadata"]["managedFields"] = rng.choice(([], [{}]))
            yield step("PATCH", f"{path}/a{part}", body, "merge", fieldManager=manager, dryRun=dry)
        case "strategic":
            yield step("PATCH", f"{path}/a{part}", partial(rng, kind), "strategic", fieldManager=manager)
        case "json":
            yield step("PATCH", f"{path}/a{part}", _json_patch(rng, kind), "jsonpatch", fieldManager=manager)
        case "put":
            yield replace(step("GET", f"{path}/a"), save={"rv": "metadata.resourceVersion"})
            body = full(rng, kind, 0.5)
            body["metadata"]["resourceVersion"] = "${rv}"
            yield step("PUT", f"{path}/a{part}", body, fieldManager=manager, dryRun=dry)
        case "post":
            yield step("POST", path, full(rng, kind, 0.5), fieldManager=manager)
        case "delete":
            yield step("DELETE", f"{path}/a")
        case "last":  # as client-side apply leaves an object, before its user turns to the server's
            body = full(rng, kind, 0.4)
            body["metadata"].pop("finalizers", None)
            noted = json.dumps(body, separators=(",", ":")) + "\n"
            body["metadata"]["annotations"] = {**body["metadata"].get("annotations", {}), _LAST: noted}
            yield step("PATCH", f"{path}/a", body, "merge", fieldManager="kubectl-client-side-apply")
            yield step(
                "PATCH", f"{path}/a", partial(rng, kind), "apply", fieldManager="kubectl", force="true"
            )


def _steps(rng: Random) -> Iterable[Step]:
    kind = rng.choice(("ConfigMap", "Service", "Deployment", "Widget", "Widget"))
    path = WHERE[kind][1]
    first = full(rng, kind, rng.choice((0.3, 0.6)))
    if rng.random() < 0.5:
        yield step("POST", path, first, fieldManager=rng.choice(_MANAGERS))
    else:
        yield step("PATCH", f"{path}/a", first, "apply", fieldManager=rng.choice(_MANAGERS))
    for _ in range(rng.randrange(3, 9)):
        yield from _write(rng, kind)
    yield step("GET", f"{path}/a")


_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
AREA = Area(
    "apply",
    _steps,
    (
        step("POST", _CRDS, _WIDGET),
        replace(step("GET", "/apis/differ.dev/v1/widgets"), until={"status_code": 200}),
        # The real server learns the schema that apply needs a moment after the kind is served.
        replace(step("GET", "/openapi/v3/apis/differ.dev/v1"), until={"status_code": 200}, keep=("openapi",)),
    ),
)
