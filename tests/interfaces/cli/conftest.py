"""The command in this process, against a real API server behind a real TLS port."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from roadbed.apimachinery.objects import gvk_of
from roadbed.client import Client
from roadbed.interfaces.cli import main
from roadbed.testing import control_plane, serving


def crd(kind, group, *categories, namespaced=True):
    plural = f"{kind.lower()}s"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    size = {"type": "string", "enum": ["small", "large"]}
    spec = {**anything, "properties": {"size": size}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": {
                "plural": plural,
                "singular": kind.lower(),
                "kind": kind,
                "categories": list(categories),
            },
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {**anything, "properties": {"spec": spec, "status": anything}}
                    },
                }
            ],
        },
    }


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


@dataclass
class Terminal:
    """Runs commands against one server, as its administrator."""

    folder: Path
    client: Client
    capture: Any

    async def run(self, *words, code=0):
        done = await self.start(*words)
        assert done.code == code, done
        return done

    def start(self, *words):
        """Begin a command in a thread; await what is given for its end."""
        self.capture.readouterr()
        return asyncio.create_task(self._run([str(word) for word in words]))

    async def _run(self, words):
        code = await asyncio.to_thread(main, words, platforms=no_platform)
        captured = self.capture.readouterr()
        return Done(code, captured.out, captured.err)

    async def create(self, *objects):
        for obj in objects:
            status = obj.pop("status", None)
            resource = await self.client.resource_for(gvk_of(obj))
            made = await self.client.create(resource, obj)
            if status is not None:
                await self.client.update(resource, {**made, "status": status}, subresource="status")

    async def get(self, obj):
        metadata = obj["metadata"]
        resource = await self.client.resource_for(gvk_of(obj))
        return await self.client.find(resource, metadata["name"], metadata.get("namespace", ""))

    async def set_status(self, obj, status):
        resource = await self.client.resource_for(gvk_of(obj))
        present = await self.get(obj)
        await self.client.update(resource, {**present, "status": status}, subresource="status")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def no_platform(options):
    raise AssertionError("only `up` starts a platform")


@pytest.fixture
async def terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    async with control_plane(crds=()) as plane, serving(plane, tmp_path):
        yield Terminal(tmp_path, plane.client, capsys)


@pytest.fixture
async def shop(terminal):
    """A namespace, an order and what it is made of."""
    await terminal.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        crd("Database", "platform.example.org", "composite"),
        crd("Instance", "cloud.example.org", "managed"),
        crd("Network", "cloud.example.org", "managed"),
    )
    return terminal


@pytest.fixture
def make():
    """Make objects of the shop: a database, its parts, and statuses."""
    return Maker()


class Maker:
    def crd(self, kind, group, *categories):
        return crd(kind, group, *categories)

    def config(self, name, namespace="shop", **labels):
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "data": {"size": "1e3", "agreed": "y"},
        }

    def database(self, name="orders", *parts, namespace="shop", **status):
        refs = [{"apiVersion": "cloud.example.org/v1", "kind": kind, "name": part} for kind, part in parts]
        return {
            "apiVersion": "platform.example.org/v1",
            "kind": "Database",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"size": "small", "crossplane": {"resourceRefs": refs}},
            **({"status": self.conditions(**status)} if status else {}),
        }

    def part(self, kind, name, external="", **status):
        annotations = {"crossplane.io/external-name": external} if external else {}
        return {
            "apiVersion": "cloud.example.org/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
            "spec": {},
            **({"status": self.conditions(**status)} if status else {}),
        }

    def conditions(self, **said):
        """Give a status: True for a condition that holds, a (reason, message) for one that does not."""
        return {
            "conditions": [
                {
                    "type": name,
                    "status": "True" if value is True else "False",
                    "reason": "Available" if value is True else value[0],
                    "message": "" if value is True else value[1],
                    "lastTransitionTime": "2030-01-02T03:04:05Z",
                }
                for name, value in said.items()
            ]
        }
