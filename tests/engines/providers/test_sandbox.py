"""The sandbox cloud: it comes up, answers, and never outlives its owner."""

import asyncio
import importlib.util
import signal
import sys
from pathlib import Path

import pytest

from roadbed.engines.providers.sandbox import Sandbox, SandboxError

pytestmark = pytest.mark.timeout(20)  # another process, that imports much

OWNER = """
import asyncio
from roadbed.engines.providers.sandbox import Sandbox
async def main():
    sandbox = Sandbox()
    await sandbox.start()
    print(sandbox.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False


async def test_it_answers_while_it_runs_and_is_gone_after(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "whatever")
    sandbox = Sandbox()
    endpoint = await sandbox.start()
    assert sandbox.endpoint == endpoint
    pid = sandbox.pid
    host, port = endpoint.removeprefix("http://").split(":")
    assert host == "127.0.0.1"
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /moto-api/data.json HTTP/1.0\r\n\r\n")
    assert b"200" in await reader.readline()
    writer.close()
    await writer.wait_closed()
    await sandbox.stop()
    assert not is_running(pid)
    assert sandbox.endpoint == ""
    await sandbox.stop()  # twice is fine


async def test_it_ends_with_an_owner_that_is_killed():
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", OWNER, stdout=asyncio.subprocess.PIPE)
    pid = int(await owner.stdout.readline())
    assert is_running(pid)
    owner.send_signal(signal.SIGKILL)
    await owner.communicate()
    async with asyncio.timeout(5):
        while is_running(pid):
            await asyncio.sleep(0.01)


async def test_without_moto_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SandboxError, match=r"pip install 'roadbed\[demo\]'"):
        await Sandbox().start()


async def test_one_that_can_not_start_says_why(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SandboxError, match="ended at once"):
        await Sandbox().start()
