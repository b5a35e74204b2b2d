"""Stock kubectl against a real TLS listener: what users type works, and says what they expect."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from roadbed.testing import control_plane, serving

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(60)]

KUBECTL = shutil.which("kubectl")
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: databases.platform.example.org}
spec:
  group: platform.example.org
  scope: Namespaced
  names: {plural: databases, kind: Database, shortNames: [db], categories: [managed]}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Size, type: string, jsonPath: .spec.size}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [engine]
            properties:
              engine: {type: string, enum: [postgres, mysql], description: Which engine to run.}
              size: {type: string, default: small}
              replicas: {type: integer, default: 1}
            x-kubernetes-validations:
            - {rule: "self.replicas <= 10", message: "replicas must be <= 10"}
          status:
            type: object
            properties:
              replicas: {type: integer}
              conditions:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [type]
                items:
                  type: object
                  required: [type, status]
                  properties: {type: {type: string}, status: {type: string}}
"""
DATABASE = """
apiVersion: platform.example.org/v1alpha1
kind: Database
metadata: {name: orders}
spec: {engine: postgres}
"""

Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Run]:
    """Run kubectl as the admin; gives its code and all it printed."""
    if KUBECTL is None:
        reason = "kubectl is missing: install kubectl (Debian: kubernetes-client)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)

    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "kubeconfig"), "HOME": str(tmp_path)}

    async def run(*arguments: str, stdin: str = "") -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
        )
        async with asyncio.timeout(20):
            output, _ = await process.communicate(stdin.encode())
        return process.returncode or 0, output.decode()

    async with control_plane(crds=()) as plane, serving(plane, tmp_path):
        yield run


async def ok(kubectl: Run, *arguments: str, stdin: str = "") -> str:
    code, output = await kubectl(*arguments, stdin=stdin)
    assert code == 0, output
    return output


async def as_json(kubectl: Run, *arguments: str) -> Any:
    return orjson.loads(await ok(kubectl, "get", *arguments, "-o", "json"))


async def test_built_in_kinds_are_created_shown_and_deleted(kubectl: Run) -> None:
    assert "created" in await ok(kubectl, "create", "ns", "shop")
    await ok(kubectl, "create", "configmap", "a", "-n", "shop", "--from-literal=x=y")
    await ok(kubectl, "create", "secret", "generic", "s", "-n", "shop", "--from-literal=p=q")
    await ok(kubectl, "create", "sa", "builder", "-n", "shop")
    table = await ok(kubectl, "get", "cm,secret,sa", "-n", "shop")
    assert "configmap/a   1" in table
    assert "secret/s   Opaque   1" in table
    assert (await as_json(kubectl, "cm", "a", "-n", "shop"))["data"] == {"x": "y"}
    assert "Active" in await ok(kubectl, "get", "ns", "shop")
    assert 'configmap "a" deleted' in await ok(kubectl, "delete", "cm", "a", "-n", "shop")
    code, output = await kubectl("get", "cm", "a", "-n", "shop")
    assert (code, output) == (1, 'Error from server (NotFound): configmaps "a" not found\n')


async def test_apply_label_annotate_and_edit_by_patch(kubectl: Run) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v, gone: soon}\n"
    assert "created" in await ok(kubectl, "apply", "-f", "-", stdin=manifest)
    assert "unchanged" in await ok(kubectl, "apply", "-f", "-", stdin=manifest)
    changed = manifest.replace("k: v, gone: soon", "k: w")
    code, diff = await kubectl("diff", "-f", "-", stdin=changed)
    assert code == 1
    assert "-  gone: soon" in diff
    assert "configured" in await ok(kubectl, "apply", "-f", "-", stdin=changed)
    assert (await as_json(kubectl, "cm", "a"))["data"] == {"k": "w"}
    await ok(kubectl, "label", "cm", "a", "app=web")
    await ok(kubectl, "annotate", "cm", "a", "note=x")
    await ok(kubectl, "patch", "cm", "a", "--type=strategic", "-p", '{"data":{"n":"1"}}')
    await ok(kubectl, "patch", "cm", "a", "--type=json", "-p", '[{"op":"remove","path":"/data/k"}]')
    found = await as_json(kubectl, "cm", "a")
    assert found["data"] == {"n": "1"}
    assert found["metadata"]["labels"] == {"app": "web"}
    assert "a " in await ok(kubectl, "get", "cm", "-l", "app=web")
    assert "No resources found" in await ok(kubectl, "get", "cm", "-l", "app!=web,app")


