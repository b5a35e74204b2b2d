"""Record what the real API server tells of its built-in kinds: names, verbs, subresources, table columns, enumerations.

Run by a developer, never by users: ``python tools/record_kinds.py``. Starts the real kube-apiserver (see
``tests/oracle/peer.py``; it must be built) and writes ``src/roadbed/apis/kubernetes/resources.json`` (one line a
resource, readable in a review), ``columns.json.xz`` (the columns of each resource's Table, with their prose) and
``enumerations.json`` (which values of a field OpenAPI tells; the published documents leave them out) and
``defaults.json`` (the roles, bindings and priority classes that it makes at its first start, one line each).
The same release gives the same bytes.
"""

from __future__ import annotations

import json
import lzma
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.oracle.peer import Peer  # noqa: E402 - the repository is not installed as a package

OUTPUT = ROOT / "src/roadbed/apis/kubernetes"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
# Off by default in the real server, served here: the policies are implemented.
EXTRA = "--runtime-config=admissionregistration.k8s.io/v1beta1=true"
EXTRA_GATES = "--feature-gates=MutatingAdmissionPolicy=true"
DEFAULTS = {
    "rbac.authorization.k8s.io/v1/clusterroles": "ClusterRole",
    "rbac.authorization.k8s.io/v1/clusterrolebindings": "ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/roles": "Role",
    "rbac.authorization.k8s.io/v1/rolebindings": "RoleBinding",
    "scheduling.k8s.io/v1/priorityclasses": "PriorityClass",
}


def resources(client: httpx.Client) -> Iterator[dict[str, Any]]:
    """Give one line of facts for each resource, in the order of discovery."""
    for path in ("/api", "/apis"):
        document = client.get(path, headers={"accept": DISCOVERY}).raise_for_status().json()
        for group in document["items"]:
            for version in group["versions"]:
                for found in version["resources"]:
                    yield _facts(group["metadata"].get("name", ""), version["version"], found)


def _facts(group: str, version: str, found: dict[str, Any]) -> dict[str, Any]:
    facts = {
        "group": group,
        "version": version,
        "plural": found["resource"],
        "kind": found["responseKind"]["kind"],
        "namespaced": found["scope"] == "Namespaced",
        "singular": found["singularResource"],
        "short_names": found.get("shortNames", []),
        "categories": found.get("categories", []),
        "verbs": found["verbs"],
        "subresources": {
            each["subresource"]: {
                "group": each["responseKind"]["group"],
                "version": each["responseKind"]["version"],
                "kind": each["responseKind"]["kind"],
                "verbs": each["verbs"],
            }
            for each in found.get("subresources", ())
        },
    }
    return {name: value for name, value in facts.items() if value not in ([], {})}


def columns(client: httpx.Client, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the columns of one resource's Table."""
    version = f"{facts['group']}/{facts['version']}" if facts["group"] else facts["version"]
    path = f"/{'apis' if facts['group'] else 'api'}/{version}/{facts['plural']}"
    answer = client.get(path, headers={"accept": TABLE}).raise_for_status().json()
    found: list[dict[str, Any]] = answer["columnDefinitions"]
    return found


def enumerations(client: httpx.Client) -> dict[str, dict[str, list[str]]]:
    """Give the values that OpenAPI lists, by definition and place below its properties (``accessModes/items``)."""
    found: dict[str, dict[str, list[str]]] = {}
    for entry in client.get("/openapi/v3").raise_for_status().json()["paths"].values():
        document = client.get(entry["serverRelativeURL"]).raise_for_status().json()
        for name, schema in document.get("components", {}).get("schemas", {}).items():
            places = {
                place: values
                for member, each in schema.get("properties", {}).items()
                for place, values in _listed(member, each)
            }
            if places:
                found[name] = places
    return found


def _listed(place: str, schema: Any) -> Iterator[tuple[str, list[str]]]:
    if "enum" in schema:
        yield place, schema["enum"]
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from _listed(f"{place}/{word}", schema[word])


def defaults(client: httpx.Client) -> Iterator[dict[str, Any]]:
    """Give the objects that a first start makes, roles before their bindings, as they would be written."""
    for path, kind in DEFAULTS.items():
        answer = client.get(f"/apis/{path}").raise_for_status().json()
        for found in answer["items"]:
            kept = {
                name: found["metadata"][name]
                for name in ("name", "namespace", "labels", "annotations")
                if name in found["metadata"]
            }
            version = path.rpartition("/")[0]
            yield {"apiVersion": version, "kind": kind, **found, "metadata": kept}


def main() -> None:
    """Start the real server, ask, write."""
    with tempfile.TemporaryDirectory(prefix="kinds-") as folder:
        flags = (EXTRA, EXTRA_GATES)
        with Peer(Path(folder), has_controllers=False, flags=flags) as peer:
            client = httpx.Client(
                base_url=f"https://127.0.0.1:{peer.port}",
                verify=str(peer.folder / "ca.pem"),
                headers={"authorization": f"Bearer {peer.token}"},
            )
            with client:
                found = list(resources(client))
                shown = {
                    ".".join((each["plural"], each["version"], each["group"])): columns(client, each)
                    for each in found
                    if "list" in each["verbs"]
                }
                listed = enumerations(client)
                made = list(defaults(client))
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in found)
    (OUTPUT / "resources.json").write_text(f"[\n{lines}\n]\n")
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in made)
    (OUTPUT / "defaults.json").write_text(f"[\n{lines}\n]\n")
    lines = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(listed[name], sort_keys=True)}" for name in sorted(listed)
    )
    (OUTPUT / "enumerations.json").write_text(f"{{\n{lines}\n}}\n")
    content = json.dumps(shown, separators=(",", ":"), sort_keys=True).encode()
    packed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    (OUTPUT / "columns.json.xz").write_bytes(packed)
    print(f"{len(found)} resources; columns {len(content):,} bytes, {len(packed):,} packed")


if __name__ == "__main__":
    main()
