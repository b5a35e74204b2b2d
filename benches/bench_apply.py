"""Field ownership, server-side apply, strategic merge and validation rules, alone: CPU microseconds a call."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from roadbed.apimachinery.apply import FieldManager
from roadbed.apimachinery.cel import CelRules
from roadbed.apimachinery.nodes import compile_node
from roadbed.apimachinery.strategic import strategic_merge
from roadbed.apimachinery.structure import Structure

Object = dict[str, Any]

NOW = "2026-01-01T00:00:00Z"
LATER = "2026-01-01T00:00:09Z"
CALLS = 500

TEXT: Object = {"type": "string"}
NUMBER: Object = {"type": "integer"}
ENTRY: Object = {"type": "object", "properties": {"name": TEXT, "value": TEXT}}
CONTAINER: Object = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "image": TEXT,
        "args": {"type": "array", "items": TEXT},
        "env": {
            "type": "array",
            "items": ENTRY,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "name",
        },
        "limits": {"type": "object", "additionalProperties": TEXT},
    },
}
SPEC: Object = {
    "type": "object",
    "properties": {
        "replicas": NUMBER,
        "containers": {
            "type": "array",
            "items": CONTAINER,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "name",
        },
    },
    "x-kubernetes-validations": [
        {"rule": "self.replicas <= 10", "message": "replicas must be <= 10"},
        {"rule": "self.containers.all(c, c.image.startsWith('registry/'))"},
        {"rule": "self.replicas >= oldSelf.replicas"},
    ],
}
SCHEMA: Object = {
    "type": "object",
    "properties": {"spec": SPEC, "status": {"type": "object", "properties": {"ready": NUMBER}}},
}
CONFIGMAP: Object = {
    "type": "object",
    "properties": {"data": {"type": "object", "additionalProperties": TEXT}},
}


def workload(replicas: int = 3) -> Object:
    """Give an object of 2.8 KB with four containers of eight variables each."""
    container = {
        "args": ["--verbose", "--listen=127.0.0.1"],
        "env": [{"name": f"VARIABLE_{n}", "value": "some value of some length"} for n in range(8)],
        "limits": {"cpu": "500m", "memory": "128Mi"},
    }
    containers = [{"name": f"c{n}", "image": f"registry/image-{n}:v1", **container} for n in range(4)]
    labels = {f"example.org/label-{n}": "value" for n in range(4)}
    meta = {"name": "web", "namespace": "shop", "uid": "u", "labels": labels}
    return {
        "apiVersion": "example.org/v1",
        "kind": "Workload",
        "metadata": meta,
        "spec": {"replicas": replicas, "containers": containers},
    }


async def measure() -> dict[str, float]:
    """Give the figures by name."""
    node = compile_node(SCHEMA)
    manager = FieldManager(Structure.of(node), "example.org/v1", reset=[("status",)])
    status = FieldManager(Structure.of(node), "example.org/v1", "status", [("spec",), ("metadata",)])
    maps = FieldManager(Structure.of(compile_node(CONFIGMAP), builtin=True), "v1")
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"a": "b", "c": "d"},
    }

    wanted = workload()
    live = manager.update(None, wanted, manager="creator", now=NOW)
    same, scaled = copy.deepcopy(live), copy.deepcopy(live)
    scaled["spec"]["replicas"] = 4
    ready = {**copy.deepcopy(live), "status": {"ready": 3}}
    applied = manager.apply(None, workload(), manager="one", force=False, now=NOW)
    fewer = workload()
    del fewer["spec"]["containers"][0]["env"][0]
    patch = {"spec": {"containers": [{"name": "c0", "image": "registry/image-0:v2"}]}}
    rules = CelRules.compile(node)
    assert rules is not None

    return {
        "apply.track_create_configmap_us": _time_us(lambda: maps.update(None, config, manager="m", now=NOW)),
        "apply.track_create_us": _time_us(lambda: manager.update(None, wanted, manager="m", now=NOW)),
        "apply.track_update_us": _time_us(lambda: manager.update(live, scaled, manager="m", now=LATER)),
        "apply.track_noop_us": _time_us(lambda: manager.update(live, same, manager="m", now=LATER)),
        "apply.track_status_us": _time_us(lambda: status.update(live, ready, manager="m", now=LATER)),
        "apply.apply_same_us": _time_us(
            lambda: manager.apply(applied, wanted, manager="one", force=False, now=LATER)
        ),
        "apply.apply_removing_us": _time_us(
            lambda: manager.apply(applied, fewer, manager="one", force=False, now=LATER)
        ),
        "apply.strategic_us": _time_us(lambda: strategic_merge(live, patch, node)),
        "apply.rules_us": _time_us(lambda: rules.validate(scaled, live)),
    }


def _time_us(act: Callable[[], object]) -> float:
    """Give the median of five runs."""

    def run() -> float:
        started = time.process_time()
        for _ in range(CALLS):
            act()
        return (time.process_time() - started) / CALLS * 1e6

    return median(run() for _ in range(5))