async def test_server_side_apply_reports_conflicts_and_force_takes_over(kubectl: Run) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: v}\n"
    await ok(kubectl, "apply", "--server-side", "--field-manager=one", "-f", "-", stdin=manifest)
    other = manifest.replace("k: v", "k: w")
    arguments = ("apply", "--server-side", "--field-manager=two", "-f", "-")
    code, output = await kubectl(*arguments, stdin=other)
    assert code == 1
    assert 'Apply failed with 1 conflict: conflict with "one"' in output
    await ok(kubectl, *arguments, "--force-conflicts", stdin=other)
    assert (await as_json(kubectl, "cm", "a"))["data"] == {"k": "w"}


async def test_custom_resources_behave_as_built_in_ones(kubectl: Run) -> None:
    await ok(kubectl, "apply", "-f", "-", stdin=CRD)
    await ok(
        kubectl, "wait", "--for=condition=Established", "crd/databases.platform.example.org", "--timeout=5s"
    )
    assert "created" in await ok(kubectl, "apply", "-f", "-", stdin=DATABASE)
    lines = (await ok(kubectl, "get", "managed")).splitlines()
    assert [line.split() for line in lines] == [["NAME", "SIZE", "READY"], ["orders", "small"]]
    explained = await ok(kubectl, "explain", "database.spec")
    assert "Which engine to run." in explained
    assert "enum: postgres, mysql" in explained
    status = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    await ok(kubectl, "patch", "db", "orders", "--subresource=status", "--type=merge", "-p", status)
    await ok(kubectl, "wait", "--for=condition=Ready", "db/orders", "--timeout=5s")
    await ok(kubectl, "scale", "db", "orders", "--replicas=3")
    assert (await as_json(kubectl, "db", "orders"))["spec"]["replicas"] == 3
    for wrong, message in (
        ("engine: oracle", 'spec.engine: Unsupported value: "oracle": supported values: "postgres", "mysql"'),
        ("engine: mysql, replicas: 20", "replicas must be <= 10"),
        ("engine: mysql, typo: 1", 'strict decoding error: unknown field "spec.typo"'),
    ):
        code, output = await kubectl("apply", "-f", "-", stdin=DATABASE.replace("engine: postgres", wrong))
        assert code == 1
        assert message in output
    assert "deleted" in await ok(kubectl, "delete", "crd", "databases.platform.example.org")
    code, output = await kubectl("get", "databases")
    assert code == 1
    assert "(NotFound)" in output


async def test_watching_prints_changes_as_they_come(kubectl: Run) -> None:
    await ok(kubectl, "create", "configmap", "a")
    watching = asyncio.create_task(
        kubectl("get", "cm", "-w", "--request-timeout=3s", "--output-watch-events")
    )
    await ok(kubectl, "create", "configmap", "b")
    await ok(kubectl, "delete", "cm", "a")
    _, output = await watching
    events = [line.split()[:2] for line in output.splitlines()[1:]]
    assert ["ADDED", "a"] in events
    assert ["ADDED", "b"] in events
    assert ["DELETED", "a"] in events


async def test_rights_are_asked_and_refused_in_kubernetes_words(kubectl: Run) -> None:
    await ok(kubectl, "create", "role", "reader", "--verb=get", "--resource=configmaps")
    await ok(kubectl, "create", "rolebinding", "joe-reads", "--role=reader", "--user=joe")
    assert await ok(kubectl, "auth", "can-i", "get", "configmaps", "--as=joe") == "yes\n"
    assert (await kubectl("auth", "can-i", "delete", "configmaps", "--as=joe"))[1].startswith("no")
    assert "configmaps" in await ok(kubectl, "auth", "can-i", "--list", "--as=joe")
    code, output = await kubectl("delete", "cm", "a", "--as=joe")
    assert code == 1
    assert (
        'User "joe" cannot delete resource "configmaps" in API group "" in the namespace "default"' in output
    )
    assert "admin" in await ok(kubectl, "auth", "whoami")


async def test_events_and_describe_find_what_an_event_is_about(kubectl: Run) -> None:
    await ok(kubectl, "create", "configmap", "a")
    uid = (await as_json(kubectl, "cm", "a"))["metadata"]["uid"]
    event = f"""
apiVersion: v1
kind: Event
metadata: {{name: a.1, namespace: default}}
involvedObject: {{apiVersion: v1, kind: ConfigMap, name: a, namespace: default, uid: {uid}}}
reason: Looked
message: somebody looked
type: Normal
firstTimestamp: "2030-01-01T00:00:00Z"
lastTimestamp: "2030-01-01T00:00:00Z"
"""
    await ok(kubectl, "create", "-f", "-", stdin=event)
    assert "somebody looked" in await ok(kubectl, "describe", "cm", "a")
    assert "somebody looked" in await ok(kubectl, "get", "events")
    assert "somebody looked" in await ok(kubectl, "events", "--for=configmap/a")
