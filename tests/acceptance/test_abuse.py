"""Somebody with good credentials, over a real connection, who means no good; and a data folder that was handled badly."""

import asyncio
import contextlib
import gzip
import os
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from base64 import b64decode
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from roadbed.apimachinery.objects import name_of
from roadbed.apis.core import CONFIGMAPS
from roadbed.client import connect

pytestmark = [pytest.mark.slow, pytest.mark.acceptance, pytest.mark.timeout(180)]

MAPS = "/api/v1/namespaces/default/configmaps"
IDLE = 2_000
SPARE = 200  # descriptors for everything else
JSON = b"content-type: application/json\r\n"
BOMB = gzip.compress(b"[" * 50_000_000)
UPGRADES = (
    b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    b"connection: upgrade\r\nupgrade: SPDY/3.1\r\n",
)


def told(number):
    meta = {"name": f"told-{number}", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "x" * 3000}}


def door(kubeconfig):
    """Give the port and a TLS context with the administrator's certificate."""
    found = yaml.safe_load(Path(kubeconfig).read_text())
    user = found["users"][0]["user"]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with tempfile.TemporaryDirectory() as folder:
        for name in ("certificate", "key"):
            Path(folder, name).write_bytes(b64decode(user[f"client-{name}-data"]))
        context.load_cert_chain(Path(folder, "certificate"), Path(folder, "key"))
    return urlsplit(found["clusters"][0]["cluster"]["server"]).port, context


async def ask(port, context, head, body=b""):
    """Send one request as it is given; gives the status, 0 where the connection just ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    length = b"content-length: %d\r\n" % len(body) if body else b""
    with contextlib.suppress(ConnectionError):
        writer.write(head + b"host: a\r\n" + length + b"connection: close\r\n\r\n" + body)
        await writer.drain()
    async with asyncio.timeout(30):
        try:
            line = await reader.readline()
        except ConnectionError:
            line = b""
    writer.transport.abort()
    return int(line.split()[1]) if line else 0


def resident_mb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith("VmRSS")) / 1024


async def test_a_trusted_client_that_means_no_good_is_refused(start_platform, tmp_path):
    running = await asyncio.to_thread(start_platform, tmp_path / "data", "--no-demo")
    port, context = door(running.kubeconfig)
    before_mb = resident_mb(running.process.pid)
    post = b"POST " + MAPS.encode() + b" HTTP/1.1\r\n" + JSON
    named = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"%s"}}'
    assert await ask(port, context, post + b"content-encoding: gzip\r\n", BOMB) in (400, 413, 415)
    assert await ask(port, context, post, b'{"a":' * 10_000 + b"1" + b"}" * 10_000) == 400
    assert await ask(port, context, post, b"[" * 2_000_000) in (400, 413)
    assert await ask(port, context, post, named % b"a\\u0000b") == 422
    assert await ask(port, context, post, named % b"a\xff\xfeb") == 400
    assert await ask(port, context, post, named % b"a\x00b") == 400
    for place in (b"a" * 1_000_000, b"\x00", b"\xff\xfe", b"a b"):
        status = await ask(port, context, b"GET " + MAPS.encode() + b"/" + place + b" HTTP/1.1\r\n")
        assert status in (0, 400, 404, 414, 431), place[:20]
    watch = b"GET " + MAPS.encode() + b"?limit=1 HTTP/1.1\r\n"
    for upgrade in UPGRADES:
        assert await ask(port, context, watch + upgrade) in (200, 400, 403)
    assert await ask(port, context, b"GET /readyz HTTP/1.1\r\n") == 200
    assert resident_mb(running.process.pid) < before_mb + 60
    assert "Traceback" not in running.text


async def test_two_thousand_idle_connections_leave_room_for_others(start_platform, tmp_path):
    needed = IDLE + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"only {hard} file descriptors may be open here, {needed} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    running = await asyncio.to_thread(start_platform, tmp_path / "data", "--no-demo")
    port, context = door(running.kubeconfig)
    held = []
    try:
        for _ in range(IDLE // 50):
            held += await asyncio.gather(
                *(asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(50))
            )
        client = connect(running.kubeconfig)
        async with asyncio.timeout(20):
            for number in range(50):
                await client.create(CONFIGMAPS, told(number))
        assert len(await client.list(CONFIGMAPS, "default")) >= 50
        await client.transport.close()
        assert not any(reader.at_eof() for reader, _ in held[-100:]), "those that came last are still there"
    finally:
        for _, writer in held:
            writer.transport.abort()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Traceback" not in running.text


def attempt(folder):
    """Start on a folder that must be refused; gives what it says."""
    command = [sys.executable, "-m", "roadbed", "up", "--no-demo", "--data-dir", str(folder)]
    ports = ["--api-port", "0", "--portal-port", "0"]
    done = subprocess.run([*command, *ports], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return done.stdout + done.stderr


async def test_a_folder_that_was_damaged_says_so_and_a_copy_of_a_running_one_is_whole(
    start_platform, tmp_path
):
    """Copies are for ``roadbed backup``; one that was made by hand is taken if it is whole, and judged when it starts."""
    folder = tmp_path / "data"
    running = await asyncio.to_thread(start_platform, folder, "--no-demo")
    client = connect(running.kubeconfig)
    for number in range(40):
        await client.create(CONFIGMAPS, told(number))
    await client.transport.close()
    for name in ("copy", "broken", "headless"):
        await asyncio.to_thread(shutil.copytree, folder, tmp_path / name)
    await asyncio.to_thread(running.stop, signal.SIGKILL)
    for name, place, length in (("broken", 0.5, 3_000), ("headless", 0.0, 32)):
        log = tmp_path / name / "roadbed.db-wal"
        with log.open("r+b") as file:
            file.seek(int(log.stat().st_size * place))
            file.write(os.urandom(length))
        for _ in range(2):
            said = await asyncio.to_thread(attempt, tmp_path / name)
            assert "roadbed.db-wal" in said
            assert "restore a backup" in said
            assert "Traceback" not in said
        check = running.roadbed("fsck", "--data-dir", tmp_path / name, check=False)
        assert check.returncode == 1
        assert "restore a backup" in check.stdout + check.stderr
    again = await asyncio.to_thread(start_platform, tmp_path / "copy", "--no-demo")
    client = connect(again.kubeconfig)
    found = {name_of(each) for each in await client.list(CONFIGMAPS, "default")}
    await client.transport.close()
    assert {f"told-{number}" for number in range(40)} <= found
