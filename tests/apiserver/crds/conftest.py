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

from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.gvk import Resource
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


def definition_of(case: dict[str, Any], number: int, member: str = "schema") -> dict[str, Any]:
    """Give the definition that belongs to a case about objects."""
    crd = plain()
    crd["metadata"]["name"] = f"w{number}s.example.org"
    crd["spec"]["names"] = {"plural": f"w{number}s", "kind": f"W{number}"}
    openapi = {"type": "object", "properties": {"spec": case[member]}}
    crd["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": openapi}
    return crd


def instance(number: int, spec: Any, name: str = "o") -> dict[str, Any]:
    """Give an object of a case's definition."""
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "example.org/v1", "kind": f"W{number}", "metadata": meta, "spec": spec}


async def play_creates(case: dict[str, Any], number: int, send: Send) -> list[dict[str, Any]]:
    """Create a case's objects; gives an answer for each."""
    told = []
    for index, spec in enumerate([case["object"], *(case.get("tries") or ())]):
        name = "o" if index == 0 else f"t{index}"
        told.append(_shown(*await send("create", f"w{number}s/{name}", instance(number, spec, name))))
    return told


async def play_updates(case: dict[str, Any], number: int, send: Send) -> list[dict[str, Any]]:
    """Send a case's updates; gives an answer for each."""
    told = []
    for change in case.get("updates") or ():
        _, live, _ = await send("get", f"w{number}s/o", None)
        _merge(live["spec"], change)
        told.append(_shown(*await send("update", f"w{number}s/o", live)))
    return told


def _shown(status: int, body: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    found = _told(status, body, warnings) if body.get("kind") == "Status" else {"status": status}
    if body.get("kind") != "Status":
        found["spec"] = body["spec"]
        if warnings:
            found["warnings"] = sorted(warnings)
    return found


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
def replay_objects(api: Any) -> Callable[[dict[str, Any], int], Awaitable[list[dict[str, Any]]]]:
    """Plays a case about objects against our server, in process."""

    async def play_all(case: dict[str, Any], number: int) -> list[dict[str, Any]]:
        resource = Resource("example.org", "v1", f"w{number}s", f"W{number}")

        async def send(verb: str, name: str, body: Any) -> tuple[int, Any, list[str]]:
            asked = resource if "/" in name else CRDS
            name = "" if verb == "create" else name.rpartition("/")[2]
            namespace = "" if asked is CRDS else "default"
            try:
                answer = await api.answer(verb, asked, name, namespace, body=body)
            except ApiError as error:
                return error.code, error.to_status(), []
            return answer.status, orjson.loads(answer.body), list(answer.warnings)

        crd = definition_of(case, number)
        status, body, warnings = await send("create", crd["metadata"]["name"], crd)
        if status != 201:
            return [_told(status, body, warnings)]
        told = await play_creates(case, number, send)
        if "later" in case:
            _, live, _ = await send("get", crd["metadata"]["name"], None)
            live["spec"]["versions"] = definition_of(case, number, "later")["spec"]["versions"]
            status, body, warnings = await send("update", crd["metadata"]["name"], live)
            assert status == 200, body
        return told + await play_updates(case, number, send)

    return play_all


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
        if verb == "delete":
            await _gone(api, name)
        return answer.status, orjson.loads(answer.body), list(answer.warnings)

    return send


async def _gone(api: Any, name: str) -> None:
    """Wait until the server's own task has let a deleted definition go."""
    async with asyncio.timeout(1):
        while True:
            try:
                await api.get(CRDS, name)
            except NotFoundError:
                return
            await asyncio.sleep(0)


@pytest.fixture
def replay(sender: Send) -> Callable[[dict[str, Any]], Awaitable[list[dict[str, Any]]]]:
    return lambda case: play(case, sender)
