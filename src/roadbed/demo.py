"""What ``up --demo`` adds to a platform: the reference platform with its organisation, and a sandbox cloud.

``app`` opens it before the portal (which shows its banner) and applies it once the engines run. The
reference platform is written to ``platform`` in the data folder, exactly as ``roadbed init`` writes it, and
only where it is not there yet: edits stay. Everything is applied through a client, as a person would.
The sandbox is a process of its own, from the extra ``roadbed[demo]``; it ends with this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from roadbed.apimachinery.objects import gvk_of
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.yamlload import load_all
from roadbed.apis.catalog import SOURCES
from roadbed.client import Client
from roadbed.engines.providers.sandbox import Sandbox, SandboxError
from roadbed.interfaces.cli import PlatformError, write_reference

BANNER = "Sandbox cloud: nothing real is created"
SYSTEM = "roadbed-system"
SERVICES = ("ec2", "iam", "rds", "s3", "sts")


class Demo:
    """The demonstration of one platform."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self._folder = folder
        self._sandbox = sandbox

    @classmethod
    async def open(cls, data_dir: Path) -> Demo:
        """Write the reference platform where there is none, and start the sandbox cloud.

        Raises:
            PlatformError: the sandbox is not installed, or the folder can't be written.
        """
        folder = data_dir / "platform"
        sandbox = Sandbox()
        starting = asyncio.create_task(sandbox.start())  # the slower of the two, so it goes first
        try:
            if not folder.exists():
                await asyncio.to_thread(write_reference, folder)
            await starting
        except BaseException as error:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await sandbox.stop()
            if isinstance(error, SandboxError):
                raise PlatformError(str(error), "or start without it: roadbed up --no-demo") from error
            raise
        return cls(folder, sandbox)

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for whoever started it."""
        return (f"{BANNER.lower()} ({self._sandbox.endpoint})", f"reference platform in {self._folder}")

    async def close(self) -> None:
        """Stop the sandbox; what it held is gone."""
        await self._sandbox.stop()

    async def apply(self, client: Client) -> None:
        """Apply the reference platform; what is already as it says is left alone."""
        for obj in self._objects():
            await client.apply(await client.resource_for(gvk_of(obj)), obj)

    def _objects(self) -> Iterator[Object]:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
        yield self._credentials()
        # Definitions first: what they define must be served before anything of theirs is applied.
        files = sorted(
            self._folder.glob("*/**/*.yaml"), key=lambda path: (path.name != "definition.yaml", path)
        )
        for path in files:
            if path.is_relative_to(self._folder / "catalog"):
                continue
            for obj in load_all(path.read_text()):
                yield self._at_sandbox(obj) if obj.get("kind") == "ClusterProviderConfig" else obj
        yield {
            "apiVersion": SOURCES.api_version,
            "kind": SOURCES.kind,
            "metadata": {"name": "organisation"},
            "spec": {"folder": {"path": str(self._folder / "catalog")}},
        }

    def _at_sandbox(self, config: Object) -> Object:
        endpoint = {
            "url": {"type": "Static", "static": self._sandbox.endpoint},
            "services": list(SERVICES),
            "hostnameImmutable": True,
        }
        return {**config, "spec": {**config["spec"], "endpoint": endpoint, "s3_use_path_style": True}}

    def _credentials(self) -> Object:
        text = "[default]\naws_access_key_id = sandbox\naws_secret_access_key = sandbox\n"
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "aws-credentials", "namespace": SYSTEM},
            "type": "Opaque",
            "stringData": {"credentials": text},
        }
