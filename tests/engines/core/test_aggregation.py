"""Aggregated ClusterRoles show the rules that they collect, while others come, change and go."""

from __future__ import annotations

from typing import Any

from roadbed.apis.rbac import CLUSTERROLES
from roadbed.testing import ControlPlane, control_plane, eventually

GROUP = "rbac.authorization.k8s.io"


def role(name: str, *rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    meta = {"name": name, "labels": members.pop("labels", {})}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRole",
        "metadata": meta,
        "rules": list(rules),
        **members,
    }


def rule(resource: str) -> dict[str, Any]:
    return {"apiGroups": ["example.org"], "resources": [resource], "verbs": ["get"]}


async def resources(plane: ControlPlane, name: str) -> set[str]:
    found = await plane.client.get(CLUSTERROLES, name)
    return {each for rule in found["rules"] or () for each in rule["resources"]}


async def test_rules_are_collected_and_follow_their_roles() -> None:
    async with control_plane("roadbed.engines.core.plugin", crds=()) as plane:
        selectors = {"clusterRoleSelectors": [{"matchLabels": {"collect": "yes"}}]}
        await plane.client.create(CLUSTERROLES, role("all", aggregationRule=selectors))
        for plural in ("widgets", "gears"):
            await plane.client.create(CLUSTERROLES, role(plural, rule(plural), labels={"collect": "yes"}))

        async def shows(*wanted: str) -> bool:
            return await resources(plane, "all") == set(wanted)

        assert await eventually(lambda: shows("widgets", "gears"))
        await plane.client.delete(CLUSTERROLES, "gears")
        assert await eventually(lambda: shows("widgets"))
        await plane.client.patch(CLUSTERROLES, "widgets", {"rules": [rule("cogs")]})
        assert await eventually(lambda: shows("cogs"))


async def test_the_default_roles_show_theirs() -> None:
    async with control_plane("roadbed.engines.core.plugin", crds=()) as plane:

        async def is_complete() -> bool:
            view, edit, admin = [await resources(plane, name) for name in ("view", "edit", "admin")]
            return (
                "configmaps" in view and "secrets" in edit - view and "roles" in admin - edit and edit < admin
            )

        assert await eventually(is_complete)


async def test_a_role_that_loses_its_label_is_collected_no_more() -> None:
    async with control_plane("roadbed.engines.core.plugin", crds=()) as plane:
        wanted = [
            {"matchLabels": {"collect": "yes", "also": "this"}},
            {"matchExpressions": [{"key": "extra", "operator": "Exists"}]},
        ]
        await plane.client.create(CLUSTERROLES, role("all", aggregationRule={"clusterRoleSelectors": wanted}))
        await plane.client.create(
            CLUSTERROLES, role("gears", rule("gears"), labels={"collect": "yes", "also": "this"})
        )
        await plane.client.create(CLUSTERROLES, role("half", rule("half"), labels={"collect": "yes"}))
        await plane.client.create(
            CLUSTERROLES, role("cogs", rule("cogs"), rule("gears"), rule("gears"), labels={"extra": ""})
        )

        async def shows(*wanted: str) -> bool:
            found = await plane.client.get(CLUSTERROLES, "all")
            return [rule["resources"][0] for rule in found["rules"] or ()] == list(wanted)

        assert await eventually(lambda: shows("gears", "cogs"))
        await plane.client.patch(CLUSTERROLES, "gears", {"metadata": {"labels": {"also": None}}})
        assert await eventually(lambda: shows("cogs", "gears"))
        await plane.client.patch(CLUSTERROLES, "cogs", {"metadata": {"labels": {"extra": None}}})
        assert await eventually(shows)
