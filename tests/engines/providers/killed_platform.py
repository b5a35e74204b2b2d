"""A control plane with providers on a file, run and killed by ``test_sigkill``: orders one VPC, waits for it.

python killed_platform.py FOLDER ENDPOINT
"""

import asyncio
import sys

from roadbed.apimachinery.conditions import is_true
from roadbed.apis.aws import VPC
from roadbed.storage import open_storage
from roadbed.testing import control_plane, eventually

KIND = VPC.resource(legacy=False)


async def main(folder, endpoint):
    storage = await open_storage(f"sqlite://{folder}/roadbed.db")
    try:
        async with control_plane("roadbed.engines.providers.plugin", storage=storage) as plane:
            await order(plane, endpoint)

            async def ready():
                return is_true(await plane.client.get(KIND, "one", "default"), "Ready")

            await eventually(ready, within_s=60)
    finally:
        await storage.close()


async def order(plane, endpoint):
    if await plane.client.find(KIND, "one", "default") is not None:
        return
    await plane.create(
        {
            "apiVersion": "aws.m.upbound.io/v1beta1",
            "kind": "ClusterProviderConfig",
            "metadata": {"name": "default"},
            "spec": {
                "credentials": {"source": "IRSA"},
                "endpoint": {"url": {"type": "Static", "static": endpoint}},
            },
        },
        {
            "apiVersion": KIND.api_version,
            "kind": KIND.kind,
            "metadata": {"name": "one", "namespace": "default"},
            "spec": {"forProvider": {"region": "eu-central-1", "cidrBlock": "10.77.0.0/16"}},
        },
    )


asyncio.run(main(*sys.argv[1:]))
