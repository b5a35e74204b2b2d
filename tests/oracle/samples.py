"""Steps on sample objects, done to any API server; what it answered is kept in a form that can be compared.

A step is one YAML document: an object to create, or ``do: patch`` (merge patch, ``subresource`` if given),
``do: get``, ``do: update``, ``do: delete``. ``play`` does the steps of a file and then lists every touched resource as a Table.
``python -m tests.oracle.samples`` plays ``tests/apiserver/kinds/samples`` to the real server and writes
``tests/apiserver/kinds/recordings``; ``tests/apiserver/kinds`` plays them to ours.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[1] / "apiserver/kinds"
RESOURCES = Path(__file__).resolve().parents[2] / "src/roadbed/apis/kubernetes/resources.json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
Ask = Callable[[str, str, dict[str, str], Any], Awaitable[tuple[int, Any]]]
"""Sends method, path with query, headers and a JSON body; gives status and decoded answer."""

_GIVEN = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "selfLink")
_AGE = re.compile(r"(\d+[ydhms])+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_AGO = re.compile(r"\(\S+ ago\)")
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ALLOCATED = re.compile(r"10\.0\.(?!0\.77\b|0\.78\b|0\.0\b)\d+\.\d+")
_PORT = re.compile(r"\b3[0-2]\d{3}\b")
_FIXED_PORTS = ("30123", "30124", "30200")


def steps(path: Path) -> list[dict[str, Any]]:
    """Read the steps of a file."""
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


async def play(found: Iterable[dict[str, Any]], ask: Ask) -> list[dict[str, Any]]:
    """Do all steps; give one record for each, then one for each touched resource's Table."""
    records = []
    touched: dict[str, set[str]] = {}
    for step in found:
        collection, one = _paths(step)
        touched.setdefault(collection, set()).add(step["metadata"]["name"])
        status, body = await _do(step, collection, one, ask)
        title = f"{step.get('do', 'create')} {step['apiVersion']} {step['kind']} {step['metadata']['name']}"
        records.append({"step": title, "status": status, "body": _comparable(body)})
    for collection, names in touched.items():
        status, body = await ask("GET", collection, {"accept": TABLE}, None)
        if status != 200:
            records.append({"step": f"table {collection}", "status": status, "body": _comparable(body)})
            continue
        ours = [row for row in body["rows"] if row["object"]["metadata"]["name"] in names]
        rows = [_row(body["columnDefinitions"], row) for row in ours]
        columns = [column["name"] for column in body["columnDefinitions"]]
        records.append({"step": f"table {collection}", "columns": columns, "rows": rows})
    return records


async def _do(step: dict[str, Any], collection: str, one: str, ask: Ask) -> tuple[int, Any]:
    query = "?fieldManager=samples"
    content = {"content-type": "application/json"}
    match step.get("do", "create"):
        case "create":
            return await ask("POST", collection + query, content, step)
        case "patch":
            subresource = f"/{step['subresource']}" if "subresource" in step else ""
            headers = {"content-type": "application/merge-patch+json"}
            return await ask("PATCH", one + subresource + query, headers, step["patch"])
        case "update":
            sent = {name: value for name, value in step.items() if name not in ("do", "subresource")}
            return await ask("PUT", one + query, content, sent)
        case "delete":
            return await ask("DELETE", one, {}, None)
        case "get":
            return await ask("GET", one, {}, None)
    raise ValueError(f"no such step: {step['do']}")


def _paths(step: dict[str, Any]) -> tuple[str, str]:
    group, _, version = step["apiVersion"].rpartition("/")
    facts = next(
        each
        for each in json.loads(RESOURCES.read_text())
        if (each["group"], each["version"], each["kind"]) == (group, version, step["kind"])
    )
    root = f"/apis/{step['apiVersion']}" if group else f"/api/{version}"
    place = f"/namespaces/{step['metadata']['namespace']}" if facts["namespaced"] else ""
    collection = f"{root}{place}/{facts['plural']}"
    return collection, f"{collection}/{step['metadata']['name']}"


def _comparable(value: Any, name: str = "") -> Any:
    """Give an answer without what differs between any two runs."""
    if isinstance(value, dict):
        kept = {key: _comparable(each, key) for key, each in value.items()}
        kept.pop("lastPhaseTransitionTime", None)
        if name == "metadata":
            kept = {key: each for key, each in kept.items() if key not in _GIVEN}
        if "fieldsV1" in kept:
            kept.pop("time", None)
        return kept
    if isinstance(value, list):
        return [_comparable(each, name) for each in value]
    if isinstance(value, str):
        if "\n@@ " in value:  # a difference of Go structs, which is theirs alone
            value = value.partition("\n@@ ")[0]
        return _ALLOCATED.sub("<allocated>", _UID.sub("<uid>", value))
    if name in ("nodePort", "healthCheckNodePort") and str(value) not in _FIXED_PORTS:
        return "<port>"
    return value


def _row(columns: list[dict[str, Any]], row: dict[str, Any]) -> list[Any]:
    cells = []
    for column, cell in zip(columns, row["cells"], strict=False):
        text = str(cell)
        shown = cell
        if column["name"] in (
            "Age",
            "Last Seen",
            "First Seen",
            "Created At",
            "Last Schedule",
            "Duration",
        ) and (_AGE.fullmatch(text) or _TIME.fullmatch(text)):
            shown = "<time>"
        elif isinstance(cell, str):
            fixed = _UID.sub("<uid>", _ALLOCATED.sub("<allocated>", _AGO.sub("(<time> ago)", cell)))
            shown = _PORT.sub(lambda found: found[0] if found[0] in _FIXED_PORTS else "<port>", fixed)
        cells.append(shown)
    return cells


def files() -> Iterator[Path]:
    """Give the sample files, in order."""
    yield from sorted((FOLDER / "samples").glob("*.yaml"))


async def _record() -> None:
    import httpx2 as httpx
    from tests.oracle.peer import Peer

    with tempfile.TemporaryDirectory(prefix="samples-") as folder:
        for path in files():
            with Peer(Path(folder) / path.stem) as peer:
                async with httpx.AsyncClient(
                    base_url=f"https://127.0.0.1:{peer.port}",
                    verify=str(peer.folder / "ca.pem"),
                    headers={"authorization": f"Bearer {peer.token}"},
                ) as client:

                    async def ask(
                        method: str, path: str, headers: dict[str, str], body: Any
                    ) -> tuple[int, Any]:
                        answer = await client.request(method, path, headers=headers, json=body)
                        return answer.status_code, answer.json()

                    deadline = time.monotonic() + 20
                    while (await ask("GET", "/api/v1/namespaces/default/serviceaccounts/default", {}, None))[
                        0
                    ] != 200:
                        if time.monotonic() > deadline:
                            raise RuntimeError("no service account named default appeared")
                        time.sleep(0.1)
                    records = await play(steps(path), ask)
            target = FOLDER / "recordings" / f"{path.stem}.json"
            target.parent.mkdir(exist_ok=True)
            lines = ",\n".join(json.dumps(each, sort_keys=True) for each in records)
            target.write_text(f"[\n{lines}\n]\n")
            sys.stdout.write(f"{target.name}: {len(records)} records\n")


if __name__ == "__main__":
    import asyncio

    asyncio.run(_record())
