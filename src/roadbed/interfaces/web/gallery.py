"""Samples for the gallery page: every piece in every state, so that a change of style is seen at once.

Made-up values, shown on ``/settings/gallery`` only and said to be so there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.gvk import GVK, Resource

from . import apidoc
from .health import Health
from .listing import Row
from .portal import Permission
from .tree import Node

_BUCKET = Resource("s3.aws.m.upbound.io", "v1beta1", "buckets", "Bucket")
_DATABASE = Resource("platform.example.org", "v1alpha1", "databases", "Database")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["engine", "size"],
            "properties": {
                "engine": {
                    "type": "string",
                    "enum": ["postgres", "mysql"],
                    "description": "What the database speaks.",
                },
                "size": {"type": "string", "enum": ["small", "medium", "large"], "default": "small"},
                "storageGB": {"type": "integer", "minimum": 20, "maximum": 1000, "default": 20},
                "deletionProtection": {
                    "type": "boolean",
                    "default": True,
                    "description": "Refuse to delete it until this is switched off.",
                },
                "maintenance": {
                    "type": "object",
                    "description": "When upgrades may happen.",
                    "properties": {
                        "day": {"type": "string", "enum": ["sunday", "wednesday"]},
                        "hour": {"type": "integer", "minimum": 0, "maximum": 23},
                    },
                },
                "access": {
                    "type": "object",
                    "description": "Who may connect.",
                    "oneOf": [
                        {"required": ["cidrs"]},
                        {"required": ["securityGroup"]},
                    ],
                    "properties": {
                        "cidrs": {"type": "array", "items": {"type": "string", "pattern": r"^[0-9.]+/\d+$"}},
                        "securityGroup": {"type": "string", "pattern": "^sg-[0-9a-f]+$"},
                    },
                },
                "users": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "role": {"type": "string", "enum": ["reader", "writer"], "default": "reader"},
                        },
                    },
                },
                "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                "port": {"x-kubernetes-int-or-string": True, "description": "A number or a name."},
                "settings": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "crossplane": {
                    "type": "object",
                    "properties": {
                        "compositionUpdatePolicy": {"type": "string", "enum": ["Automatic", "Manual"]}
                    },
                },
            },
        }
    },
}
VALUE: dict[str, Any] = {
    "spec": {
        "engine": "postgres",
        "storageGB": 2000,
        "access": {"cidrs": ["10.0.0.0/16", "not a network"]},
        "users": [{"name": "orders", "role": "writer"}],
        "tags": {"team": "shop"},
    }
}
CAUSES = (
    Cause("FieldValueInvalid", "should be less than or equal to 1000", "spec.storageGB"),
    Cause("FieldValueInvalid", r"should match '^[0-9.]+/\d+$'", "spec.access.cidrs[1]"),
)

_HEALTHS = (
    Health("healthy", "Ready.", "Available"),
    Health("progressing", "Being created: waiting for the subnet group.", "Creating"),
    Health(
        "degraded",
        "cannot create external resource: the bucket name is taken; choose another.",
        "ReconcileError",
    ),
    Health("missing", "Not created yet.", "NotFound"),
    Health(
        "suspended", "Paused: nothing changes until the annotation crossplane.io/paused is removed.", "Paused"
    ),
    Health("unknown", "You may not see it: ask for the right to get buckets.", "Forbidden"),
)


def samples(now: datetime) -> dict[str, Any]:
    """Give the values of the gallery's template."""
    then = (now - timedelta(minutes=12)).isoformat()
    return {
        "healths": _HEALTHS,
        "tree": _tree(then),
        "rows": [
            Row(_BUCKET, "shop", f"orders-{health.state}", health, "orders-3f2a91", then, health.state)
            for health in _HEALTHS
        ],
        "sample_conditions": _conditions(then),
        "sample_events": _events(then),
        "sample_yaml": _SAMPLE,
        "document": apidoc.read(_OPENAPI),
        "refused": Permission(
            False, "You may not delete databases in namespace shop. Ask an admin of the namespace."
        ),
        "then": then,
    }


def _tree(then: str) -> Node:
    leaves = tuple(
        Node(
            _BUCKET.gvk,
            "shop",
            f"orders-{health.state}",
            health,
            1,
            slot=health.state,
            external="orders-3f2a91" if health.state == "healthy" else "",
            created=then,
            resource=_BUCKET,
        )
        for health in _HEALTHS
    )
    top = Health("degraded", "cannot compose resources: one of them failed", "ReconcileError", then)
    gvk: GVK = _DATABASE.gvk
    return Node(gvk, "shop", "orders", top, 0, created=then, resource=_DATABASE, children=leaves)


def _conditions(then: str) -> list[dict[str, str]]:
    return [
        {
            "type": "Synced",
            "status": "False",
            "reason": "ReconcileError",
            "message": _HEALTHS[2].sentence,
            "lastTransitionTime": then,
        },
        {"type": "Ready", "status": "True", "reason": "Available", "lastTransitionTime": then},
        {"type": "Responsive", "status": "Unknown", "reason": "WatchCircuitOpen", "lastTransitionTime": then},
    ]


def _events(then: str) -> list[dict[str, Any]]:
    source = {"component": "composition"}
    return [
        {
            "type": "Normal",
            "reason": "ComposeResources",
            "message": "Successfully composed resources",
            "count": 12,
            "lastTimestamp": then,
            "source": source,
        },
        {
            "type": "Warning",
            "reason": "CannotCreateExternalResource",
            "message": _HEALTHS[2].sentence,
            "count": 1,
            "lastTimestamp": then,
            "source": source,
        },
    ]


_SAMPLE = """# what was asked for
apiVersion: platform.example.org/v1alpha1
kind: Database
metadata:
  name: orders
  namespace: shop
spec:
  engine: postgres
  storageGB: 20
  deletionProtection: true
  users:
    - name: orders
      role: writer
"""

_OPENAPI = """
openapi: 3.0.3
info: {title: Orders, version: 1.4.0, description: Orders of the shop.}
servers: [{url: https://orders.example.org}]
paths:
  /orders:
    get:
      summary: List orders
      parameters: [{name: state, in: query, schema: {type: string, enum: [open, paid]}, description: Only these.}]
      responses:
        "200": {description: The orders., content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Order"}}}}}
    post:
      summary: Place an order
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
      responses: {"201": {description: Placed.}, "422": {description: Something is missing.}}
components:
  schemas:
    Order:
      type: object
      required: [id]
      properties: {id: {type: string, format: uuid}, total: {type: number, description: In cents.}}
"""
