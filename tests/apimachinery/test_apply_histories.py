"""Histories of applies and updates, replayed beside what Kubernetes' own field manager made of them.

The golden file was recorded by handing random writes, one after another, to the Go implementation
that its first line names; times are left out, and so are histories in which that leaves nulls behind.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest

from roadbed.apimachinery.apply import LAST_APPLIED, FieldManager
from roadbed.apimachinery.errors import ConflictError
from roadbed.apimachinery.nodes import compile_node
from roadbed.apimachinery.structure import Structure

Object = dict[str, Any]

_LINES = (Path(__file__).parent / "golden" / "apply_histories.jsonl").read_bytes().splitlines()
HISTORIES: list[Object] = [orjson.loads(line) for line in _LINES[1:]]


@pytest.fixture(scope="module")
def manager() -> FieldManager:
    schema = orjson.loads(_LINES[0])["schema"]
    return FieldManager(Structure.of(compile_node(schema)), "ex.org/v1")


def comparable(obj: Object) -> tuple[Object, list[bytes]]:
    """Give an object and its entries with what need not be equal taken out: times, and text of JSON."""
    obj = copy.deepcopy(obj)
    entries = obj["metadata"].pop("managedFields", [])
    annotations = obj["metadata"].get("annotations") or {}
    if LAST_APPLIED in annotations:
        annotations[LAST_APPLIED] = orjson.loads(annotations[LAST_APPLIED])
    for entry in entries:
        entry.pop("time", None)
    return obj, sorted(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS) for entry in entries)


def test_the_golden_file_has_histories_of_both_kinds() -> None:
    assert len(HISTORIES) >= 25
    assert {history["name"] for history in HISTORIES} == {"plain", "kubectl"}
    assert any("error" in step for history in HISTORIES for step in history["steps"])


@pytest.mark.parametrize("number", range(len(HISTORIES)))
def test_a_history_goes_as_with_kubernetes(manager: FieldManager, number: int) -> None:
    live: Object | None = None
    for step in HISTORIES[number]["steps"]:
        now = "2026-01-01T00:00:00Z"
        by, obj, error = step["manager"], step["object"], ""
        try:
            if step["operation"] == "apply":
                live = manager.apply(live, obj, manager=by, force=step["force"], now=now)
            else:
                live = manager.update(live, obj, manager=by, now=now)
        except ConflictError as conflict:
            error = conflict.message
        assert sorted(error.split("\n")) == sorted(step.get("error", "").split("\n"))
        assert error or comparable(live or {}) == comparable(step["result"])
