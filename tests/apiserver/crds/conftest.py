"""Cases that were put to the real API server, its recorded answers, and how both servers are asked.

``tests/oracle/definitions.py`` records with ``play``; the tests here replay with it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from roadbed.apimachinery.errors import ApiError
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS as CRDS

HERE = Path(__file__).parent
Send = Callable[[str, str, Any], Awaitable[tuple[int, Any, list[str]]]]
"""Sends (verb, name, body); gives status, body and warnings."""


def cases(name: str = "cases") -> list[dict[str, Any]]:
    """Read a table of cases."""
    found: list[dict[str, Any]] = yaml.safe_load((HERE / f"{name}.yaml").read_text())
    return found


def answers(name: str = "answers") -> dict[str, Any]:
    """Read what the real server answered, by case."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return found


def plain() -> dict[str, Any]:
    """Give the definition that every case changes."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [version],
        },
    }


def changed(obj: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Give an object with a case's change."""
    new: dict[str, Any] = orjson.loads(orjson.dumps(obj))
    for member in ("metadata", "spec", "status"):
        _merge(new.setdefault(member, {}), change.get(member) or {})
    if "schema" in change:
        new["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": change["schema"]}
    return {name: value for name, value in new.items() if value}


def _merge(into: dict[str, Any], change: dict[str, Any]) -> None:
    for name, value in change.items():
        if value is None:
            into.pop(name, None)
        elif isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


async def play(case: dict[str, Any], send: Send) -> list[dict[str, Any]]:
    """Create what a case says, change it, and clean up; gives an answer for each step."""
    others = [changed(plain(), each) for each in case.get("before") or ()]
    for other in others:
        await send("create", other["metadata"]["name"], other)
    obj = changed(plain(), case)
    name = obj["metadata"]["name"]
    status, body, warnings = await send("create", name, obj)
    told = [_told(status, body, warnings)]
    if status != 201:
        return told
    for change in case.get("then") or ():
        _, live, _ = await send("get", name, None)
        subresource = change.get("subresource", "")
        status, body, warnings = await send(f"update/{subresource}", name, changed(live, change))
        told.append(_told(status, body, warnings))
    if case.get("conditions"):
        _, live, _ = await send("get", name, None)
        told.append(_standing(live))
        for other in others:
            await send("delete", other["metadata"]["name"], None)
            _, live, _ = await send("settled", name, None)
        told.append(_standing(live))
    await send("delete", name, None)
    return told


def _standing(live: dict[str, Any]) -> dict[str, Any]:
    """Give a definition's names and conditions, without their times."""
    conditions = live["status"]["conditions"]
    return {
        "acceptedNames": live["status"]["acceptedNames"],
        "conditions": sorted(
            " ".join((each["type"], each["status"], each["reason"], each["message"])) for each in conditions
        ),
    }


def _told(status: int, body: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    """Give what can be compared of an answer."""
    found: dict[str, Any] = {"status": status}
    if warnings:
        found["warnings"] = sorted(warnings)
    if body.get("kind") == "Status":
        found["reason"] = body.get("reason")
        found["causes"] = sorted(
            f"{each.get('field')} {each.get('reason')}: {each.get('message')}"
            for each in (body.get("details") or {}).get("causes") or ()
        )
        if not found["causes"]:
            # How a mistyped member is told follows Go's decoder there; what it is about is compared.
            found["message"] = str(body.get("message")).partition(" cannot be handled as ")[0]
    else:
        found["spec"] = {name: value for name, value in body["spec"].items() if name != "versions"}
        found["versions"] = body["spec"]["versions"]
        found["storedVersions"] = body["status"].get("storedVersions")
        found["generation"] = body["metadata"]["generation"]
    return found


@pytest.fixture
def sender(api: Any) -> Send:
    """Sends a case's requests to our server, in process."""

    async def send(verb: str, name: str, body: Any) -> tuple[int, Any, list[str]]:
        verb, _, subresource = verb.partition("/")
        if verb == "settled":
            for _ in range(200):  # the server's own task looks at names again
                await asyncio.sleep(0)
            verb = "get"
        try:
            answer = await api.answer(
                verb, CRDS, "" if verb == "create" else name, body=body, subresource=subresource
            )
        except ApiError as error:
            return error.code, error.to_status(), []
        return answer.status, orjson.loads(answer.body), list(answer.warnings)

    return send


@pytest.fixture
def replay(sender: Send) -> Callable[[dict[str, Any]], Awaitable[list[dict[str, Any]]]]:
    return lambda case: play(case, sender)
