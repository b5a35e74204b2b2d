"""Owners of replicas, as a scale shows them and as its object keeps them."""

from __future__ import annotations

from typing import Any

from roadbed.apimachinery.scaleowners import of_object, of_scale

PLACES = {"apps/v1": ("spec", "replicas"), "apps/v0": None}


def entry(manager: str, operation: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    found = {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1"}
    return {**found, "fieldsV1": fields, **more}


def test_a_scale_shows_only_who_owns_replicas() -> None:
    entries = [
        entry("a", "Apply", {"f:spec": {"f:replicas": {}, "f:paused": {}}}, time="2026-01-01T00:00:00Z"),
        entry("b", "Update", {"f:spec": {"f:paused": {}}}),
        entry("c", "Update", {"f:spec": {"f:replicas": {}}}, apiVersion="apps/v0"),
    ]
    assert of_scale(entries, PLACES) == [
        {
            **entry("a", "Apply", {"f:spec": {"f:replicas": {}}}, time="2026-01-01T00:00:00Z"),
            "apiVersion": "autoscaling/v1",
        }
    ]


def test_replicas_taken_in_the_scale_are_taken_from_their_owner() -> None:
    before = [entry("a", "Update", {"f:spec": {"f:replicas": {}, "f:paused": {}}})]
    taken = entry(
        "s", "Apply", {"f:spec": {"f:replicas": {}}}, apiVersion="autoscaling/v1", subresource="scale"
    )
    assert of_object(before, [taken], PLACES, "apps/v1") == [
        entry("s", "Apply", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        entry("a", "Update", {"f:spec": {"f:paused": {}}}),
    ]


def test_an_owner_of_nothing_but_replicas_is_gone_when_they_are_taken() -> None:
    assert of_object([entry("a", "Update", {"f:spec": {"f:replicas": {}}})], [], PLACES, "apps/v1") == []


def test_an_applier_that_keeps_replicas_keeps_its_entry() -> None:
    mine = entry("a", "Apply", {"f:spec": {"f:replicas": {}}}, time="2026-01-01T00:00:00Z")
    shown = of_scale([mine], PLACES)
    assert of_object([mine], shown, PLACES, "apps/v1") == [mine]


def test_entries_of_unknown_versions_are_dropped() -> None:
    stale = entry("a", "Update", {"f:spec": {"f:x": {}}}, apiVersion="apps/v9")
    kept = entry("b", "Update", {"f:spec": {"f:x": {}}}, apiVersion="apps/v0")
    assert of_object([stale, kept], [], PLACES, "apps/v1") == [kept]
