"""The roles that are there from the start: those of Kubernetes as the real API server has them."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from roadbed.apis.rbac import CLUSTERROLES, ROLES
from roadbed.apiserver import defaultroles
from roadbed.testing import control_plane

RECORDED = json.loads((Path(__file__).parent / "recordings" / "default_roles.json").read_text())
REAL = {(each["kind"], each["metadata"]["name"]): each for each in RECORDED}


def grants(role: dict[str, Any]) -> set[tuple[str, ...]]:
    """Give what a role allows, one tuple each, however its rules are grouped."""
    found: set[tuple[str, ...]] = set()
    for rule in role["rules"] or ():
        names = rule.get("resourceNames") or [""]
        words = (rule["verbs"], rule.get("apiGroups") or (), rule.get("resources") or (), names)
        found |= set(product(*words))
        found |= set(product(rule["verbs"], rule.get("nonResourceURLs") or ()))
    return found


@pytest.mark.parametrize("role", defaultroles.roles(), ids=lambda role: role["metadata"]["name"])
def test_a_default_role_is_the_real_one(role: dict[str, Any]) -> None:
    real = REAL[role["kind"], role["metadata"]["name"]]
    assert {name: role["metadata"][name] for name in real["metadata"]} == real["metadata"]
    assert role.get("aggregationRule") == real.get("aggregationRule")
    if "aggregationRule" not in role:  # a controller writes theirs
        assert grants(role) == grants(real)


@pytest.mark.parametrize("binding", defaultroles.bindings(), ids=lambda each: each["metadata"]["name"])
def test_a_default_binding_is_the_real_one(binding: dict[str, Any]) -> None:
    real = REAL[binding["kind"], binding["metadata"]["name"]]
    assert binding["roleRef"] == real["roleRef"]
    by_name = sorted(binding["subjects"], key=lambda subject: subject["name"])
    assert by_name == sorted(real["subjects"], key=lambda subject: subject["name"])


async def test_they_are_there_after_the_start(tmp_path: Path) -> None:
    async with control_plane(crds=()) as plane:
        found = await plane.client.get(CLUSTERROLES, "system:auth-delegator")
        assert len(found["rules"]) == 2
        reader = "extension-apiserver-authentication-reader"
        assert await plane.client.get(ROLES, reader, "kube-system")
