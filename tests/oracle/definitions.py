"""Records what the real API server says of the CustomResourceDefinitions in ``tests/apiserver/crds``.

``python -m tests.oracle.definitions`` starts the server, plays every case and writes the answers beside the
cases. Names in messages that Go prints in random order are left as they come: such cases are kept out.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx2 as httpx
from tests.oracle.peer import Peer

HERE = Path(__file__).parent.parent / "apiserver" / "crds"
ROOT = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
VERBS = {"create": "POST", "get": "GET", "update": "PUT", "delete": "DELETE"}
SERVED_S = 6.0  # until every definition, or its change, is served
TABLES = {"cases": "answers"}


def _table() -> Any:
    spec = importlib.util.spec_from_file_location("crd_cases", HERE / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def record(url: str, token: str, ca: str) -> None:
    """Play every case against the server at ``url`` and write the answers."""
    table = _table()
    headers = {"Authorization": f"Bearer {token}"}
    verify = ssl.create_default_context(cafile=ca)
    async with httpx.AsyncClient(base_url=url, headers=headers, verify=verify) as client:
        await record_objects(client)

        async def send(verb: str, name: str, body: Any) -> tuple[int, Any, list[str]]:
            verb, _, subresource = verb.partition("/")
            if verb == "settled":
                await asyncio.sleep(0.5)
                verb = "get"
            path = ROOT if verb == "create" else f"{ROOT}/{name}"
            path += f"/{subresource}" if subresource else ""
            answer = await client.request(VERBS[verb], path, json=body)
            if verb in ("create", "update") and answer.is_success and not subresource:
                await _settled(client, name)
            if verb == "delete":
                while (await client.get(f"{ROOT}/{name}")).status_code != 404:
                    await asyncio.sleep(0.02)
            warnings = [
                each.removeprefix('299 - "').removesuffix('"').replace('\\"', '"')
                for each in answer.headers.get_list("warning")
            ]
            return answer.status_code, answer.json(), warnings

        for source, target in TABLES.items():
            found = {case["name"]: await table.play(case, send) for case in table.cases(source)}
            (HERE / f"{target}.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
            sys.stdout.write(f"{len(found)} cases of {source}\n")


async def record_objects(client: httpx.AsyncClient) -> None:
    """Play the cases about objects: all definitions first, as the server takes seconds to serve each."""
    table = _table()
    cases = dict(enumerate(table.cases("objects")))
    found: dict[str, list[Any]] = {}

    async def send(verb: str, name: str, body: Any) -> tuple[int, Any, list[str]]:
        plural, _, one = name.partition("/")
        path = f"/apis/example.org/v1/namespaces/default/{plural}" if one else ROOT
        path += "" if verb == "create" else f"/{one or plural}"
        answer = await client.request(VERBS[verb], path, json=body)
        warnings = [
            each.removeprefix('299 - "').removesuffix('"').replace('\\"', '"')
            for each in answer.headers.get_list("warning")
        ]
        return answer.status_code, answer.json(), warnings

    for number, case in cases.items():
        crd = table.definition_of(case, number)
        status, body, warnings = await send("create", crd["metadata"]["name"], crd)
        told = getattr(table, "_told")(status, body, warnings)  # noqa: B009 - the table's own
        found[case["name"]] = [] if status == 201 else [told]
    await asyncio.sleep(SERVED_S)
    for number, case in cases.items():
        if not found[case["name"]]:
            found[case["name"]] += await table.play_creates(case, number, send)
        else:
            cases[number] = {**case, "updates": []}
            continue
        if "later" in case:
            crd = table.definition_of(case, number, "later")
            _, live, _ = await send("get", crd["metadata"]["name"], None)
            live["spec"]["versions"] = crd["spec"]["versions"]
            status, body, _ = await send("update", crd["metadata"]["name"], live)
            if status != 200:
                raise RuntimeError(f"{case['name']}: {body}")
    await asyncio.sleep(SERVED_S)
    for number, case in cases.items():
        found[case["name"]] += await table.play_updates(case, number, send)
    text = json.dumps(found, indent=1, sort_keys=True)
    (HERE / "objects-answers.json").write_text(text + "\n")
    sys.stdout.write(f"{len(found)} cases of objects\n")


async def _settled(client: httpx.AsyncClient, name: str) -> None:
    """Wait until the server's controllers have looked at the definition."""
    for _ in range(100):
        crd = (await client.get(f"{ROOT}/{name}")).json()
        names = {each["type"]: each for each in (crd.get("status") or {}).get("conditions") or ()}
        if "Established" in names and names["Established"]["reason"] != "Installing":
            return
        await asyncio.sleep(0.05)


def main() -> int:
    """Record all tables."""
    with tempfile.TemporaryDirectory() as folder, Peer(Path(folder), has_controllers=False) as peer:
        asyncio.run(record(f"https://127.0.0.1:{peer.port}", peer.token, str(Path(folder) / "ca.pem")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
