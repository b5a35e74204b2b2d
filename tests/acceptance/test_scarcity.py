"""A platform to which the system gives no more: no disk, no file descriptors. It says so, loses nothing, recovers."""

import asyncio
import json
import os
import resource
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from roadbed.apimachinery.errors import ApiError
from roadbed.apimachinery.objects import name_of
from roadbed.apis.core import CONFIGMAPS
from roadbed.client import connect

pytestmark = [pytest.mark.slow, pytest.mark.acceptance, pytest.mark.timeout(120)]

ROOM_BYTES = 100_000  # what the largest file may still grow by
LARGE_BYTES = 300_000
SPARE = 40  # descriptors that the platform may still open
CLIENTS = 200


def configmap(name, size_bytes):
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "x" * size_bytes}}


def unlimited(process, kind):
    resource.prlimit(process.pid, kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def test_a_full_disk_is_told_and_what_was_acknowledged_survives_it(start_platform, tmp_path):
    folder = tmp_path / "data"
    running = await asyncio.to_thread(start_platform, folder, "--no-demo")
    client = connect(running.kubeconfig)
    await client.create(CONFIGMAPS, configmap("before", 10))
    largest_bytes = max(each.stat().st_size for each in folder.iterdir() if each.is_file())
    limit = (largest_bytes + ROOM_BYTES, resource.RLIM_INFINITY)
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, limit)
    kept = {"before"}
    for number in range(4):
        with pytest.raises(ApiError) as refused:
            await client.create(CONFIGMAPS, configmap(f"large-{number}", LARGE_BYTES))
        assert refused.value.code == 503
        assert "nothing was stored; look at the disk" in refused.value.message
    assert name_of(await client.get(CONFIGMAPS, "before", "default")) == "before", "reads go on"
    unlimited(running.process, resource.RLIMIT_FSIZE)
    await client.create(CONFIGMAPS, configmap("after", LARGE_BYTES))
    kept.add("after")
    await client.transport.close()
    await asyncio.to_thread(running.stop)
    check = running.roadbed("fsck", "--data-dir", folder, "-o", "json")
    assert json.loads(check.stdout)["findings"] == []
    again = await asyncio.to_thread(start_platform, folder, "--no-demo")
    client = connect(again.kubeconfig)
    found = {name_of(each) for each in await client.list(CONFIGMAPS, "default")}
    assert {name for name in found if not name.startswith("kube-")} == kept
    await client.transport.close()


async def test_a_flood_of_connections_is_told_and_recovered_from(start_platform, tmp_path):
    """Idle ones take every descriptor: others wait or are refused, somebody is told, and afterwards all is well."""
    running = await asyncio.to_thread(start_platform, tmp_path / "data", "--no-demo")
    held = len(list(Path(f"/proc/{running.process.pid}/fd").iterdir()))
    limit = (held + SPARE, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, limit)
    cluster = yaml.safe_load(Path(running.kubeconfig).read_text())["clusters"][0]["cluster"]
    port = urlsplit(cluster["server"]).port
    flood = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CLIENTS)]
    async with asyncio.timeout(30):
        while "no file descriptors are left" not in running.text:
            await asyncio.sleep(0.1)
    for _, writer in flood:
        writer.transport.abort()
    client = connect(running.kubeconfig)
    await client.create(CONFIGMAPS, configmap("after", 10))
    await client.transport.close()


async def test_a_handshake_that_breaks_off_disturbs_nobody(start_platform, tmp_path):
    running = await asyncio.to_thread(start_platform, tmp_path / "data", "--no-demo")
    cluster = yaml.safe_load(Path(running.kubeconfig).read_text())["clusters"][0]["cluster"]
    port = urlsplit(cluster["server"]).port
    for number in range(150):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(os.urandom(40) if number % 2 else b"\x16\x03\x01\x00\x05\x01")
        writer.transport.abort()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    writer.transport.abort()
    client = connect(running.kubeconfig)
    await client.create(CONFIGMAPS, configmap("after", 10))
    await client.transport.close()
    assert "Traceback" not in running.text
